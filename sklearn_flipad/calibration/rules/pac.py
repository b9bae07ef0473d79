"""Thresholds that are valid with a chosen confidence."""

from dataclasses import dataclass
from math import ceil, log

import numpy as np
from scipy import stats

from sklearn_flipad.calibration._scores import check_probability
from sklearn_flipad.calibration.rules.base import ThresholdRule

__all__ = ["PAC"]


@dataclass(frozen=True)
class PAC(ThresholdRule):
    """The smallest order statistic that holds with a confidence.

    With probability `confidence` over calibration sets, the false-negative rate on new
    inliers is at most `fnr`, for any distribution. It takes at least
    ``log(1 - confidence) / log(1 - fnr)`` scores. A p-value is, with that confidence, an
    upper bound of how often the model's samples score at least as high as the suspect; the
    confidence is for one suspect, not for many at once.

    Parameters
    ----------
    confidence : float, default=0.95
        Confidence, in (0, 1).

    Raises
    ------
    ValueError
        If `confidence` is not in (0, 1).

    References
    ----------
    Wilks, "Determination of Sample Sizes for Setting Tolerance Limits", Annals of
    Mathematical Statistics 1941.

    Examples
    --------
    >>> from sklearn_flipad.calibration import PAC
    >>> PAC(confidence=0.99).min_size(0.005)
    919
    """

    confidence: float = 0.95

    def __post_init__(self):
        check_probability("confidence", self.confidence)

    def min_size(self, fnr):
        check_probability("fnr", fnr)
        return ceil(round(log(1 - self.confidence) / log(1 - fnr), 9))

    def _threshold(self, scores, fnr):
        n = len(scores)
        n_above = np.searchsorted(self._bounds(n), fnr, side="right") - 1
        return scores[n - n_above - 1]

    def _p_values(self, n_at_least, n):
        return self._bounds(n)[n_at_least]

    def _bounds(self, n):
        """Upper Clopper-Pearson bounds of a rate, for 0 to n events among n, shape (n + 1,)."""
        counts = np.arange(n)
        bounds = stats.beta.ppf(self.confidence, counts + 1, n - counts)
        # Rounding guards against a bound landing a bit above the rate that it is.
        return np.round(np.append(bounds, 1.0), 12)
