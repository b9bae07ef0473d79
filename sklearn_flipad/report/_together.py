"""What the scores of a run say, file by file and all together."""

from dataclasses import dataclass

import numpy as np

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.calibration import simes_p_value, true_discovery_bound
from sklearn_flipad.storage.files import printable

__all__ = ["CONFIDENCE", "NEITHER", "Together", "evidence_of", "together", "words"]

#: Of statements about all files together.
CONFIDENCE = 0.95
#: What is said where the model and the reference are both rejected.
NEITHER = "fits neither"


@dataclass(frozen=True)
class Together:
    """Evidence about all scored files at once.

    Attributes
    ----------
    n : int
        Files with different content.
    n_copies : int
        Further files, equal to one of them byte by byte, which are left out.
    p_all_own, p_all_reference : float
        P-values of "all are the model's" and of "all are from the reference population".
    least_not_own, least_not_reference : int
        Lower bounds for how many are not the model's, and not from the reference population.
    finds_one_not_own, finds_one_not_reference : bool
        Whether there are enough calibration, and reference, samples for one deviating file
        among all to be found.
    """

    n: int
    n_copies: int
    p_all_own: float
    least_not_own: int
    finds_one_not_own: bool
    p_all_reference: float | None = None
    least_not_reference: int | None = None
    finds_one_not_reference: bool | None = None


def evidence_of(run):
    """P-values and verdicts from the scores of a run, which must be those of its table.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    Evidence, or None if the attributor has no p-values

    Raises
    ------
    ValueError
        If the verdicts or p-values of the table are others.
    """
    evidence = None
    if hasattr(run.attributor, "weigh"):
        try:
            # Without any score, the levels and thresholds are still to be said.
            scores = run.scores if len(run.scores) else np.zeros(1)
            evidence = run.attributor.weigh(-scores, **run.levels)
        except NotImplementedError:  # a rule without p-values
            evidence = None
    if not len(run.scores):
        return evidence
    if evidence is None:
        own = run.scores >= last_step(run.attributor).offset_
        same = run.verdicts == np.where(own, "undecided", "not own")
    else:
        same = run.verdicts == evidence.verdicts
    for name in ("p_own", "p_reference"):
        expected = getattr(evidence, name, None)
        expected = np.nan if expected is None else expected
        same &= np.isclose(getattr(run, name), expected, rtol=1e-9, atol=0, equal_nan=True)
    if not same.all():
        raise ValueError(
            f"{printable(run.table)} has verdicts or p-values that do not follow from its scores "
            f"with this attributor, the first for scored file {same.argmin() + 1}. Score the files "
            "again."
        )
    return evidence


def together(run, evidence):
    """Weigh all scored files at once; copies of a file are one suspect.

    Parameters
    ----------
    run : Run
        The run.
    evidence : Evidence or None
        Its evidence.

    Returns
    -------
    Together, or None if there is nothing to weigh
    """
    if evidence is None or not len(run.first):
        return None
    n, level = len(run.first), round(1 - CONFIDENCE, 12)
    p_own = evidence.p_own[run.first]
    facts = {
        "n": n,
        "n_copies": len(run.scores) - n,
        "p_all_own": simes_p_value(p_own),
        "least_not_own": true_discovery_bound(p_own, confidence=CONFIDENCE),
        "finds_one_not_own": n <= level * (evidence.n_calibration + 1),
    }
    if evidence.p_reference is not None:
        p_reference = evidence.p_reference[run.first]
        facts |= {
            "p_all_reference": simes_p_value(p_reference),
            "least_not_reference": true_discovery_bound(p_reference, confidence=CONFIDENCE),
            "finds_one_not_reference": n <= level * (evidence.n_reference + 1),
        }
    return Together(**facts)


def words(verdict, own_rejected, reference_rejected):
    """What a verdict means, in a few words.

    Parameters
    ----------
    verdict : str
        As it stands in the table.
    own_rejected, reference_rejected : bool or None
        Whether the model and the reference population are rejected; None where that is not
        tested.

    Returns
    -------
    str
    """
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
