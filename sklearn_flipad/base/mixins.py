"""Mixins of sample transformers, of detectors with a threshold, and of holders of models."""

from functools import wraps

import numpy as np
from sklearn.base import OutlierMixin, TransformerMixin, clone

from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import shape_of

__all__ = ["OffsetMixin", "SampleTransformerMixin", "SharingMixin"]


class SharingMixin:
    """Clones that share the parameters which ``_shared_by_clones`` names."""

    def __sklearn_clone__(self):
        params = self.get_params(deep=False).items()
        shared = self._shared_by_clones()
        copied = type(self)(**{k: v if k in shared else clone(v, safe=False) for k, v in params})
        if hasattr(self, "_sklearn_output_config"):
            copied._sklearn_output_config = dict(self._sklearn_output_config)
        return copied


class SampleTransformerMixin(TransformerMixin):
    """A transformer that takes images as well as rows.

    ``set_output``, and the global option ``transform_output``, are for rows: arrays of more
    than two axes stay arrays, since no data frame can hold them.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        wrapped = vars(cls).get("transform")
        if hasattr(wrapped, "__wrapped__"):
            cls.transform = _frames_of_rows_only(wrapped)


def _frames_of_rows_only(wrapped):
    """The method, whose output scikit-learn wraps into data frames only if the input is rows."""
    plain = wrapped.__wrapped__

    @wraps(plain)
    def method(self, X, *args, **kwargs):
        # The output has rows if and only if the input does.
        is_rows = not is_ragged(X) and len(shape_of(X)) == 2
        return (wrapped if is_rows else plain)(self, X, *args, **kwargs)

    return method


SampleTransformerMixin.fit_transform = _frames_of_rows_only(TransformerMixin.fit_transform)


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
