"""Base classes of image and sound perturbations."""

import hashlib

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_flipad.base.mixins import SampleTransformerMixin
from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import as_array, check_samples, record_samples, shape_of
from sklearn_flipad.base.stored import Stored

__all__ = ["ImagePerturbation", "SoundPerturbation", "noise_of", "rng_of"]


class _Perturbation(SampleTransformerMixin, BaseEstimator):
    """A transformer that learns nothing; subclasses define ``_checked`` and ``_perturb``."""

    _stored = Stored.stateless()
    #: Types that ``transform`` keeps.
    _dtypes = ("float64", "float32")

    def fit(self, X, y=None):
        """Validate the parameters and the samples; nothing is learned.

        Parameters
        ----------
        X : array-like, shape (n, n_channels, ...)
            Samples, as :meth:`transform` takes them.
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
        if not is_ragged(X):
            record_samples(self, X, self._checked(X, reset=True))
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = list(self._dtypes)
        return tags


class ImagePerturbation(_Perturbation):
    """A perturbation of uint8 images or of floats in ``output_range``."""

    _parameter_constraints: dict = {"output_range": [tuple, list]}

    _dtypes = ("float64", "float32", "uint8")

    def transform(self, X):
        """Perturb images.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width), or list of array-like
            Images: uint8 gray levels, or floats in `output_range`; a list if they differ in size.

        Returns
        -------
        ndarray, shape (n, channels, height, width), or list of ndarray
            Perturbed images of the same type as X. Gray levels are rounded and clipped, floats
            are clipped.

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or has another shape.
        """
        self._validate_params()
        if is_ragged(X):
            # No layout was seen in fit.
            batches = (self._checked(as_array(x)[None], reset=True) for x in X)
            return [self._transformed(batch)[0] for batch in batches]
        return self._transformed(self._checked(X))

    def _transformed(self, X):
        return self._finished(self._perturb(self._values(X)), X.dtype)

    def _finished(self, levels, dtype):
        """Gray levels, in the type and the range of the images that were perturbed."""
        if dtype == np.uint8:
            return np.clip(np.rint(levels), 0, 255).astype(dtype)
        low, high = self.output_range
        return np.clip(levels * ((high - low) / 255) + low, low, high).astype(dtype)

    def _values(self, X):
        """The gray levels of checked images, float64."""
        if X.dtype == np.uint8:
            return X.astype(np.float64)
        low, high = self.output_range
        return (X.astype(np.float64) - low) / ((high - low) / 255)

    def _checked(self, X, *, reset=False):
        shape = shape_of(X)
        if len(shape) != 4:
            raise ValueError(
                f"X must have shape (n, channels, height, width), got {shape}. Perturb images "
                "before they are flattened."
            )
        return check_samples(self, X, reset=reset, output_range=self.output_range, images=True)


class SoundPerturbation(_Perturbation):
    """A perturbation of signals in [-1, 1]."""

    def transform(self, X):
        """Perturb signals.

        Parameters
        ----------
        X : array-like of float, shape (n, n_channels, length)
            Signals in [-1, 1].

        Returns
        -------
        ndarray, shape (n, n_channels, length)
            Perturbed signals of the same type as X, clipped to [-1, 1].

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or has another shape.
        """
        self._validate_params()
        X = self._checked(X)
        perturbed = np.stack([self._perturb(signal) for signal in self._values(X)])
        return np.clip(perturbed, -1, 1).astype(X.dtype)

    def _values(self, X):
        """Checked signals as float64."""
        return X.astype(np.float64)

    def _checked(self, X, *, reset=False):
        shape = shape_of(X)
        if len(shape) != 3:
            raise ValueError(
                f"X must have shape (n, n_channels, length), got {shape}. For signals of one "
                "channel pass X[:, None]."
            )
        return check_samples(self, X, reset=reset, value_range=(-1, 1), output_range=None)


def rng_of(values, random_state):
    """Random generator that is seeded by an array's values and by an int, and by nothing else."""
    digest = hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).digest()
    return np.random.default_rng([random_state, *np.frombuffer(digest, dtype="<u4")])


def noise_of(values, random_state):
    """Standard normal noise, float64 in the shape of `values`, seeded by them and by an int."""
    return rng_of(values, random_state).standard_normal(values.shape)
