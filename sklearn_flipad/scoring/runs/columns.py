"""Columns of the table of verdicts."""

import os
import re
from urllib.parse import quote_from_bytes

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.storage.files import printable

__all__ = [
    "COLUMNS",
    "LATER_COLUMNS",
    "check_attributor",
    "levels_of",
    "safe_text",
    "score_columns",
    "shown_path",
    "stratum_of",
    "uri_of",
]

#: Columns of the table, in order, and their types.
COLUMNS = {
    "path": str,
    "verdict": str,
    "p_own": float,
    "p_reference": float,
    "log10_lr": float,
    "log10_lr_low": float,
    "log10_lr_high": float,
    "lr_at_bound": int,
    "prediction": int,
    "score": float,
    "threshold": float,
    "status": str,
    "reason": str,
    "warning": str,
    "sha256": str,
    "n_bytes": int,
    "shape": str,
    "decoding": str,
    "uri": str,
    "stratum": str,
    "stability": str,
}

#: Columns that tables of earlier versions do not have.
_OF_RATIOS = ("log10_lr", "log10_lr_low", "log10_lr_high", "lr_at_bound")
LATER_COLUMNS = (*_OF_RATIOS, "stratum", "stability")

#: Address of an object in Python's description of it, which differs from run to run.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def check_attributor(attributor, levels):
    """Raise an error if an attributor cannot give verdicts at these levels.

    TypeError without ``score_samples`` and ``offset_``, NotFittedError, or ValueError for a level
    that is not in (0, 1), needs more samples or that the attributor does not have.
    """
    hint = " Of a search, pass best_estimator_." if hasattr(attributor, "refit") else ""
    if hasattr(attributor, "predict_set"):
        hint = " Of several models, pass the attributor of each, in named_estimators_."
    if isinstance(attributor, type) or not hasattr(attributor, "score_samples"):
        raise TypeError(
            "attributor must be a fitted attributor, as the make_* functions return, or the path "
            f"of one; got {attributor!r:.100}.{hint}"
        )
    check_is_fitted(attributor)
    if not hasattr(last_step(attributor), "offset_"):
        raise TypeError(
            f"{type(attributor).__name__} has no threshold offset_: put its detector into an "
            f"FNRThresholdCalibrator.{hint}"
        )
    if hasattr(last_step(attributor), "strata_") and stratum_of(attributor) is None:
        raise ValueError(
            "The attributor was calibrated by strata, and does not say how the stratum of a file "
            "is found. Pass strata= to the function that makes it, such as FileStrata(), and fit "
            "it with the strata that it returns for the facts of the samples' files."
        )
    if not levels_of(attributor, levels) and levels:
        raise ValueError(
            f"fnr and fpr are levels of p-values, which this {type(attributor).__name__} does not "
            "have: leave them out, or fit with rule='conformal' or 'pac'."
        )


def levels_of(attributor, levels):
    """Levels ``fnr`` and ``fpr`` of the verdicts, empty if the attributor has no p-values.

    ``levels`` are those that differ from the attributor's.
    """
    strata = list(getattr(last_step(attributor), "strata_", {}))[:1] or None
    evidence = _weighed(attributor, np.zeros(1), levels, strata)
    return {} if evidence is None else {"fnr": float(evidence.fnr), "fpr": float(evidence.fpr)}


def stratum_of(attributor):
    """The function that finds the stratum of a file by its facts; None without strata."""
    return getattr(last_step(attributor), "stratum_of_", None)


def score_columns(attributor, X, levels, strata=None):
    """Columns that an attributor decides, for decoded samples of shape (n, ...).

    ``score`` and ``threshold`` are on the scale of ``score_samples``, and ``prediction`` is +1
    where the score reaches the threshold, else -1. ``levels`` are those that differ from the
    attributor's, ``strata`` those of the samples, if it has some.
    """
    n, last = len(X), last_step(attributor)
    scores = np.asarray(attributor.score_samples(X), dtype=np.float64)
    evidence = _weighed(attributor, -scores, levels, strata)
    if "fnr" in levels:
        offset = -np.asarray(evidence.threshold)
    elif strata is None:
        offset = last.offset_
    else:
        offset = np.array([last.in_stratum(stratum).offset_ for stratum in strata])
    offset = np.broadcast_to(np.asarray(offset, dtype=np.float64), n)
    own = scores >= offset
    if evidence is None:
        p_own, p_reference, verdicts = None, None, np.where(own, "undecided", "not own")
    else:
        p_own, p_reference, verdicts = evidence.p_own, evidence.p_reference, evidence.verdicts
    return {
        "score": scores.tolist(),
        "threshold": offset.tolist(),
        "prediction": np.where(own, 1, -1).tolist(),
        "verdict": verdicts.tolist(),
        "p_own": [None] * n if p_own is None else p_own.tolist(),
        "p_reference": [None] * n if p_reference is None else p_reference.tolist(),
        **_ratio_columns(None if evidence is None else evidence.ratios, n),
    }


def _ratio_columns(ratios, n):
    if ratios is None:
        return {name: [None] * n for name in _OF_RATIOS}
    values = (ratios.log10_lr, *ratios.interval.T, ratios.at_bound.astype(int))
    return {name: column.tolist() for name, column in zip(_OF_RATIOS, values, strict=True)}


def uri_of(path):
    """The absolute path as a ``file:`` URI in ASCII, one to one for names of any bytes."""
    # As pathlib's as_uri, which would keep all names in memory.
    return f"file://{quote_from_bytes(os.fsencode(os.path.join(os.getcwd(), path)))}"


def shown_path(path):
    """The path as text that no spreadsheet takes for a formula, a number or a missing value."""
    text = printable(path)
    return text if os.path.isabs(path) or text.startswith(("./", "../")) else f"./{text}"


def safe_text(text):
    """A printable message, equal in each run, that no spreadsheet takes for a formula."""
    text = _ADDRESS.sub("", text)
    return text if text[:1].isalnum() else f"error: {text}"


def _weighed(attributor, anomaly_scores, levels, strata=None):
    """P-values and verdicts; None if the attributor or its rule has none."""
    if not hasattr(attributor, "weigh"):
        return None
    try:
        strata = {} if strata is None else {"strata": strata}
        return attributor.weigh(anomaly_scores, **levels, **strata)
    except NotImplementedError:  # a rule without p-values
        return None
