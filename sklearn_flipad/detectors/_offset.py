"""What outlier detectors with a threshold have in common."""

import numpy as np
from sklearn.base import OutlierMixin

__all__ = ["OffsetMixin"]


class OffsetMixin(OutlierMixin):
    """Decisions by ``score_samples`` and ``offset_``."""

    def fit_predict(self, X, y=None):
        """Fit to the samples and label them.

        Parameters
        ----------
        X : array-like
            Samples or features, as in ``fit``.
        y : array-like of shape (n,), default=None
            Labels, as in ``fit``.

        Returns
        -------
        ndarray of int, shape (n,)
            +1 for inliers, -1 for outliers.
        """
        return self.fit(X, y).predict(X)

    def decision_function(self, X):
        """Signed distance to the threshold: ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : array-like, shape of the training samples
            Samples or features, as in ``fit``.

        Returns
        -------
        ndarray of float64, shape (n,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Label samples.

        Parameters
        ----------
        X : array-like, shape of the training samples
            Samples or features, as in ``fit``.

        Returns
        -------
        ndarray of int, shape (n,)
            +1 for inliers, -1 for outliers.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)
