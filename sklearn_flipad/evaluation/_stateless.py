"""What perturbations of images and of sound have in common."""

import hashlib

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_flipad.base.mixins import SampleTransformerMixin
from sklearn_flipad.base.samples import record_samples
from sklearn_flipad.base.stored import Stored

__all__ = ["StatelessPerturbation", "noise_of"]


class StatelessPerturbation(SampleTransformerMixin, BaseEstimator):
    """A transformer that learns nothing; subclasses check samples in ``_checked``."""

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


def noise_of(values, random_state):
    """White noise that depends on a seed and on the sample that it is for, and on no other.

    Parameters
    ----------
    values : ndarray
        The sample.
    random_state : int
        Seed.

    Returns
    -------
    ndarray of float64, of the shape of `values`
        Standard normal.
    """
    digest = hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).digest()
    rng = np.random.default_rng([random_state, *np.frombuffer(digest, dtype="<u4")])
    return rng.standard_normal(values.shape)
