"""Validation of an attributor on files of known origin, as one HTML page."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.calibration import rank_sum_p_value
from sklearn_flipad.evaluation import Rate, clopper_pearson
from sklearn_flipad.persistence.inspection import inspect_attributor
from sklearn_flipad.report._evaluative import quality_of
from sklearn_flipad.report._labels import read_labels
from sklearn_flipad.report._page import check_out, write_page
from sklearn_flipad.report._provenance import noted, provenance
from sklearn_flipad.report._run import read_run
from sklearn_flipad.report._suspects import read_suspect
from sklearn_flipad.report._together import evidence_of
from sklearn_flipad.scoring.runs.conditions import Conditions

__all__ = ["GroupResult", "ValidationResult", "write_validation"]

#: Level of the test whether scores of own samples have changed.
_LEVEL = 0.01
#: Files that are decoded at a time.
_BATCH = 64


@dataclass(frozen=True)
class GroupResult:
    """Results of the files of one source or stratum.

    Attributes
    ----------
    name : str
        Name of the group.
    own_rejected : Rate or None
        How often a file of the model was rejected; None without such files.
    others_called_own : Rate or None
        How often another file was called "own"; None without such files.
    misleading : Rate or None
        How often a likelihood ratio favored the wrong proposition; None without ratios.
    """

    name: str
    own_rejected: Rate | None
    others_called_own: Rate | None
    misleading: Rate | None


@dataclass(frozen=True)
class ValidationResult:
    """Results of :func:`write_validation`; rates have exact 95 % intervals.

    Attributes
    ----------
    out : str
        The page.
    n_own, n_others : int
        Numbers of different files of the model and of others that were scored.
    n_unscored : int
        Number of labeled files without a score: missing, unreadable or not passed.
    fnr, fpr : float
        Levels that were chosen.
    own_rejected, others_called_own : Rate
        How often a file of the model was rejected, and another one called "own".
    auc : float
        Area under the ROC curve.
    shift_p_value : float
        P-value of the hypothesis that files of the model score as the samples that calibrated the
        attributor do (two-sided rank-sum test).
    cllr, cllr_min : float or None
        Quality of the likelihood ratios, see :func:`~sklearn_flipad.evaluation.cllr`; None without
        ratios.
    misleading_own, misleading_others : Rate or None
        Rates of misleading ratios, see :func:`~sklearn_flipad.evaluation.misleading_rates`.
    by_source, by_stratum : tuple of GroupResult
        The same by source and stratum of the files.
    findings : tuple of str
        What does not hold; empty if everything that was checked holds.
    """

    out: str
    n_own: int
    n_others: int
    n_unscored: int
    fnr: float
    fpr: float
    own_rejected: Rate
    others_called_own: Rate
    auc: float
    shift_p_value: float
    cllr: float | None
    cllr_min: float | None
    misleading_own: Rate | None
    misleading_others: Rate | None
    by_source: tuple
    by_stratum: tuple
    findings: tuple


def write_validation(
    verdicts,
    attributor,
    labels,
    out,
    *,
    title="Validation report",
    model="the model",
    decoder=None,
    notes=None,
    overwrite=False,
):
    """Compare verdicts with the known origin of files, and write the result as one HTML page.

    The page states error rates with exact intervals, overall and by source and stratum, the
    quality of likelihood ratios, and whether the conditions still hold under which the attributor
    was calibrated.

    Parameters
    ----------
    verdicts, attributor
        A table that :func:`~sklearn_flipad.scoring.score_files` wrote, and its attributor, as for
        :func:`write_report`.
    labels : path-like
        CSV file with the columns ``path``, absolute or from the folder of this file, and
        ``label``, "own" or "other". Optional are ``source``, the name of where a file is from, and
        ``stratum``, any other division of the files; by default it is the format.
    out : path-like
        The page to write, ``.html``.
    title : str, default="Validation report"
        Title of the page.
    model : str, default="the model"
        Name of the model in the text.
    decoder, notes, overwrite
        As for :func:`write_report`.

    Returns
    -------
    ValidationResult

    Raises
    ------
    ValueError
        If a scored file has no label, files are labeled both ways, there are no scored files of a
        label, files are equal to samples that the attributor was fitted to, the attributor has no
        p-values, or as :func:`write_report`.
    FileNotFoundError, FileExistsError, ImportError
        As :func:`write_report`.
    """
    out = check_out(out, overwrite)
    run = read_run(verdicts, attributor, decoder=decoder, n_listed=np.inf, n_strongest=0)
    if notes is None:
        notes = {} if hasattr(attributor, "fit") else inspect_attributor(attributor).notes
    evidence = evidence_of(run)
    if evidence is None:
        raise ValueError(
            "The attributor has no p-values, and no levels that could be validated: fit it with "
            "rule='conformal' or 'pac'."
        )
    labels = read_labels(labels)
    files = labels.of(run)
    _check_new(run, files)
    y, rows = np.array([file.label for file in files]), np.array([file.index for file in files])
    rejected, called = evidence.own_rejected[rows], run.verdicts[rows] == "own"
    own = y == 1
    calibrator = last_step(run.attributor)
    log10_lr = None if evidence.log10_lr is None else evidence.log10_lr[rows]
    ratios = misleads = None
    if log10_lr is not None:
        ratios = quality_of(log10_lr[own], log10_lr[~own], "other files")
        misleads = np.where(own, log10_lr < 0, log10_lr > 0)
    own_rejected = _rate(rejected[own])
    others_called_own = _rate(called[~own])
    shift = _shift(calibrator, evidence, rows[own])
    mismatches = [
        finding for finding, _ in Conditions(run.attributor).messages(run.unlike, len(run.scores))
    ]
    has_reference = evidence.p_reference is not None
    findings = [
        *_of_rates(evidence, own_rejected, others_called_own, shift, has_reference),
        *_of_bounds(evidence, ratios, log10_lr, own),
    ]
    result = ValidationResult(
        out=str(out),
        n_own=int(own.sum()),
        n_others=int((~own).sum()),
        n_unscored=labels.n_unscored(run),
        fnr=float(evidence.fnr),
        fpr=float(evidence.fpr),
        own_rejected=own_rejected,
        others_called_own=others_called_own,
        auc=float(roc_auc_score(y, -evidence.anomaly_scores[rows])),
        shift_p_value=float(shift),
        cllr=None if ratios is None else ratios.cllr,
        cllr_min=None if ratios is None else ratios.cllr_min,
        misleading_own=None if ratios is None else ratios.own,
        misleading_others=None if ratios is None else ratios.others,
        by_source=_by("source", files, own, rejected, called, misleads),
        by_stratum=_by("stratum", files, own, rejected, called, misleads),
        findings=(*findings, *mismatches),
    )
    write_page(
        "validation.html",
        out,
        title=title,
        model=model,
        run=run,
        evidence=evidence,
        result=result,
        ratios=ratios,
        system=getattr(calibrator, "lr_", None),
        has_reference=has_reference,
        n_copies=len(run.scores) - len(files),
        level=_LEVEL,
        rows=(),
        facts=[
            ("labels, SHA-256", labels.sha256),
            *provenance(run, evidence),
            *noted(notes),
        ],
    )
    return result


def _shift(calibrator, evidence, rows):
    """P-value of own files scoring as the calibration samples of their strata, or of all."""
    scores = evidence.anomaly_scores[rows]
    if evidence.strata is None:
        return rank_sum_p_value(calibrator.calibration_scores_, scores, alternative="different")
    strata = evidence.strata[rows]
    first = {group: stratum for stratum, group in calibrator.strata_.items()}
    p_values = [
        rank_sum_p_value(
            calibrator.in_stratum(first[group]).calibration_scores_,
            scores[strata == group],
            alternative="different",
        )
        for group in np.unique(strata).tolist()
    ]
    return min(1.0, len(p_values) * min(p_values))  # Bonferroni


def _check_new(run, files):
    """Raise ValueError if files are equal to samples that the attributor was fitted to."""
    seen = []
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        suspects = [read_suspect(0, file.row, run.decoder) for file in batch]
        groups = {}
        for file, suspect in zip(batch, suspects, strict=True):
            if suspect.sample is not None:
                key = suspect.sample.shape, suspect.sample.dtype
                groups.setdefault(key, []).append((file, suspect.sample))
        for group in groups.values():
            known = run.attributor.was_seen(np.stack([sample for _, sample in group]))
            seen += [
                file.row["path"]
                for (file, _), is_known in zip(group, known, strict=True)
                if is_known
            ]
    if seen:
        raise ValueError(
            f"{len(seen):,} of {len(files):,} files are equal to samples that the attributor was "
            f"fitted or calibrated with, the first is {seen[0]}. Validate with files that it "
            "has not seen."
        )


def _rate(events):
    return clopper_pearson(int(events.sum()), len(events)) if len(events) else None


def _by(name, files, own, rejected, called, misleads):
    """Results by source or stratum, in the order of their names."""
    names = np.array([getattr(file, name) for file in files], dtype=object)
    results = []
    for group in sorted(set(names)):
        rows = names == group
        wrong = None if misleads is None else _rate(misleads[rows])
        rates = _rate(rejected[rows & own]), _rate(called[rows & ~own]), wrong
        results.append(GroupResult(group, *rates))
    return tuple(results)


def _of_bounds(evidence, ratios, log10_lr, own):
    """Sentences on likelihood ratios that do not hold."""
    if ratios is None:
        return
    if ratios.cllr >= 1:
        yield (
            f"The likelihood ratios mislead as often as they help (Cllr {ratios.cllr:.3g}, and 1 "
            "for ratios that say nothing)."
        )
    low, high = evidence.ratios.bounds
    # A ratio of at least L favors the wrong proposition for at most one in L of its samples.
    for whose, wrong, bound in (
        ("of the model", log10_lr[own] <= low, -low),
        ("other", log10_lr[~own] >= high, high),
    ):
        found = _rate(wrong)
        if bound > 0 and found.low > 10**-bound:
            yield (
                f"{found.count} of {found.n} {whose} files have the strongest ratio for the wrong "
                f"proposition, {10**bound:.3g}, which should happen to one in {10**bound:.3g} at "
                "most."
            )


def _of_rates(evidence, own_rejected, others_called_own, shift, has_reference):
    """Sentences on error rates and scores that do not hold."""
    if own_rejected.low > evidence.fnr:
        yield (
            f"Files of the model are rejected more often than chosen: {own_rejected.count} of "
            f"{own_rejected.n}, where {100 * evidence.fnr:g} % was chosen."
        )
    if shift < _LEVEL:
        yield (
            "Files of the model score differently from the samples that calibrated the attributor "
            f"(p = {shift:.2g}): they were made or processed in another way. Calibrate with own "
            "samples like these."
        )
    if has_reference and others_called_own.low > evidence.fpr:
        yield (
            f"Other files are called 'own' more often than samples of the reference population: "
            f"{others_called_own.count} of {others_called_own.n}, where {100 * evidence.fpr:g} % "
            "was chosen for it. See by source which ones."
        )
