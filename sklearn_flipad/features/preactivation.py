"""Samples before the output activation."""

from numbers import Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.mixins import SampleTransformerMixin
from sklearn_flipad.base.output_ranges import check_range
from sklearn_flipad.base.samples import (
    check_features,
    check_samples,
    float_type,
    record_samples,
)
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.final_layer.column_activations import ColumnActivations
from sklearn_flipad.generators.activations import ACTIVATION_NAMES, OutputActivation

__all__ = ["PreactivationTransformer"]

#: Samples that are copied to float64 at a time.
_N_ROWS = 256


class PreactivationTransformer(OneToOneFeatureMixin, SampleTransformerMixin, BaseEstimator):
    """Undo the output activation of samples, ``o = sigma^-1(x)``, elementwise.

    That is the target of the final-layer inversion. It needs only the activation and no weights:
    knowing that a model ends in tanh is enough.

    Parameters
    ----------
    activation : str, OutputActivation or ColumnActivations, default="tanh"
        The output activation; by name, ``"identity"``, ``"tanh"``, ``"sigmoid"``,
        ``"leaky_relu"`` or ``"softplus"``.
    output_range : pair of float, default=None
        Values that the gray levels 0 and 255 of uint8 samples stand for; by default the range
        of `activation`, which must then be bounded for uint8 samples to be accepted.
    clip_eps : float, default=1e-4
        Saturated values of a bounded activation, which have no finite preimage, are moved into
        its range by this much, in units of half its width.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    FinalLayerInverter : Goes on to the activations before the final layer.
    InlierWhitener : Improves detection on these features.

    Notes
    -----
    The transformer is stateless: transform works without fit, which only remembers the
    layout and the kind of the samples.

    References
    ----------
    Section 4.3 and Appendix C.1 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad import PreactivationTransformer
    >>> levels = np.array([[0, 100, 255]], dtype=np.uint8)
    >>> PreactivationTransformer("tanh").fit_transform(levels).round(2)
    array([[-4.95, -0.22,  4.95]], dtype=float32)
    """

    _parameter_constraints: dict = {
        "activation": [StrOptions(set(ACTIVATION_NAMES)), OutputActivation, ColumnActivations],
        "output_range": [tuple, list, None],
        "clip_eps": [Interval(Real, 0, 1, closed="neither")],
    }
    _stored = Stored.stateless()

    def __init__(self, activation="tanh", *, output_range=None, clip_eps=1e-4):
        self.activation = activation
        self.output_range = output_range
        self.clip_eps = clip_eps

    @classmethod
    def from_layer(cls, final_layer, *, clip_eps=1e-4):
        """Make the transformer of a final layer; its weights are not kept.

        Parameters
        ----------
        final_layer : FinalLayer
            Final layer, whose output activation and range are used.
        clip_eps : float, default=1e-4
            See :class:`PreactivationTransformer`.

        Returns
        -------
        PreactivationTransformer
        """
        output_range = final_layer.output_range
        return cls(final_layer.activation, output_range=output_range, clip_eps=clip_eps)

    def fit(self, X, y=None):
        """Validate the parameters and the samples; nothing is learned.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples: uint8 gray levels, or floats in the range of the activation.
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

    def transform(self, X):
        """Undo the activation.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples: uint8 gray levels, or floats in the range of the activation.

        Returns
        -------
        ndarray, shape of X
            float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or of another shape than in fit.
        """
        self._validate_params()
        X = self._checked(X)
        activation, output_range = self._activation(), self._output_range()

        def undone(x):
            return activation.inverse(from_gray_levels(x, output_range).double(), self.clip_eps)

        return _by_batches(undone, X)

    def inverse_transform(self, X):
        """Apply the activation.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Preactivations.

        Returns
        -------
        ndarray, shape of X
            Samples in the range of the activation; float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            If X is not finite or of another shape than in fit.
        """
        self._validate_params()
        X = check_features(self, X, same_scale=False)
        return _by_batches(lambda o: self._activation().forward(o.double()), X)

    def _activation(self):
        is_name = isinstance(self.activation, str)
        return OutputActivation(self.activation) if is_name else self.activation

    def _output_range(self):
        return check_range(self.output_range, self._activation().range)

    def _checked(self, X, *, reset=False):
        return check_samples(
            self,
            X,
            reset=reset,
            output_range=self._output_range(),
            value_range=self._activation().range,
            rows_are_samples=True,
        )

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _by_batches(function, X):
    """Result of an elementwise function of float64 tensors, in the shape and float type of X."""
    result = np.empty(X.shape, float_type(X))
    for rows in gen_batches(len(X), _N_ROWS):
        result[rows] = function(torch.from_numpy(X[rows])).numpy()
    return result
