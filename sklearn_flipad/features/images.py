"""Features of RawPAD and DCTPAD: values and DCT coefficients (Appendix G.7)."""

from numbers import Integral, Real

import numpy as np
from PIL import Image
from scipy import fft
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.features._stateless import StatelessTransformer

__all__ = ["DCTTransformer", "RawTransformer"]


class DCTTransformer(StatelessTransformer):
    """Logarithmic DCT spectra of images or signals.

    The orthonormal DCT-II of each channel, of two dimensions for images and of one for signals,
    the logarithm of its absolute value plus a small constant, and optionally its central crop.

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
    layout and the kind of the samples. Gray levels (uint8) are first mapped to
    `output_range`.

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
    """Pixels of images or values of signals, resized or cropped.

    Gray levels (uint8) are mapped to `output_range`; floats are left as they are.

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
    """Source indices of a nearest-neighbor resize in Pillow, shape (size,)."""
    ramp = Image.fromarray(np.arange(side, dtype=np.int32)[None])
    return np.asarray(ramp.resize((size, 1), Image.Resampling.NEAREST))[0]
