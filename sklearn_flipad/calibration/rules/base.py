"""Interface of threshold rules."""

from abc import ABC, abstractmethod

import numpy as np

from sklearn_flipad.calibration._scores import check_scores, count_at_least

__all__ = ["ThresholdRule"]


class ThresholdRule(ABC):
    """Base class of rules that place a threshold by the anomaly scores of held-out inliers.

    Subclasses override ``min_size`` and ``_threshold``, and ``_p_values`` if they have p-values.
    They should be immutable and compare equal if their settings are equal, as frozen dataclasses
    do.
    """

    @abstractmethod
    def min_size(self, fnr):
        """Number of held-out inliers that the rule needs.

        Parameters
        ----------
        fnr : float
            False-negative rate, in (0, 1).

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If `fnr` is not in (0, 1).
        """

    def threshold(self, scores, fnr):
        """The largest anomaly score that still counts as an inlier.

        Parameters
        ----------
        scores : array-like of shape (n,)
            Anomaly scores of held-out inliers.
        fnr : float
            False-negative rate, in (0, 1).

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there are fewer scores than ``min_size(fnr)``, a score is not finite, or `fnr` is
            not in (0, 1).
        """
        scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim != 1:
            raise ValueError(f"scores must have shape (n,), got {scores.shape}.")
        needed = self.min_size(fnr)
        if len(scores) < needed:
            raise ValueError(
                f"fnr={fnr:g} with {self!r} needs at least {needed} held-out inliers, got "
                f"{len(scores)}. Provide more inliers, hold out more of them, or ask for a larger "
                "fnr."
            )
        return float(self._threshold(np.sort(check_scores("scores", scores)), fnr))

    def p_values(self, calibration_scores, scores):
        """The smallest false-negative rates at which the rule rejects the scores.

        A score lies above ``threshold(calibration_scores, fnr)`` if and only if its p-value is
        at most `fnr`. Ties count for the inlier.

        Parameters
        ----------
        calibration_scores : array-like of shape (n,)
            Anomaly scores of held-out inliers.
        scores : array-like of shape (n_suspects,)
            Anomaly scores of suspects.

        Returns
        -------
        ndarray of float64, shape (n_suspects,)
            In (0, 1].

        Raises
        ------
        ValueError
            If there are no scores of either kind, or one is not finite.
        NotImplementedError
            If the rule has no p-values.
        """
        calibration_scores = np.sort(check_scores("calibration_scores", calibration_scores))
        scores = check_scores("scores", scores)
        counts = count_at_least(calibration_scores, scores)
        return self._p_values(counts, len(calibration_scores))

    @abstractmethod
    def _threshold(self, scores, fnr):
        """Threshold for sorted, finite scores of shape (n,), of which there are enough."""

    def _p_values(self, n_at_least, n):
        """P-values from how many of the n calibration scores are at least as large."""
        raise NotImplementedError(
            f"{self!r} has no p-values, since its rate is not guaranteed; "
            "Conformal() and PAC() have them: pass rule='conformal' or rule='pac'."
        )
