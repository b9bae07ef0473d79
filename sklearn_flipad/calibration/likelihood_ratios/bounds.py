"""Bounds of the likelihood ratios that calibration samples support."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral

import numpy as np

__all__ = ["ELUB", "CountBounds", "LRBounds"]


class LRBounds(ABC):
    """Base class of bounds; subclasses override ``_bounds`` and are immutable."""

    def bounds(self, own_log10_lr, reference_log10_lr):
        """The smallest and the largest logarithm that is to be reported.

        Parameters
        ----------
        own_log10_lr : array-like of shape (n,)
            Logarithms of the ratios of samples of the model; they may be infinite.
        reference_log10_lr : array-like of shape (m,)
            Those of samples of the reference population.

        Returns
        -------
        low : float
            At most 0.
        high : float
            At least 0.

        Raises
        ------
        ValueError
            If there are no ratios of some kind, or one is NaN.
        """
        kinds = []
        for name, logs in (("own", own_log10_lr), ("reference", reference_log10_lr)):
            logs = np.sort(np.asarray(logs, dtype=np.float64))
            if logs.ndim != 1 or not len(logs) or np.isnan(logs[-1]):
                raise ValueError(f"{name}_log10_lr must be numbers of shape (n,), at least one.")
            kinds.append(logs)
        low, high = self._bounds(*kinds)
        return float(min(low, 0.0)), float(max(high, 0.0))

    @abstractmethod
    def _bounds(self, own, reference):
        """Bounds from sorted logarithms of both kinds."""


@dataclass(frozen=True)
class CountBounds(LRBounds):
    """Bounds by the numbers of samples alone: 1 / (n + 1) and m + 1.

    That m samples of the reference population have no score as low as the suspect's is expected
    of one that has it in one case of m + 1. A ratio of more than m + 1 would therefore rest on the
    assumptions of the calibrator alone; likewise for the n samples of the model.

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import CountBounds
    >>> CountBounds().bounds([1.0] * 9, [-1.0] * 99)
    (-1.0, 2.0)
    """

    def _bounds(self, own, reference):
        return -np.log10(len(own) + 1), np.log10(len(reference) + 1)


@dataclass(frozen=True)
class ELUB(LRBounds):
    """Empirical lower and upper bounds: where decisions by the ratio stop being useful.

    Somebody decides for the model where the ratio is above a threshold, which is the odds of the
    prior against it, with equal losses of both errors. The upper bound is the largest threshold
    below which such decisions err less often than decisions by the prior alone, on these samples
    and one more misleading sample of each kind; the lower bound likewise.

    Parameters
    ----------
    n_misleading : int, default=1
        Misleading samples of each kind that are added. Their ratios are infinite, and 0.

    References
    ----------
    Vergeer, van Es, de Jongh, Alberink and Stoel, "Numerical likelihood ratios outputted by LR
    systems are often based on extrapolation: when to stop extrapolating?", Science and Justice
    2016.

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import ELUB
    >>> low, high = ELUB().bounds([3.0] * 9, [-3.0] * 99)
    >>> round(10**low, 3), round(10**high, 3)
    (0.101, 90.0)
    """

    n_misleading: int = 1

    def __post_init__(self):
        if not isinstance(self.n_misleading, Integral) or self.n_misleading < 1:
            raise ValueError(f"n_misleading must be at least 1, got {self.n_misleading!r}.")

    def _bounds(self, own, reference):
        return -_reach(-reference[::-1], -own[::-1], self.n_misleading), _reach(
            own, reference, self.n_misleading
        )


def _reach(own, reference, n_misleading):
    """Largest log10 threshold of at least 0 up to which decisions are useful without a gap.

    At a threshold t they err with ``miss + t * false`` per prior probability of the model, the
    prior alone with 1. Between two neighboring ratios, miss and false do not change.
    """
    n, m = len(own) + n_misleading, len(reference) + n_misleading
    starts = np.unique(np.concatenate([[0.0], own[own > 0], reference[reference > 0]]))
    ends = np.append(starts[1:], np.inf)
    # A sample whose ratio is equal to the threshold is decided for the reference population.
    missed = (np.searchsorted(own, starts, side="right") + n_misleading) / n
    false = (len(reference) - np.searchsorted(reference, starts, side="right") + n_misleading) / m
    with np.errstate(divide="ignore"):
        useful = np.log10(np.maximum(1 - missed, 0)) - np.log10(false)
    for start, end, limit in zip(starts, ends, useful, strict=True):
        if limit < end:
            return max(start, limit)
    return np.inf
