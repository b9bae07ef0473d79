"""The columns of the table of verdicts, and the part of them that an attributor decides."""

import os
import re
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.storage.files import printable

__all__ = [
    "COLUMNS",
    "check_attributor",
    "levels_of",
    "path_of",
    "safe_text",
    "score_columns",
    "uri_of",
]

#: Columns of the table, in order, and their types.
COLUMNS = {
    "path": str,
    "verdict": str,
    "p_own": float,
    "p_reference": float,
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
}

#: Where an object lies in memory, which Python's descriptions of objects end with.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def check_attributor(attributor, levels):
    """Refuse what gives no verdicts, before a file is read.

    Parameters
    ----------
    attributor : estimator
        What is to be used.
    levels : dict of str to float
        Levels of the verdicts, where they are not those of the attributor.

    Raises
    ------
    TypeError
        If it has no ``score_samples`` and ``offset_``.
    NotFittedError
        If it is not fitted.
    ValueError
        If a level is not in (0, 1), there are too few calibration or reference samples for it, or
        the attributor has one threshold and no levels.
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
    if not levels_of(attributor, levels) and levels:
        raise ValueError(
            f"fnr and fpr are levels of p-values, which this {type(attributor).__name__} does not "
            "have: leave them out, or fit with rule='conformal' or 'pac'."
        )


def levels_of(attributor, levels):
    """The levels that verdicts have.

    Parameters
    ----------
    attributor : estimator
        A fitted attributor.
    levels : dict of str to float
        Those that are not the attributor's.

    Returns
    -------
    dict of str to float
        ``fnr`` and ``fpr``; empty, if the attributor or its rule has no p-values.

    Raises
    ------
    ValueError
        As ``weigh``.
    """
    evidence = _weighed(attributor, np.zeros(1), levels)
    return {} if evidence is None else {"fnr": float(evidence.fnr), "fpr": float(evidence.fpr)}


def score_columns(attributor, X, levels):
    """What an attributor says of a batch of samples.

    Parameters
    ----------
    attributor : estimator
        A fitted attributor. If it has ``weigh``, that gives p-values and verdicts.
    X : ndarray, shape (n, ...)
        Decoded samples.
    levels : dict of str to float
        Levels of the verdicts, where they are not those of the attributor.

    Returns
    -------
    dict of str to list
        ``score``, as ``score_samples`` gives it; ``threshold``, on the same scale;
        ``prediction``, +1 where the score reaches the threshold, else -1; ``verdict``,
        ``p_own`` and ``p_reference``, None where there is none.

    Raises
    ------
    ValueError
        As ``score_samples``.
    """
    n = len(X)
    scores = np.asarray(attributor.score_samples(X), dtype=np.float64)
    offset = float(last_step(attributor).offset_)
    evidence = _weighed(attributor, -scores, levels)
    if "fnr" in levels:
        offset = -float(evidence.threshold)
    own = scores >= offset
    if evidence is None:
        p_own, p_reference, verdicts = None, None, np.where(own, "undecided", "not own")
    else:
        p_own, p_reference, verdicts = evidence.p_own, evidence.p_reference, evidence.verdicts
    return {
        "score": scores.tolist(),
        "threshold": [offset] * n,
        "prediction": np.where(own, 1, -1).tolist(),
        "verdict": verdicts.tolist(),
        "p_own": [None] * n if p_own is None else p_own.tolist(),
        "p_reference": [None] * n if p_reference is None else p_reference.tolist(),
    }


def uri_of(path):
    """A ``file:`` URI that says which file is meant, whatever bytes its name is made of.

    Parameters
    ----------
    path : str
        A path, as the operating system gives it.

    Returns
    -------
    str
        ASCII, of an absolute path.
    """
    # As pathlib's as_uri, which would keep all names in memory.
    return f"file://{quote_from_bytes(os.fsencode(os.path.join(os.getcwd(), path)))}"


def path_of(uri):
    r"""The path of a file in the table, from its column ``uri``.

    Parameters
    ----------
    uri : str
        As in the table.

    Returns
    -------
    pathlib.Path
        Absolute; names that are not UTF-8 are as :func:`os.fsdecode` has them.

    Raises
    ------
    ValueError
        If it is no URI of a file.

    Examples
    --------
    >>> from sklearn_flipad.scoring import path_of
    >>> path_of("file:///suspects/a%20%3D%0A.png").name
    'a =\n.png'
    """
    parts = urlsplit(uri)
    if parts.scheme != "file":
        raise ValueError(f"{uri!r:.100} is no URI of a file: take the column 'uri'.")
    return Path(os.fsdecode(unquote_to_bytes(parts.path)))


def shown_path(path):
    """A path that no table program takes for a formula, a number or a missing value."""
    text = printable(path)
    return text if os.path.isabs(path) or text.startswith(("./", "../")) else f"./{text}"


def safe_text(text):
    """A message that is the same in every run and that no table program takes for a formula.

    Parameters
    ----------
    text : str
        Printable text.

    Returns
    -------
    str
    """
    text = _ADDRESS.sub("", text)
    return text if text[:1].isalnum() else f"error: {text}"


def _weighed(attributor, anomaly_scores, levels):
    """P-values and verdicts; None where the attributor or its rule has none."""
    if not hasattr(attributor, "weigh"):
        return None
    try:
        return attributor.weigh(anomaly_scores, **levels)
    except NotImplementedError:  # a rule without p-values
        return None
