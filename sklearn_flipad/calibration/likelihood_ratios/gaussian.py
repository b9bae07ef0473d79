"""Likelihood ratios by two normal distributions."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from sklearn_flipad.calibration.likelihood_ratios.base import LRCalibrator

__all__ = ["GaussianLR"]


@dataclass(frozen=True)
class GaussianLR(LRCalibrator):
    """The ratio of two normal densities, each with the mean and deviation of its scores.

    It is not monotone: far away on either side, the wider distribution wins.

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import GaussianLR
    >>> GaussianLR().log10_lr([1, 2, 3, 4], [3, 4, 5, 6], [2, 3.5, 5]).round(2)
    array([ 1.04,  0.  , -1.04])
    """

    def _log10_lr(self, own, reference, scores):
        self._check_spread(own_scores=own, reference_scores=reference)
        own, reference = (norm(s.mean(), s.std()).logpdf(scores) for s in (own, reference))
        return (own - reference) / np.log(10)
