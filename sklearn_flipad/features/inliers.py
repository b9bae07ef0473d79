"""Transformers that use the labels: standardizing by inliers and selecting channels."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.labels import check_labels, inlier_rows
from sklearn_flipad.base.mixins import SampleTransformerMixin
from sklearn_flipad.base.samples import as_array, check_features, float_type, record_samples
from sklearn_flipad.base.stored import Stored

__all__ = ["ChannelSelector", "InlierScaler"]


class InlierScaler(OneToOneFeatureMixin, SampleTransformerMixin, BaseEstimator):
    """Standardize each feature by the mean and the deviation of the inliers.

    ``(x - mean) / (std + eps)`` elementwise, with the statistics of the samples labeled
    +1; of all samples, if none is labeled.

    Parameters
    ----------
    eps : float, default=0.05
        Added to the standard deviations, >= 0, so that features that hardly vary are not
        amplified without bound.

    Attributes
    ----------
    mean_ : ndarray, shape of one sample
        Means over the inliers.
    scale_ : ndarray, shape of one sample
        Standard deviations over the inliers, plus `eps`; 1 where that is 0.
    n_features_in_ : int
        Number of elements of one sample.

    References
    ----------
    The scaling of the code published with Laszkiewicz et al., ICML 2024, there applied
    to the inversion features.

    Examples
    --------
    >>> from sklearn_flipad import InlierScaler
    >>> InlierScaler(eps=0).fit_transform([[0.0], [2.0], [9.0]], [1, 1, -1])
    array([[-1.],
           [ 1.],
           [ 8.]])
    """

    _parameter_constraints: dict = {"eps": [Interval(Real, 0, None, closed="left")]}
    _stored = Stored.with_samples("mean_", "scale_")

    def __init__(self, *, eps=0.05):
        self.eps = eps

    def fit(self, X, y=None):
        """Compute the mean and the deviation of the inliers.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Features of any shape.
        y : array-like of shape (n,), default=None
            Labels +1, -1 and 0.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or y is not valid, or labels are given but none is +1.
        """
        self._validate_params()
        given, X = X, check_features(self, X, reset=True)
        inliers = inlier_rows(check_labels(y, len(X)))
        statistics = StandardScaler()
        for rows in gen_batches(len(inliers), 256):  # no second copy of X in memory
            statistics.partial_fit(X[inliers[rows]].reshape(rows.stop - rows.start, -1))
        if not np.isfinite(statistics.var_).all():
            raise ValueError("X holds values too large for their variance to be finite.")
        scale = np.sqrt(statistics.var_) + self.eps
        shape, dtype = X.shape[1:], float_type(X)
        self.mean_ = statistics.mean_.reshape(shape).astype(dtype)
        self.scale_ = np.where(scale > 0, scale, 1).reshape(shape).astype(dtype)
        record_samples(self, given, X)
        return self

    def transform(self, X):
        """Standardize samples.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Features.

        Returns
        -------
        ndarray, shape of X
            float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            If X is not finite or of another shape than in fit.
        """
        check_is_fitted(self)
        X = check_features(self, X)
        shape = (len(X), *self.mean_.shape)
        scaled = (X.reshape(shape) - self.mean_) / self.scale_
        return scaled.astype(float_type(X), copy=False).reshape(X.shape)

    def inverse_transform(self, X):
        """Undo the standardization.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Standardized features.

        Returns
        -------
        ndarray, shape of X

        Raises
        ------
        ValueError
            If X is not finite or of another shape than in fit.
        """
        check_is_fitted(self)
        X = check_features(self, X, same_scale=False)
        restored = X.reshape(len(X), *self.mean_.shape) * self.scale_ + self.mean_
        return restored.astype(float_type(X), copy=False).reshape(X.shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class ChannelSelector(SelectorMixin, SampleTransformerMixin, BaseEstimator):
    """Keep the channels that differ most between inliers and outliers.

    The score of a channel is the absolute difference between the mean inlier and the
    mean outlier, averaged over the channel. The columns of a 2-D X are channels of one
    element each.

    Parameters
    ----------
    k : int or "all", default="all"
        Number of channels to keep, at most their number.

    Attributes
    ----------
    scores_ : ndarray of float64, shape (n_channels,)
        Score of each channel.
    n_features_in_ : int
        Number of elements of one sample.

    References
    ----------
    Appendix G.7 of Laszkiewicz et al., ICML 2024, which keeps 3 of the 128 channels of
    Stable Diffusion.

    Examples
    --------
    >>> from sklearn_flipad import ChannelSelector
    >>> ChannelSelector(k=1).fit_transform([[0.0, 5.0], [1.0, 0.0]], [1, -1])
    array([[5.],
           [0.]])
    """

    _parameter_constraints: dict = {
        "k": [Interval(Integral, 1, None, closed="left"), StrOptions({"all"})]
    }
    _stored = Stored.with_samples("scores_", "_channel_shape")

    def __init__(self, *, k="all"):
        self.k = k

    def fit(self, X, y):
        """Score the channels.

        Parameters
        ----------
        X : array-like, shape (n, n_channels, ...)
            Features.
        y : array-like of shape (n,)
            Labels; both +1 and -1 must occur.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or y is not valid, a class is missing, or there are fewer than `k`
            channels.
        """
        self._validate_params()
        if y is None:
            raise ValueError("ChannelSelector requires y to be passed, but the target y is None.")
        given, X = X, check_features(self, X, reset=True)
        y = check_labels(y, len(X))
        if not ((y == 1).any() and (y == -1).any()):
            raise ValueError(
                "ChannelSelector compares the two classes, so y must hold both +1 and -1; it "
                "holds one class only."
            )
        if self.k != "all" and self.k > X.shape[1]:
            raise ValueError(f"k={self.k} is more than the {X.shape[1]} channels of X.")
        means = [X[y == label].mean(axis=0, dtype=np.float64) for label in (1, -1)]
        self.scores_ = np.abs(means[0] - means[1]).reshape(X.shape[1], -1).mean(axis=1)
        self._channel_shape = X.shape[2:]
        record_samples(self, given, X)
        return self

    def transform(self, X):
        """Keep the selected channels.

        Parameters
        ----------
        X : array-like, shape (n, n_channels, ...) or (n, n_features)
            Features.

        Returns
        -------
        ndarray, shape (n, k, ...) or (n, n_features_out)

        Raises
        ------
        ValueError
            If X is not finite or of another shape than in fit.
        """
        check_is_fitted(self)
        X = check_features(self, X)
        kept = X.reshape(len(X), -1, *self._channel_shape)[:, self._kept_channels()]
        return kept.reshape(len(X), -1) if X.ndim == 2 else kept

    def inverse_transform(self, X):
        """Put channels back into their places; those that were dropped are 0.

        Parameters
        ----------
        X : array-like, shape (n, k, ...) or (n, n_features_out)
            Selected channels.

        Returns
        -------
        ndarray, shape (n, n_channels, ...) or (n, n_features)

        Raises
        ------
        ValueError
            If X has another shape than `transform` returns.
        """
        check_is_fitted(self)
        X = np.asarray(as_array(X))
        kept = self._kept_channels()
        shape = (int(kept.sum()), *self._channel_shape)
        if X.ndim < 2 or X.shape[1:] not in (shape, (np.prod(shape),)):
            raise ValueError(f"X must have shape (n, {', '.join(map(str, shape))}), got {X.shape}.")
        restored = np.zeros((len(X), len(kept), *self._channel_shape), dtype=X.dtype)
        restored[:, kept] = X.reshape(len(X), *shape)
        return restored.reshape(len(X), -1) if X.ndim == 2 else restored

    def _kept_channels(self):
        mask = np.ones(len(self.scores_), dtype=bool)
        if self.k != "all":
            mask[:] = False
            mask[np.argsort(-self.scores_, kind="stable")[: self.k]] = True
        return mask

    def _get_support_mask(self):
        """Whether each element of a flattened sample is kept, bool of shape (n_features,)."""
        check_is_fitted(self)
        return np.repeat(self._kept_channels(), int(np.prod(self._channel_shape)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
