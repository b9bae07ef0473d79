"""The features of RawPAD and DCTPAD: pixels and DCT coefficients (Appendix G.7)."""

from numbers import Integral, Real

import numpy as np
from PIL import Image
from scipy import fft
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad._transformers import SampleTransformerMixin
from sklearn_flipad.samples import (
    as_image_batch,
    check_samples,
    from_gray_levels,
    record_samples,
)

__all__ = ["DCTTransformer", "RawTransformer"]


class _ImageTransformer(ClassNamePrefixFeaturesOutMixin, SampleTransformerMixin, BaseEstimator):
    """A stateless transformer of images that may come flattened."""

    def fit(self, X, y=None):
        """Validate the parameters and the samples; nothing is learned.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width) or (n, n_features)
            Images: uint8 gray levels, or floats in `output_range`. Rows of unknown shape may
            hold any floats.
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
        n_features_out = int(np.prod(self._out_shape(self._shape_of_images(array))))
        record_samples(self, X, array)
        self._n_features_out = n_features_out
        return self

    def transform(self, X):
        """Compute the features.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width) or (n, n_features)
            Images: uint8 gray levels, or floats in `output_range`. Rows of unknown shape may
            hold any floats.

        Returns
        -------
        ndarray, shape (n, channels, out_height, out_width) or (n, n_features_out)
            float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            If X is empty, not finite or of another shape than in fit.
        """
        self._validate_params()
        X = self._checked(X)
        shape = self._shape_of_images(X)
        self._out_shape(shape)  # refuses a crop that does not fit
        images = as_image_batch(X, shape)
        if X.dtype == np.uint8:
            images = from_gray_levels(images, self.output_range).astype(np.float32)
        features = self._transform(images)
        return features if X.ndim > 2 else features.reshape(len(X), -1)

    def _checked(self, X, *, reset=False):
        return check_samples(
            self,
            X,
            reset=reset,
            output_range=self.output_range,
            sample_shape=self.image_shape,
            images=True,
        )

    def _shape_of_images(self, X):
        """Shape of one image; a row that says nothing of its shape is one pixel high."""
        if X.ndim == 4:
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


class DCTTransformer(_ImageTransformer):
    """Logarithmic DCT spectra of images.

    The orthonormal two-dimensional DCT-II of each channel, the logarithm of its absolute
    value plus a small constant, and, if asked, the central crop of that.

    Parameters
    ----------
    crop_size : int, default=None
        Side of the central crop of the spectrum, at most the side of the images; no crop
        by default.
    eps : float, default=1e-10
        Constant inside the logarithm, > 0.
    output_range : pair of float or None, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255. With None, floats may
        have any values, and uint8 images are refused.
    image_shape : tuple of int, default=None
        Shape ``(channels, height, width)`` of images that come flattened. Without it,
        each row of a 2-D X is transformed as a one-dimensional signal, unless the
        transformer was fitted to images.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one image.

    See Also
    --------
    RawTransformer : The features of RawPAD.
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

    def _transform(self, images):
        # float64, because the logarithm magnifies rounding errors of small coefficients
        spectrum = fft.dctn(images.astype(np.float64), type=2, norm="ortho", axes=(2, 3))
        spectrum = np.abs(_central_crop(spectrum, self.crop_size))
        return np.log(spectrum + self.eps).astype(images.dtype)


class RawTransformer(_ImageTransformer):
    """Pixels, resized or cropped.

    Images of type uint8 are taken to `output_range`; floats are left as they are.

    Parameters
    ----------
    size : int, default=None
        Side of the resulting images; unchanged by default.
    mode : {"nearest", "crop"}, default="nearest"
        Whether images are resized by nearest-neighbor interpolation, as the paper does
        with 64x64 images, or cropped to their center, as with Stable Diffusion.
    output_range : pair of float or None, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255. With None, floats may
        have any values, and uint8 images are refused.
    image_shape : tuple of int, default=None
        Shape ``(channels, height, width)`` of images that come flattened; needed with
        `size` for 2-D X.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one image.

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
            return (shape[0], self.size, self.size)
        return _cropped_shape(shape, self.size)

    def _transform(self, images):
        if self.size is None:
            return images
        if self.mode == "crop":
            return np.ascontiguousarray(_central_crop(images, self.size))
        rows, columns = (_nearest(side, self.size) for side in images.shape[2:])
        return images[:, :, rows[:, None], columns]


def _cropped_shape(shape, size):
    if size is not None and size > min(shape[1:]):
        raise ValueError(
            f"A crop of {size} pixels a side does not fit into images of shape {tuple(shape)}."
        )
    return shape if size is None else (shape[0], size, size)


def _central_crop(images, size):
    if size is None:
        return images
    top, left = ((side - size) // 2 for side in images.shape[2:])
    return images[:, :, top : top + size, left : left + size]


def _nearest(side, size):
    """Source rows of a nearest-neighbor resize, as Pillow takes them."""
    ramp = Image.fromarray(np.arange(side, dtype=np.int32)[None])
    return np.asarray(ramp.resize((size, 1), Image.Resampling.NEAREST))[0]
