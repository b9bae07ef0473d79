"""Thresholds that are valid on average, for any number of scores."""

from dataclasses import dataclass
from math import ceil

from sklearn_flipad.calibration._scores import check_probability
from sklearn_flipad.calibration.rules.base import ThresholdRule

__all__ = ["Conformal"]


@dataclass(frozen=True)
class Conformal(ThresholdRule):
    """The ceil((n + 1)(1 - fnr))-th smallest score.

    The false-negative rate of a new inlier, exchangeable with the n calibration ones, is
    at most `fnr` on average over calibration sets, for any n and any distribution. It takes
    at least ``1 / fnr - 1`` scores. P-values are those of
    :func:`~sklearn_flipad.calibration.conformal_p_values`.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005.

    Examples
    --------
    >>> from sklearn_flipad.calibration import Conformal
    >>> Conformal().threshold([1.0, 2.0, 3.0], 0.25)
    3.0
    """

    def min_size(self, fnr):
        check_probability("fnr", fnr)
        return ceil(round(1 / fnr - 1, 9))

    def _threshold(self, scores, fnr):
        # Rounding guards against (n + 1)(1 - fnr) landing a bit above a whole number.
        rank = ceil(round((len(scores) + 1) * (1 - fnr), 9))
        return scores[rank - 1]

    def _p_values(self, n_at_least, n):
        return (1 + n_at_least) / (n + 1)
