"""Base class of transformers of images and signals that learn nothing."""

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.utils.validation import _num_samples

from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.mixins import SampleTransformerMixin
from sklearn_flipad.base.samples import channels_last, check_samples, record_samples, shape_of
from sklearn_flipad.base.stored import Stored

__all__ = ["StatelessTransformer"]


class StatelessTransformer(ClassNamePrefixFeaturesOutMixin, SampleTransformerMixin, BaseEstimator):
    """Base class of stateless transformers of images or signals, which may come flattened."""

    _stored = Stored.stateless("_n_features_out")
    _takes_images = True

    def fit(self, X, y=None):
        """Validate the parameters and the samples; nothing is learned.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width), (n, channels, length) or \
(n, n_features)
            Images or signals: uint8 gray levels, or floats in `output_range`. Rows of unknown
            shape may hold any floats.
        y : Ignored
            Not used.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or X is not valid.
        """
        self._validate_params()
        array = self._checked(X, reset=True)
        n_features_out = int(np.prod(self._out_shape(self._shape_of_one(array))))
        record_samples(self, X, array)
        self._n_features_out = n_features_out
        return self

    def transform(self, X):
        """Compute the features.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width), (n, channels, length) or \
(n, n_features)
            Images or signals: uint8 gray levels, or floats in `output_range`. Rows of unknown
            shape may hold any floats.

        Returns
        -------
        ndarray, shape (n, channels, ...) or (n, n_features_out)
            Rows for rows. float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            If X is empty, not finite or of another shape than in fit.
        """
        self._validate_params()
        X = self._checked(X)
        shape = self._shape_of_one(X)
        self._out_shape(shape)  # ValueError for a crop that does not fit
        samples = X if X.ndim > 2 else X.reshape(len(X), *shape)
        if X.dtype == np.uint8:
            samples = from_gray_levels(samples, self.output_range).astype(np.float32)
        features = self._transform(samples)
        return features if X.ndim > 2 else features.reshape(len(X), -1)

    def _checked(self, X, *, reset=False):
        shape = shape_of(X)
        whole = shape if len(shape) > 2 else (_num_samples(X), *(self.image_shape or ()))
        given = self.image_shape is not None
        if (
            len(whole) == 3
            and whole[1] > 1
            and (whole[2] == 1 or (not given and channels_last(whole)))
        ):
            raise ValueError(
                f"The channels of signals of shape {whole} seem to come last, and they must come "
                f"first, (n, channels, length): pass np.moveaxis(X, -1, 1)."
            )
        # (n, 1, length) are signals; other 3-D arrays may be images without the channel axis.
        unclear = self._takes_images and self.image_shape is None
        if unclear and len(shape) == 3 and shape[1] != 1:
            raise ValueError(
                Message(
                    "X must have shape (n, channels, height, width) or (n, n_features), got "
                    f"{shape}. For images of one channel pass X[:, None]. For signals "
                    "(n, channels, length) ",
                    Term(f"pass image_shape={shape[1:]}", "python"),
                    "; if their channels come last, pass np.moveaxis(X, -1, 1) first.",
                )
            )
        return check_samples(
            self,
            X,
            reset=reset,
            output_range=self.output_range,
            sample_shape=self.image_shape,
            images=len(shape) != 3,
        )

    def _shape_of_one(self, X):
        """Shape of one sample; rows of unknown shape are one pixel high."""
        if X.ndim > 2:
            return X.shape[1:]
        shape = self.image_shape or getattr(self, "_sample_shape", None)
        if shape is None and self._side() is not None:
            raise ValueError(
                "X is 2-D, so resizing or cropping needs image_shape=(channels, height, width)."
            )
        return shape or (1, 1, X.shape[1])

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
