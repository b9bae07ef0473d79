"""Evidence from the scores of a run, for each file and for all files together."""

from dataclasses import dataclass

import numpy as np

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.calibration import simes_p_value, true_discovery_bound
from sklearn_flipad.storage.files import printable

__all__ = ["CONFIDENCE", "NEITHER", "Together", "evidence_of", "together", "words"]

#: Confidence level of statements about all files together.
CONFIDENCE = 0.95
#: Words for files whose model and reference are both rejected.
NEITHER = "fits neither"


@dataclass(frozen=True)
class Together:
    """Evidence about all scored files at once."""

    #: Files with distinct content, and copies of them, which are left out.
    n: int
    n_copies: int
    #: P-value of "all are the model's", and a lower bound on how many are not.
    p_all_own: float
    least_not_own: int
    #: Whether there are enough calibration samples to find one deviating file among all.
    finds_one_not_own: bool
    #: Numbers of calibration and reference samples, of the stratum with the fewest.
    n_calibration: int
    n_reference: int
    #: The same for the reference population.
    p_all_reference: float | None = None
    least_not_reference: int | None = None
    finds_one_not_reference: bool | None = None


def evidence_of(run):
    """Evidence from the scores of a run, or None if the attributor has no p-values.

    Raise ValueError if the verdicts, p-values or ratios of its table differ.
    """
    evidence = None
    if hasattr(run.attributor, "weigh"):
        try:
            evidence = weighed(run)
        except NotImplementedError:  # a rule without p-values
            evidence = None
    if not len(run.scores):
        return evidence
    if evidence is None:
        own = run.scores >= offsets_of(run)
        same = run.verdicts == np.where(own, "undecided", "not own")
    else:
        same = run.verdicts == evidence.verdicts
    for name in ("p_own", "p_reference", "log10_lr"):
        expected = getattr(evidence, name, None)
        expected = np.nan if expected is None else expected
        same &= np.isclose(getattr(run, name), expected, rtol=1e-9, atol=0, equal_nan=True)
    if not same.all():
        raise ValueError(
            f"{printable(run.table)} has verdicts or p-values that do not follow from its scores "
            f"with this attributor, first for scored file {same.argmin() + 1}. Score the files "
            "again."
        )
    return evidence


def weighed(run):
    """Evidence from the scores of a run, of one file of score 0 if there are none.

    Levels and thresholds are reported all the same.
    """
    last = last_step(run.attributor)
    scores = run.scores if len(run.scores) else np.zeros(1)
    if not hasattr(last, "strata_"):
        return run.attributor.weigh(-scores, **run.levels)
    strata = run.strata if len(run.scores) else list(last.strata_)[:1]
    return run.attributor.weigh(-scores, strata=strata, **run.levels)


def offsets_of(run):
    """Offset of each scored file by its stratum, or the one offset."""
    last = last_step(run.attributor)
    if not hasattr(last, "strata_"):
        return last.offset_
    strata, numbers = np.unique(run.strata, return_inverse=True)
    return np.array([last.in_stratum(stratum).offset_ for stratum in strata.tolist()])[numbers]


def together(run, evidence):
    """Evidence about all scored files at once, or None without p-values or scores."""
    if evidence is None or not len(run.first):
        return None
    n, level = len(run.first), round(1 - CONFIDENCE, 12)
    p_own = evidence.p_own[run.first]
    facts = {
        "n": n,
        "n_copies": len(run.scores) - n,
        "p_all_own": simes_p_value(p_own),
        "least_not_own": true_discovery_bound(p_own, confidence=CONFIDENCE),
        "n_calibration": int(np.min(evidence.n_calibration)),
        "n_reference": int(np.min(evidence.n_reference)),
    }
    facts["finds_one_not_own"] = n <= level * (facts["n_calibration"] + 1)
    if evidence.p_reference is not None:
        p_reference = evidence.p_reference[run.first]
        facts |= {
            "p_all_reference": simes_p_value(p_reference),
            "least_not_reference": true_discovery_bound(p_reference, confidence=CONFIDENCE),
            "finds_one_not_reference": n <= level * (facts["n_reference"] + 1),
        }
    return Together(**facts)


def words(verdict, own_rejected, reference_rejected):
    """Meaning of a verdict in a few words; ``*_rejected`` are None if that is not tested."""
    if own_rejected is None:
        return "below the threshold" if verdict == "not own" else "not below the threshold"
    if reference_rejected is None:
        return "does not fit the model" if own_rejected else "fits the model; nothing else tested"
    return {
        (False, True): "fits the model, does not fit the reference",
        (True, False): "does not fit the model, fits the reference",
        (False, False): "fits both",
        (True, True): NEITHER,
    }[own_rejected, reference_rejected]
