"""Likelihood ratios by kernel densities."""

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import KernelDensity
from sklearn.utils import gen_batches

from sklearn_flipad.calibration.likelihood_ratios.base import LRCalibrator

__all__ = ["KernelDensityLR"]


@dataclass(frozen=True)
class KernelDensityLR(LRCalibrator):
    """The ratio of two kernel densities.

    It takes any form of distribution, and many samples. Beyond all samples of one kind, the ratio
    is that of the tails of the kernels, and says little.

    Parameters
    ----------
    bandwidth : float, default=None
        Deviation of the Gaussian kernels, in the unit of the scores; by default Silverman's for
        each kind, ``(4 / (3 n)) ** 0.2`` times the deviation of its n scores.

    References
    ----------
    Silverman, "Density Estimation for Statistics and Data Analysis", 1986, equation (3.28).

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import KernelDensityLR
    >>> KernelDensityLR().log10_lr([1, 2, 3, 4], [3, 4, 5, 6], [2, 3.5, 5]).round(2)
    array([ 0.48,  0.  , -0.48])
    """

    bandwidth: float | None = None

    def _log10_lr(self, own, reference, scores):
        if self.bandwidth is None:
            self._check_spread(own_scores=own, reference_scores=reference)
        own, reference = (self._log_density(s, scores) for s in (own, reference))
        return (own - reference) / np.log(10)

    def _log_density(self, known, scores):
        bandwidth = self.bandwidth or (4 / (3 * len(known))) ** 0.2 * known.std(ddof=1)
        density = KernelDensity(bandwidth=bandwidth).fit(known[:, None])
        batches = gen_batches(len(scores), 1000)
        return np.concatenate([density.score_samples(scores[rows, None]) for rows in batches])
