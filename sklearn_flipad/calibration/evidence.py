"""What scores say for and against a model."""

from dataclasses import dataclass

import numpy as np

from sklearn_flipad.calibration.rules import ThresholdRule
from sklearn_flipad.calibration.rules.base import check_probability

__all__ = ["Evidence", "check_levels", "weigh"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Scores of suspects, weighed against own samples and a reference population.

    Attributes
    ----------
    anomaly_scores : ndarray of float64, shape (n,)
        Minus ``score_samples``; larger is less like the model's samples.
    p_own : ndarray of float64, shape (n,)
        How often a sample of the model scores at least as high. Small values are
        evidence against the model.
    p_reference : ndarray of float64, shape (n,), or None
        How often a sample of the reference population scores at least as low. Small
        values are evidence against that population, and speak of no other one. None without a
        reference population.
    fnr, fpr : float
        Levels at which the model and the reference population are rejected.
    threshold : float
        The model is rejected for anomaly scores above it.
    reference_threshold : float or None
        The reference population is rejected for anomaly scores below it.
    rule : ThresholdRule
        What the levels mean: rates on average over calibration sets, or with a confidence.
    reference_name : str or None
        What the reference population is.
    n_calibration, n_reference : int
        Numbers of own samples and of reference samples that calibrated the p-values.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from sklearn_flipad import FNRThresholdCalibrator
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> detector = FNRThresholdCalibrator(OneClassSVM(), fnr=0.05, random_state=0).fit(X)
    >>> detector.calibrate_reference(3 * X[:100] + 0.1, name="the wide ones")
    FNRThresholdCalibrator(estimator=OneClassSVM(), fnr=0.05, random_state=0)
    >>> evidence = detector.evidence([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]])
    >>> evidence.verdicts
    array(['own', 'undecided', 'not own'], dtype='<U9')
    """

    anomaly_scores: np.ndarray
    p_own: np.ndarray
    p_reference: np.ndarray | None
    fnr: float
    fpr: float
    threshold: float
    reference_threshold: float | None
    rule: ThresholdRule
    reference_name: str | None
    n_calibration: int
    n_reference: int

    @property
    def own_rejected(self):
        """Whether each suspect scores too high for a sample of the model."""
        return self.anomaly_scores > self.threshold

    @property
    def reference_rejected(self):
        """Whether each suspect scores too low for a sample of the reference population."""
        if self.reference_threshold is None:
            return np.zeros(len(self.anomaly_scores), dtype=bool)
        return self.anomaly_scores < self.reference_threshold

    @property
    def verdicts(self):
        """The verdict for each suspect.

        ``"own"`` if the reference population is rejected and the model is not, ``"not own"`` if
        the model is rejected and the reference population is not, ``"undecided"`` if neither
        is, or both are. Without a reference population nothing is called ``"own"``.
        """
        own, reference = self.own_rejected, self.reference_rejected
        decided = np.where(own, "not own", "own")
        return np.where(own == reference, "undecided", decided)

    def to_frame(self, index=None):
        """The evidence as a table, a row for each suspect.

        Parameters
        ----------
        index : array-like of shape (n,), default=None
            Names of the rows, for example of files.

        Returns
        -------
        pandas.DataFrame
            With the columns ``verdict``, ``p_own``, ``p_reference`` (NaN without a reference
            population) and ``anomaly_score``.
        """
        import pandas as pd

        p_reference = np.nan if self.p_reference is None else self.p_reference
        columns = {
            "verdict": self.verdicts,
            "p_own": self.p_own,
            "p_reference": p_reference,
            "anomaly_score": self.anomaly_scores,
        }
        return pd.DataFrame(columns, index=index)


def weigh(anomaly_scores, *, rule, calibration_scores, fnr, reference_scores, reference_name, fpr):
    """Weigh scores against those of own samples and of a reference population.

    Parameters
    ----------
    anomaly_scores : array-like of shape (n,)
        Anomaly scores of suspects.
    rule : ThresholdRule
        One that has p-values.
    calibration_scores : ndarray, shape (n_calibration,)
        Anomaly scores of own samples.
    fnr : float
        Level at which the model is rejected, in (0, 1).
    reference_scores : ndarray, shape (n_reference,), or None
        Anomaly scores of samples of the reference population.
    reference_name : str or None
        What the reference population is.
    fpr : float
        Level at which the reference population is rejected, in (0, 1).

    Returns
    -------
    Evidence

    Raises
    ------
    ValueError
        If scores are not finite, or there are too few of them for a level.
    NotImplementedError
        If the rule has no p-values.
    """
    anomaly_scores = np.asarray(anomaly_scores, dtype=np.float64)
    p_reference = reference_threshold = None
    if reference_scores is not None:
        p_reference = rule.p_values(-reference_scores, -anomaly_scores)
        reference_threshold = -rule.threshold(-reference_scores, fpr)
    return Evidence(
        anomaly_scores=anomaly_scores,
        p_own=rule.p_values(calibration_scores, anomaly_scores),
        p_reference=p_reference,
        fnr=fnr,
        fpr=fpr,
        threshold=rule.threshold(calibration_scores, fnr),
        reference_threshold=reference_threshold,
        rule=rule,
        reference_name=reference_name,
        n_calibration=len(calibration_scores),
        n_reference=0 if reference_scores is None else len(reference_scores),
    )


def check_levels(*, rule, calibration_scores, fnr, reference_scores, reference_name, fpr):
    """Refuse levels that too few calibration scores cannot reach.

    Parameters
    ----------
    rule, calibration_scores, fnr, reference_scores, reference_name, fpr
        As :func:`weigh` takes them.

    Raises
    ------
    ValueError
        If a level is not in (0, 1), or there are too few scores for it; the message says how many
        it takes.
    """
    checks = [("fnr", fnr, calibration_scores, "own samples held out")]
    check_probability("fpr", fpr)
    if reference_scores is not None:
        checks.append(("fpr", fpr, reference_scores, f"samples of {reference_name!r}"))
    for name, level, scores, samples in checks:
        check_probability(name, level)
        needed = rule.min_size(level)
        if len(scores) < needed:
            raise ValueError(
                f"{name}={level:g} with {rule!r} needs at least {needed} {samples}, but there are "
                f"{len(scores)}, and no p-value can be so small. Provide more of them, or ask for "
                f"a larger {name}."
            )
