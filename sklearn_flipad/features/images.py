"""The features of RawPAD and DCTPAD: values and DCT coefficients (Appendix G.7)."""

from numbers import Integral, Real

import numpy as np
from PIL import Image
from scipy import fft
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.base.mixins import SampleTransformerMixin
from sklearn_flipad.base.samples import (
    check_samples,
    from_gray_levels,
    record_samples,
    shape_of,
)
from sklearn_flipad.base.stored import Stored

__all__ = ["DCTTransformer", "RawTransformer"]


class StatelessTransformer(ClassNamePrefixFeaturesOutMixin, SampleTransformerMixin, BaseEstimator):
    """A stateless transformer of images or signals that may come flattened."""

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
        self._out_shape(shape)  # refuses a crop that does not fit
        samples = X if X.ndim > 2 else X.reshape(len(X), *shape)
        if X.dtype == np.uint8:
            samples = from_gray_levels(samples, self.output_range).astype(np.float32)
        features = self._transform(samples)
        return features if X.ndim > 2 else features.reshape(len(X), -1)

    def _checked(self, X, *, reset=False):
        shape = shape_of(X)
        # One channel is a signal's; more could be the rows of an image whose channel is missing.
        unclear = self._takes_images and self.image_shape is None
        if unclear and len(shape) == 3 and shape[1] != 1:
            raise ValueError(
                f"X must have shape (n, channels, height, width) or (n, n_features), got {shape}. "
                "For images of one channel pass X[:, None]. For signals (n, channels, length) pass "
                f"image_shape={shape[1:]}."
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
        """Shape of one sample; a row that says nothing of its shape is one pixel high."""
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


class DCTTransformer(StatelessTransformer):
    """Logarithmic DCT spectra of images or signals.

    The orthonormal DCT-II of each channel, of two dimensions for images and of one for signals,
    the logarithm of its absolute value plus a small constant, and, if asked, the central crop of
    that.

    Parameters
    ----------
    crop_size : int, default=None
        Side or length of the central crop of the spectrum, at most that of the samples; no
        crop by default.
    eps : float, default=1e-10
        Constant inside the logarithm, > 0.
    output_range : pair of float or None, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255. With None, floats may
        have any values, and uint8 images are refused.
    image_shape : tuple of int, default=None
        Shape ``(channels, height, width)`` of images that come flattened, or
        ``(channels, length)`` of signals of several channels, flattened or not. Without it,
        each row of a 2-D X is transformed as a one-dimensional signal, unless the
        transformer was fitted to images.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    RawTransformer : The features of RawPAD.
    SpectrogramTransformer : Spectra of short parts of a signal.
    FinalLayerInverter : The features of FLIPAD.

    Notes
    -----
    The transformer is stateless: transform works without fit, which only remembers the
    layout and the kind of the samples. Images of type uint8 are taken to `output_range`
    first.

    References
    ----------
    Appendix G.7 of Laszkiewicz et al., ICML 2024; Frank et al., "Leveraging Frequency
    Analysis for Deep Fake Image Recognition", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad import DCTTransformer
    >>> DCTTransformer().fit_transform(np.ones((1, 1, 2, 2))).round(2)
    array([[[[  0.69, -23.03],
             [-23.03, -23.03]]]])
    """

    _parameter_constraints: dict = {
        "crop_size": [Interval(Integral, 1, None, closed="left"), None],
        "eps": [Interval(Real, 0, None, closed="neither")],
        "output_range": [tuple, list, None],
        "image_shape": [tuple, None],
    }

    def __init__(self, *, crop_size=None, eps=1e-10, output_range=(-1.0, 1.0), image_shape=None):
        self.crop_size = crop_size
        self.eps = eps
        self.output_range = output_range
        self.image_shape = image_shape

    def _side(self):
        return self.crop_size

    def _out_shape(self, shape):
        return _cropped_shape(shape, self.crop_size)

    def _transform(self, samples):
        # float64, because the logarithm magnifies rounding errors of small coefficients
        axes = range(2, samples.ndim)
        spectrum = fft.dctn(samples.astype(np.float64), type=2, norm="ortho", axes=axes)
        spectrum = np.abs(_central_crop(spectrum, self.crop_size))
        return np.log(spectrum + self.eps).astype(samples.dtype)


class RawTransformer(StatelessTransformer):
    """Pixels, or the values of signals, resized or cropped.

    Samples of type uint8 are taken to `output_range`; floats are left as they are.

    Parameters
    ----------
    size : int, default=None
        Side of the resulting images, or length of the signals; unchanged by default.
    mode : {"nearest", "crop"}, default="nearest"
        Whether samples are resized by nearest-neighbor interpolation, as the paper does
        with 64x64 images, or cropped to their center, as with Stable Diffusion.
    output_range : pair of float or None, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255. With None, floats may
        have any values, and uint8 images are refused.
    image_shape : tuple of int, default=None
        Shape ``(channels, height, width)`` of images that come flattened, or
        ``(channels, length)`` of signals of several channels; needed with `size` for 2-D X.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    DCTTransformer : The features of DCTPAD.
    FinalLayerInverter : The features of FLIPAD.

    Notes
    -----
    The transformer is stateless: transform works without fit, which only remembers the
    layout and the kind of the samples.

    References
    ----------
    Appendix G.7 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad import RawTransformer
    >>> images = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    >>> RawTransformer(size=2, output_range=(0, 255)).fit_transform(images)
    array([[[[ 5.,  7.],
             [13., 15.]]]], dtype=float32)
    """

    _parameter_constraints: dict = {
        "size": [Interval(Integral, 1, None, closed="left"), None],
        "mode": [StrOptions({"nearest", "crop"})],
        "output_range": [tuple, list, None],
        "image_shape": [tuple, None],
    }

    def __init__(self, *, size=None, mode="nearest", output_range=(-1.0, 1.0), image_shape=None):
        self.size = size
        self.mode = mode
        self.output_range = output_range
        self.image_shape = image_shape

    def _side(self):
        return self.size

    def _out_shape(self, shape):
        if self.size is not None and self.mode == "nearest":
            return _with_side(shape, self.size)
        return _cropped_shape(shape, self.size)

    def _transform(self, samples):
        if self.size is None:
            return samples
        if self.mode == "crop":
            return np.ascontiguousarray(_central_crop(samples, self.size))
        for axis in range(2, samples.ndim):
            samples = samples.take(_nearest(samples.shape[axis], self.size), axis=axis)
        return samples


def _with_side(shape, size):
    return (shape[0], *(size for _ in shape[1:]))


def _cropped_shape(shape, size):
    if size is None:
        return shape
    if size > min(shape[1:]):
        elements = "pixels a side" if len(shape) == 3 else "elements"
        raise ValueError(
            f"A crop of {size} {elements} does not fit into samples of shape {tuple(shape)}."
        )
    return _with_side(shape, size)


def _central_crop(samples, size):
    if size is None:
        return samples
    starts = [(side - size) // 2 for side in samples.shape[2:]]
    return samples[(..., *(slice(start, start + size) for start in starts))]


def _nearest(side, size):
    """Source rows of a nearest-neighbor resize, as Pillow takes them."""
    ramp = Image.fromarray(np.arange(side, dtype=np.int32)[None])
    return np.asarray(ramp.resize((size, 1), Image.Resampling.NEAREST))[0]
