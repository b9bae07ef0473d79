"""Evidence for and against a model."""

from dataclasses import dataclass

import numpy as np

from sklearn_flipad.calibration.likelihood_ratios import LikelihoodRatios
from sklearn_flipad.calibration.rules import ThresholdRule

__all__ = ["Evidence"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Scores of suspects, weighed against own samples and a reference population.

    Attributes
    ----------
    anomaly_scores : ndarray of float64, shape (n,)
        Minus ``score_samples``; larger is less like the model's samples.
    p_own : ndarray of float64, shape (n,)
        P-values: how often a sample of the model scores at least as high. Small values are
        evidence against the model.
    p_reference : ndarray of float64, shape (n,), or None
        P-values: how often a sample of the reference population scores at least as low. Small
        values are evidence against that population, and against no other one. None without a
        reference population.
    fnr, fpr : float
        Levels at which the model and the reference population are rejected.
    threshold : float, or ndarray of shape (n,) with strata
        The model is rejected for anomaly scores above it.
    reference_threshold : float or None, or ndarray of shape (n,) with strata
        The reference population is rejected for anomaly scores below it.
    rule : ThresholdRule
        Meaning of the levels: rates on average over calibration sets, or with a confidence.
    reference_name : str or None
        Name of the reference population.
    n_calibration, n_reference : int, or ndarray of shape (n,) with strata
        Numbers of own samples and of reference samples that calibrated the p-values.
    ratios : LikelihoodRatios or None
        Likelihood ratios of the model against the reference population, with their bounds and
        intervals. None unless the calibrator was asked for them with ``lr``.
    strata : ndarray of str, shape (n,), or None
        Stratum, or merged strata, whose samples calibrated the p-values of each suspect. None if
        the attributor was calibrated without strata.

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
    threshold: float | np.ndarray
    reference_threshold: float | np.ndarray | None
    rule: ThresholdRule
    reference_name: str | None
    n_calibration: int | np.ndarray
    n_reference: int | np.ndarray
    ratios: LikelihoodRatios | None = None
    strata: np.ndarray | None = None

    @property
    def log10_lr(self):
        """Logarithms to base 10 of the likelihood ratios, float64 of shape (n,), or None.

        Positive where the score is more probable for the model than for the reference population.
        """
        return None if self.ratios is None else self.ratios.log10_lr

    @property
    def own_rejected(self):
        """Whether each suspect scores too high for a sample of the model, shape (n,)."""
        return self.anomaly_scores > self.threshold

    @property
    def reference_rejected(self):
        """Whether each suspect scores too low for the reference population, shape (n,)."""
        if self.reference_threshold is None:
            return np.zeros(len(self.anomaly_scores), dtype=bool)
        return self.anomaly_scores < self.reference_threshold

    @property
    def verdicts(self):
        """Verdicts, ndarray of str of shape (n,).

        ``"own"`` if the reference population is rejected and the model is not, ``"not own"`` if
        the model is rejected and the reference population is not, ``"undecided"`` if neither or
        both are. Without a reference population no suspect is called ``"own"``.
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
            population) and ``anomaly_score``; with likelihood ratios also ``log10_lr``, the ends
            of its interval, ``log10_lr_low`` and ``log10_lr_high``, and ``lr_at_bound``; with
            strata also ``stratum``.
        """
        import pandas as pd

        p_reference = np.nan if self.p_reference is None else self.p_reference
        columns = {
            "verdict": self.verdicts,
            "p_own": self.p_own,
            "p_reference": p_reference,
            "anomaly_score": self.anomaly_scores,
        }
        if self.ratios is not None:
            low, high = self.ratios.interval.T
            columns |= {"log10_lr": self.log10_lr, "log10_lr_low": low, "log10_lr_high": high}
            columns["lr_at_bound"] = self.ratios.at_bound
        if self.strata is not None:
            columns["stratum"] = self.strata
        return pd.DataFrame(columns, index=index)
