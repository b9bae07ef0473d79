"""Residuals of autoencoders."""

import numpy as np
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.mixins import SampleTransformerMixin, SharingMixin
from sklearn_flipad.base.modules import (
    check_returned,
    device_of,
    evaluating,
    float_type_of,
    moved_to,
    unwrap,
)
from sklearn_flipad.base.parallel import in_batches
from sklearn_flipad.base.samples import check_samples, record_samples
from sklearn_flipad.base.stored import Stored

__all__ = ["ResidualTransformer"]

#: Samples in progress at a time; each goes through the autoencoder alone.
_N_ROWS = 16


class ResidualTransformer(
    SharingMixin, ClassNamePrefixFeaturesOutMixin, SampleTransformerMixin, BaseEstimator
):
    """Differences between samples and their reconstructions by an autoencoder.

    ``f(x) - f(A(x))`` or ``f(x - A(x))``, where A ends in the model's decoder and f are features.
    The content of a sample, speech or a scene, mostly cancels, and traces that the decoder leaves
    in all of its samples remain. A vocoder behind the spectrogram that it takes is an autoencoder
    too.

    Parameters
    ----------
    autoencoder : torch.nn.Module
        Maps a batch of samples, floats in the model's own range, to their reconstructions, in
        the same shape. It must be deterministic: use the mean of an encoder's distribution.
        Samples go through it one by one, in eval mode. Clones share it.
    features : transformer, default=None
        A stateless transformer, such as a :class:`~sklearn_flipad.SpectrogramTransformer`; the
        values themselves by default. If it has an `output_range`, that is set.
    difference : {"features", "samples"}, default="features"
        Whether to subtract features, or samples before features are computed. Differences of
        ``"samples"`` show the smallest deviations of reconstructions that follow a sample value
        by value. If reconstructions have another phase, as a vocoder's do, only features agree.
    output_range : pair of float or None, default=(-1, 1)
        Values of the model that stand for the gray levels 0 and 255. Reconstructions are clipped
        to them, as files are. With None, floats may have any values, and uint8 images are refused.
    device : str or torch.device, default=None
        Device of the autoencoder; by default the one that it is on.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    make_residual : The attributor.
    ReproductionDetector : Searches the latents from which the decoder makes the sample.

    References
    ----------
    Ricker et al., "AEROBLADE", CVPR 2024, judge images by the distance to an autoencoder's
    reconstruction; Albright and McCloskey, CVPR Workshops 2019, by that to the generator's range.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_flipad import ResidualTransformer
    >>> smooth = torch.nn.AvgPool1d(3, stride=1, padding=1)
    >>> ResidualTransformer(smooth).fit_transform(np.array([[[0.0, 0.9, 0.0, 0.0]]])).round(1)
    array([[[-0.3,  0.6, -0.3,  0. ]]])
    """

    _parameter_constraints: dict = {
        "autoencoder": [torch.nn.Module],
        "features": [HasMethods(["transform", "get_params"]), None],
        "difference": [StrOptions({"features", "samples"})],
        "output_range": [tuple, list, None],
        "device": [str, torch.device, None],
    }
    _stored = Stored.stateless("_n_features_out")

    def __init__(
        self,
        autoencoder,
        *,
        features=None,
        difference="features",
        output_range=(-1.0, 1.0),
        device=None,
    ):
        self.autoencoder = autoencoder
        self.features = features
        self.difference = difference
        self.output_range = output_range
        self.device = device

    def fit(self, X, y=None):
        """Validate the parameters and the samples, and try one sample; nothing is learned.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats in `output_range`.
        y : Ignored
            Not used.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or X is not valid, the features have to be fitted, or the autoencoder
            does not return finite reconstructions in the shape of the samples, the same ones each
            time.
        """
        self._validate_params()
        array = self._checked(X, reset=True)
        if (stateful := _to_be_fitted(self.features)) is not None:
            raise ValueError(
                f"features must be stateless, and {type(stateful).__name__} is to be fitted. Put "
                "it behind the residuals, as a step of the pipeline."
            )
        x = self._values(array[:1])
        made, again = self._reconstructed(x), self._reconstructed(x)
        if not np.array_equal(made, again):
            raise ValueError(
                "autoencoder returns other reconstructions of the same sample each time. Pass one "
                "that draws no random numbers: use the mean of an encoder's distribution."
            )
        n_features_out = self._difference(x, made).size
        record_samples(self, X, array)
        self._n_features_out = n_features_out
        return self

    def transform(self, X):
        """Compute the residuals.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats in `output_range`.

        Returns
        -------
        ndarray, shape (n, *features_shape) or (n, n_features_out)
            Rows for rows. float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or of another shape than in fit, or the
            reconstructions are not finite.
        """
        check_is_fitted(self)
        self._validate_params()
        X = self._checked(X)
        x = self._values(X, getattr(self, "_sample_shape", X.shape[1:]))
        residuals = self._difference(x, self._reconstructed(x))
        return residuals if X.ndim > 2 else residuals.reshape(len(X), -1)

    def reconstruct(self, X):
        """Reconstruct samples by the autoencoder.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape)
            Samples: uint8 gray levels, or floats in `output_range`.

        Returns
        -------
        ndarray, shape (n, *sample_shape)
            float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            As :meth:`fit`.
        """
        self._validate_params()
        return self._reconstructed(self._values(self._checked(X)))

    def _checked(self, X, *, reset=False):
        return check_samples(
            self,
            X,
            reset=reset,
            output_range=self.output_range,
            rows_are_samples=True,
        )

    def _values(self, X, shape=None):
        """Floats in the model's range, shape (n, *shape), by default the shape of X."""
        if X.dtype == np.uint8:
            X = from_gray_levels(X, self.output_range).astype(np.float32)
        return X if shape is None else X.reshape(len(X), *shape)

    def _difference(self, x, reconstructed):
        if self.features is None:
            return x - reconstructed
        features = clone(self.features)
        of_samples = self.difference == "samples"
        if "output_range" in features.get_params(deep=False):
            features.set_params(output_range=None if of_samples else self.output_range)
        with config_context(transform_output="default"):
            if of_samples:
                return features.transform(x - reconstructed)
            return features.transform(x) - features.transform(reconstructed)

    def _reconstructed(self, x):
        module = unwrap(self.autoencoder, "autoencoder")
        device = device_of(module) if self.device is None else resolve_device(self.device)
        module, dtype = moved_to(module, device), float_type_of(module) or torch.float32

        def reconstruct(rows):
            # One by one: networks round differently in batches of other sizes. Copies, since the
            # module may write to its input.
            return [module(torch.tensor(one[None], dtype=dtype, device=device)) for one in x[rows]]

        made = np.empty_like(x)
        with evaluating(module):
            parts = in_batches(reconstruct, len(x), batch_size=_N_ROWS, device=device)
            for number, part in enumerate(one for batch in parts for one in batch):
                made[number] = _checked_reconstruction(part, x[:1].shape, number)
        return made if self.output_range is None else made.clip(*self.output_range)

    def _shared_by_clones(self):
        return ("autoencoder",)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _to_be_fitted(features):
    """First transformer that is not stateless, None if there is none."""
    parts = [part for _, part in features.steps] if isinstance(features, Pipeline) else [features]
    parts = [part for part in parts if part not in (None, "passthrough")]
    return next((part for part in parts if get_tags(part).requires_fit), None)


def _checked_reconstruction(made, shape, number):
    """Reconstruction of one sample as float64; ValueError if its shape or a value is invalid."""
    made = check_returned(made, "autoencoder", "reconstructions")
    if made.shape != shape:
        raise ValueError(
            f"autoencoder returned {tuple(made.shape)} for a batch of shape {shape}. It must "
            "return a tensor of that shape: wrap it in a module that pads or crops, or cut the "
            "samples."
        )
    made = made.detach().double().cpu().numpy()
    if not np.isfinite(made).all():
        raise ValueError(f"autoencoder returned NaN or infinity for sample {number} of X.")
    return made
