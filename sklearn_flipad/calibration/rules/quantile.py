"""The paper's rule: an interpolated quantile."""

from dataclasses import dataclass

import numpy as np

from sklearn_flipad.calibration._scores import check_probability
from sklearn_flipad.calibration.rules.base import ThresholdRule

__all__ = ["Quantile"]


@dataclass(frozen=True)
class Quantile(ThresholdRule):
    """The interpolated (1 - fnr)-quantile of the scores.

    Its true false-negative rate exceeds `fnr` when there are few scores: on average it
    is about 0.6 % with 1,000 scores and 1.5 % with 100 for a nominal 0.5 %.

    References
    ----------
    Appendix G.1 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> from sklearn_flipad.calibration import Quantile
    >>> Quantile().threshold([1.0, 2.0, 3.0], 0.5)
    2.0
    """

    def min_size(self, fnr):
        check_probability("fnr", fnr)
        return 1

    def _threshold(self, scores, fnr):
        return np.quantile(scores, 1 - fnr)
