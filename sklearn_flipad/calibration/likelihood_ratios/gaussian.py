"""Likelihood ratios by two normal distributions."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from sklearn_flipad.calibration.likelihood_ratios._monotone import monotone
from sklearn_flipad.calibration.likelihood_ratios.base import LRCalibrator

__all__ = ["GaussianLR"]


@dataclass(frozen=True)
class GaussianLR(LRCalibrator):
    """The ratio of two normal densities, each with the mean and deviation of its scores.

    Parameters
    ----------
    monotone : bool, default=True
        Whether the ratio never rises with the anomaly score. That of two normal densities does:
        far away on either side, the wider one wins, and a sample that fits the model better than
        all others would count against it.

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import GaussianLR
    >>> GaussianLR().log10_lr([1, 2, 3, 4], [3, 4, 5, 6], [2, 3.5, 5]).round(2)
    array([ 1.04,  0.  , -1.04])
    """

    monotone: bool = True

    def _fitted(self, own, reference):
        self._check_spread(own_scores=own, reference_scores=reference)
        densities = [norm(scores.mean(), scores.std()) for scores in (own, reference)]

        def log10_lr(scores):
            of_own, of_reference = (density.logpdf(scores) for density in densities)
            return (of_own - of_reference) / np.log(10)

        return monotone(log10_lr, own, reference) if self.monotone else log10_lr
