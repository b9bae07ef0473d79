"""Likelihood ratios by isotonic regression."""

from dataclasses import dataclass

import numpy as np

from sklearn_flipad.calibration.likelihood_ratios._pav import pav_log10_lr
from sklearn_flipad.calibration.likelihood_ratios.base import LRCalibrator

__all__ = ["IsotonicLR"]


@dataclass(frozen=True)
class IsotonicLR(LRCalibrator):
    """The monotone ratio that fits the scores best, by pooling adjacent violators (PAV).

    A step function: it assumes nothing but that a larger anomaly score is no evidence for the
    model, and takes ties. Beyond the last score of either kind the ratio is 0 or infinite.
    Between two scores its logarithm is interpolated.

    References
    ----------
    Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability
    estimates", KDD 2002. Brümmer and du Preez, "Application-independent evaluation of speaker
    detection", Computer Speech and Language 2006.

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import IsotonicLR
    >>> IsotonicLR().log10_lr([1, 2, 3, 5], [3, 4, 5, 6], [2, 3.5, 6]).round(2)
    array([  inf, -0.15,  -inf])
    """

    def _fitted(self, own, reference):
        both = np.concatenate([own, reference])
        labels = np.repeat([1, 0], [len(own), len(reference)])
        values, fitted = pav_log10_lr(labels, -both)
        return lambda scores: _interpolated(values, fitted, -scores)


def _interpolated(values, fitted, x):
    """The step function with `fitted` at the ascending `values`, interpolated between them."""
    right = np.searchsorted(values, x).clip(0, len(values) - 1)
    left = (right - (values[right] > x)).clip(0)
    low, high = fitted[left], fitted[right]
    # Beside an infinite ratio the finite one holds; between 0 and infinity, 1.
    inner = np.where(np.isfinite(high), high, np.where(np.isfinite(low), low, 0.0))
    gap = np.where(left == right, 1.0, values[right] - values[left])
    part = (x - values[left]) / gap
    with np.errstate(invalid="ignore"):
        between = np.where(np.isfinite(low) & np.isfinite(high), low + part * (high - low), inner)
    return np.where(low == high, high, between)
