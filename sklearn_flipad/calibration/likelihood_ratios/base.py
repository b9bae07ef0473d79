"""Interface of calibrators of likelihood ratios."""

from abc import ABC, abstractmethod

import numpy as np

from sklearn_flipad.calibration._scores import check_scores

__all__ = ["LRCalibrator"]


class LRCalibrator(ABC):
    """Base class of calibrators that turn anomaly scores into likelihood ratios.

    The ratio says how many times as probable a score is if the model made the sample as if a
    source of the reference population made it. How many samples of each there are does not
    matter. Subclasses override ``_fitted``. They should be immutable, and equal if their settings
    are, as frozen dataclasses are.
    """

    def log10_lr(self, own_scores, reference_scores, scores):
        """Logarithms, to base 10, of the likelihood ratios of suspects.

        Parameters
        ----------
        own_scores : array-like of shape (n,)
            Anomaly scores of samples of the model that the detector was not fitted to.
        reference_scores : array-like of shape (m,)
            Anomaly scores of samples of the reference population, likewise.
        scores : array-like of shape (n_suspects,)
            Anomaly scores of suspects.

        Returns
        -------
        ndarray of float64, shape (n_suspects,)
            Positive for the model, negative for the reference population. They are what the
            calibrator's assumptions say, and may go beyond what n and m samples support, up to
            infinity: see :class:`~sklearn_flipad.calibration.likelihood_ratios.LRSystem`.

        Raises
        ------
        ValueError
            If there are no scores of some kind, one is not finite, or the calibrator cannot be
            fitted to them; the message says why.
        """
        own = check_scores("own_scores", own_scores)
        reference = check_scores("reference_scores", reference_scores)
        scores = check_scores("scores", scores)
        return np.asarray(self._fitted(np.sort(own), np.sort(reference))(scores))

    @abstractmethod
    def _fitted(self, own, reference):
        """A function of finite scores (n,) that returns log10 ratios, from sorted scores."""

    def _check_spread(self, **kinds):
        """Raise ValueError if the scores of some kind do not differ."""
        for name, scores in kinds.items():
            if scores[0] == scores[-1]:
                raise ValueError(
                    f"{self!r} needs {name} that differ, and all {len(scores)} are "
                    f"{scores[0]:g}. IsotonicLR() needs no density."
                )
