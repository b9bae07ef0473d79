"""Likelihood ratios by logistic regression."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from sklearn_flipad.calibration.likelihood_ratios.base import LRCalibrator

__all__ = ["LogisticLR"]


@dataclass(frozen=True)
class LogisticLR(LRCalibrator):
    """A logarithm that falls linearly with the anomaly score.

    Logistic regression between samples of the model and of the reference population, both of the
    same weight in total, on scores divided by their joint deviation. It is the calibrator that few
    samples determine best. Where the model's own samples score higher than the others, the ratio
    is 1 for all scores.

    Parameters
    ----------
    C : float, default=100.0
        Inverse strength of the penalty, as of :class:`sklearn.linear_model.LogisticRegression`.
        It keeps the ratios of scores that do not overlap finite, and should not do more: with 1,
        Cllr of reproduction is 0.009 in place of 0.003 (``python -m benchmarks
        likelihood_ratios``).

    References
    ----------
    Morrison, "Tutorial on logistic-regression calibration and fusion: converting a score to a
    likelihood ratio", Australian Journal of Forensic Sciences 2013.

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import LogisticLR
    >>> LogisticLR().log10_lr([1, 2, 3, 4], [3, 4, 5, 6], [2, 3, 5]).round(2)
    array([ 0.98,  0.33, -0.98])
    """

    C: float = 100.0

    def __post_init__(self):
        if not self.C > 0:
            raise ValueError(f"C must be greater than 0, got {self.C!r}.")

    def _fitted(self, own, reference):
        both = np.concatenate([own, reference])
        center, scale = both.mean(), both.std() or 1.0
        labels = np.repeat([1, 0], [len(own), len(reference)])
        model = LogisticRegression(C=self.C, class_weight="balanced")
        model.fit(((both - center) / scale)[:, None], labels)
        slope, level = min(model.coef_[0, 0], 0.0), model.intercept_[0]
        if slope == 0:  # the model's samples score higher than others: that is no evidence
            level = 0.0
        return lambda scores: ((scores - center) / scale * slope + level) / np.log(10)
