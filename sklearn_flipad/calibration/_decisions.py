"""Decisions of a fitted calibrator."""

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_flipad.base.estimators import normality
from sklearn_flipad.base.labels import check_labels
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.calibration._strata import offsets_of
from sklearn_flipad.calibration._threshold_checks import threshold_messages
from sklearn_flipad.calibration._windows import check_windows

__all__ = ["DecisionMixin"]


class DecisionMixin:
    """Decisions by ``estimator_`` and ``offset_``, which strata have one each of."""

    def score_samples(self, X):
        """Minus the anomaly score of the detector; larger is more normal.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            If X is not what the detector was fitted to, or a score is not finite.

        Warns
        -----
        UserWarning
            If samples have more or fewer windows than the calibration samples, or than those of
            the reference population.
        """
        check_is_fitted(self)
        scores = normality(self.estimator_, X)
        check_windows(self, X)
        return scores

    def decision_function(self, X, *, strata=None):
        """Signed distance to the threshold: ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features.
        strata : array-like of shape (n,), default=None
            Stratum of each sample, if the calibrator was fitted with strata.

        Returns
        -------
        ndarray of float64, shape (n,)
            Negative for samples that are not the model's.

        Raises
        ------
        ValueError
            If strata are missing or one was not calibrated, or as :meth:`score_samples`.
        """
        check_is_fitted(self)
        offsets = offsets_of(self, strata, _num_samples(X))
        return self.score_samples(X) - offsets

    def predict(self, X, *, strata=None):
        """Decide which samples the model made.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features.
        strata : array-like of shape (n,), default=None
            Stratum of each sample, if the calibrator was fitted with strata.

        Returns
        -------
        ndarray, shape (n,)
            +1 for the model's samples, -1 for others; in the encoding of ``classes_``.

        Raises
        ------
        ValueError
            As :meth:`decision_function`.
        """
        decisions = self.decision_function(X, strata=strata)
        return self.classes_[(decisions >= 0).astype(int)]

    def threshold_warnings(self):
        """Warnings of the detector about the thresholds, as ``fit`` has given them.

        Returns
        -------
        list of str
            Empty if there are none, or the detector does not check thresholds.
        """
        check_is_fitted(self)
        return threshold_messages(self)

    def score(self, X, y, sample_weight=None, *, strata=None):
        """Accuracy on the labeled samples.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features.
        y : array-like of shape (n,)
            Labels; if they are +1 and -1, samples labeled 0 are left out.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples.
        strata : array-like of shape (n,), default=None
            Stratum of each sample, if the calibrator was fitted with strata.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If no sample is labeled, or as :meth:`decision_function`.
        """
        check_is_fitted(self)
        y = as_array(y)
        if -1 in self.classes_:
            labeled = np.flatnonzero(check_labels(y, _num_samples(X)) != 0)
            if np.array_equal(np.unique(y), (0, 1)):  # fitted to +1 and -1, so 0 is no class
                labeled = np.flatnonzero(y != 0)
            if not len(labeled):
                raise ValueError("No sample is labeled: y holds zeros only.")
            X, y = _safe_indexing(X, labeled), y[labeled]
            if sample_weight is not None:
                sample_weight = _safe_indexing(sample_weight, labeled)
            if strata is not None:
                strata = _safe_indexing(strata, labeled)
        return accuracy_score(y, self.predict(X, strata=strata), sample_weight=sample_weight)
