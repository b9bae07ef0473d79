"""Perturbations by which somebody may hide where an image comes from (Section 5.2).

Stateless transformers of images. An attributor that is fitted to perturbed samples is
immunized (the setting of Tables 3 and 13). They are not a step of its pipeline: suspects
arrive perturbed, and ``predict`` would perturb them again. See
:func:`~sklearn_flipad.evaluation.robustness.robustness_curve`.
"""

import io
from numbers import Integral, Real

import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError, features
from scipy import ndimage
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.base.samples import check_samples, shape_of
from sklearn_flipad.evaluation._stateless import StatelessPerturbation, noise_of
from sklearn_flipad.storage.files import check_regular

__all__ = [
    "CenterCropResize",
    "Downscale",
    "GaussianBlur",
    "GaussianNoise",
    "JPEGCompression",
    "WebPCompression",
    "named",
]


#: Pillow's numbers of the resolutions of the colors.
_SUBSAMPLING = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def named(perturbations):
    """Perturbations by name; a sequence is named by how its members print.

    Parameters
    ----------
    perturbations : sequence of transformer, or dict of str to transformer
        Perturbations.

    Returns
    -------
    dict of str to transformer

    Raises
    ------
    ValueError
        If two members of a sequence print alike.

    Examples
    --------
    >>> from sklearn_flipad.evaluation.perturbations import GaussianBlur, named
    >>> list(named([GaussianBlur(3, sigma=3.0)]))
    ['GaussianBlur(kernel_size=3, sigma=3.0)']
    """
    if hasattr(perturbations, "items"):
        return dict(perturbations)
    names = [_name(perturbation) for perturbation in perturbations]
    if len(set(names)) < len(names):
        raise ValueError(f"Perturbations must have different names, got {names}.")
    return dict(zip(names, perturbations, strict=True))


def _name(perturbation):
    """How a perturbation prints, with all parameters but the range of floats."""
    if not hasattr(perturbation, "get_params"):
        return repr(perturbation)
    params = perturbation.get_params(deep=False).items()
    shown = ", ".join(
        f"{name}={value!r}"
        for name, value in params
        if name != "output_range" and value is not None
    )
    return f"{type(perturbation).__name__}({shown})"


class _Perturbation(StatelessPerturbation):
    """A stateless transformer of uint8 images or of floats in ``output_range``."""

    _dtypes = ("float64", "float32", "uint8")

    def transform(self, X):
        """Perturb images.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width)
            Images: uint8 gray levels, or floats in `output_range`.

        Returns
        -------
        ndarray, shape (n, channels, height, width)
            Of the type of X: gray levels are rounded and clipped, floats are clipped.

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or has another shape.
        """
        self._validate_params()
        X = self._checked(X)
        if X.dtype == np.uint8:
            perturbed = np.clip(np.rint(self._perturb(X.astype(np.float64))), 0, 255)
        else:
            low, high = self.output_range
            level = (high - low) / 255
            levels = (X.astype(np.float64) - low) / level
            perturbed = np.clip(self._perturb(levels) * level + low, low, high)
        return perturbed.astype(X.dtype)

    def _checked(self, X, *, reset=False):
        shape = shape_of(X)
        if len(shape) != 4:
            raise ValueError(
                f"X must have shape (n, channels, height, width), got {shape}. Perturb images "
                "before they are flattened."
            )
        return check_samples(self, X, reset=reset, output_range=self.output_range, images=True)


class GaussianBlur(_Perturbation):
    """Convolution with a truncated Gaussian, edges reflected.

    Parameters
    ----------
    kernel_size : int, default=3
        Pixels a side of the kernel, odd. The paper uses 3, and 1, which is the identity.
    sigma : float, default=3.0
        Standard deviation of the Gaussian in pixels, > 0. The paper's code uses the
        kernel size.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    References
    ----------
    Table 3 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.evaluation.perturbations import GaussianBlur
    >>> point = np.zeros((1, 1, 3, 3), np.uint8)
    >>> point[0, 0, 1, 1] = 90
    >>> GaussianBlur(3, sigma=1e6).fit_transform(point)[0, 0, 1]
    array([20, 10, 20], dtype=uint8)
    """

    #: Linear in the rows and in the columns of each channel.
    is_separable = True

    _parameter_constraints: dict = {
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "output_range": [tuple, list],
    }

    def __init__(self, kernel_size=3, sigma=3.0, *, output_range=(-1.0, 1.0)):
        self.kernel_size = kernel_size
        self.sigma = sigma
        self.output_range = output_range

    def _perturb(self, levels):
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {self.kernel_size}.")
        offsets = np.arange(self.kernel_size) - self.kernel_size // 2
        kernel = np.exp(-0.5 * (offsets / self.sigma) ** 2)
        kernel /= kernel.sum()
        for axis in (2, 3):
            levels = ndimage.correlate1d(levels, kernel, axis=axis, mode="mirror")
        return levels


class _Resizing(_Perturbation):
    """What goes through Pillow's resize, channel by channel."""

    def _perturb(self, levels):
        height, width = levels.shape[2:]
        if self.size > min(height, width):
            raise ValueError(
                f"size={self.size} is larger than the images, of {height}x{width} pixels."
            )
        planes = levels.reshape(-1, height, width).astype(np.float32)
        resized = [np.asarray(self._resize(Image.fromarray(plane))) for plane in planes]
        return np.stack(resized).reshape(levels.shape).astype(np.float64)


class CenterCropResize(_Resizing):
    """The central square, enlarged to the size of the image (bilinear).

    Parameters
    ----------
    size : int
        Pixels a side of the crop, at most the shorter side. The paper uses 60 and 55 of
        64.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    References
    ----------
    Table 3 of Laszkiewicz et al., ICML 2024.
    """

    #: Linear in the rows and in the columns of each channel.
    is_separable = True

    _parameter_constraints: dict = {
        "size": [Interval(Integral, 1, None, closed="left")],
        "output_range": [tuple, list],
    }

    def __init__(self, size, *, output_range=(-1.0, 1.0)):
        self.size = size
        self.output_range = output_range

    def _resize(self, image):
        left, top = ((side - self.size) // 2 for side in image.size)
        # Cropped first: the box of resize would let pixels outside of it bleed in.
        crop = image.crop((left, top, left + self.size, top + self.size))
        return crop.resize(image.size, Image.Resampling.BILINEAR)


class Downscale(_Resizing):
    """Reduction to a smaller side and enlargement back (bilinear).

    Parameters
    ----------
    size : int
        Pixels a side of the reduced image, at most the shorter side.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.
    """

    #: Linear in the rows and in the columns of each channel.
    is_separable = True

    _parameter_constraints: dict = {
        "size": [Interval(Integral, 1, None, closed="left")],
        "output_range": [tuple, list],
    }

    def __init__(self, size, *, output_range=(-1.0, 1.0)):
        self.size = size
        self.output_range = output_range

    def _resize(self, image):
        bilinear = Image.Resampling.BILINEAR
        return image.resize((self.size, self.size), bilinear).resize(image.size, bilinear)


class GaussianNoise(_Perturbation):
    """Independent Gaussian noise in every pixel.

    The noise of an image is seeded by the image itself and `random_state`, so it depends
    on no other image, on no batch and on no order.

    Parameters
    ----------
    std : float, default=0.05
        Standard deviation on the scale where gray levels span [-1, 1], whatever
        `output_range` is, >= 0. The paper uses
        0.05 and 0.01.
    random_state : int, default=0
        Seed.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    References
    ----------
    Table 3 of Laszkiewicz et al., ICML 2024.
    """

    _parameter_constraints: dict = {
        "std": [Interval(Real, 0, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "output_range": [tuple, list],
    }

    def __init__(self, std=0.05, random_state=0, *, output_range=(-1.0, 1.0)):
        self.std = std
        self.random_state = random_state
        self.output_range = output_range

    @property
    def noise_variance(self):
        """Variance of the noise, in squared gray levels."""
        return (127.5 * self.std) ** 2

    def _perturb(self, levels):
        return np.stack([image + self._noise(image) for image in levels])

    def _noise(self, image):
        # Rounded, so that floats give the noise of the gray levels that they stand for.
        return 127.5 * self.std * noise_of(image.round(3) + 0.0, self.random_state)


class _Compression(_Perturbation):
    """A round trip through a lossy file format, as gray or as color images."""

    _parameter_constraints: dict = {
        "quality": [Interval(Integral, 1, 100, closed="both")],
        "output_range": [tuple, list],
    }

    def _perturb(self, levels):
        channels = levels.shape[1]
        if channels not in (1, 3):
            raise ValueError(
                f"{self._format} holds images of 1 or 3 channels, but X has {channels}."
            )
        mode = "L" if channels == 1 else "RGB"
        pixels = np.clip(np.rint(levels), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        decoded = [self._round_trip(image.squeeze(), mode) for image in pixels]
        return np.stack(decoded).transpose(0, 3, 1, 2).astype(np.float64)

    def _settings(self, mode):
        """Options of Pillow's encoder."""
        return {"quality": self.quality}

    def _round_trip(self, pixels, mode):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format=self._format, **self._settings(mode))
        with Image.open(file) as image:
            return np.atleast_3d(np.asarray(image.convert(mode)))


class JPEGCompression(_Compression):
    """A round trip through JPEG.

    Parameters
    ----------
    quality : int, default=90
        Quality factor of Pillow's encoder, 1 to 100. The paper uses 90 and 80.
    tables : sequence of sequence of int, default=None
        Quantization tables, of brightness and of color, 64 steps each; they take the place of
        `quality`.
    subsampling : {"4:4:4", "4:2:2", "4:2:0"}, default=None
        Resolution of the colors; by default that of Pillow's encoder, "4:2:0".
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    References
    ----------
    Table 3 of Laszkiewicz et al., ICML 2024.
    """

    _format = "JPEG"
    _parameter_constraints: dict = {
        **_Compression._parameter_constraints,
        "tables": ["array-like", None],
        "subsampling": [StrOptions(set(_SUBSAMPLING)), None],
    }

    def __init__(self, quality=90, *, tables=None, subsampling=None, output_range=(-1.0, 1.0)):
        self.quality = quality
        self.tables = tables
        self.subsampling = subsampling
        self.output_range = output_range

    @classmethod
    def from_file(cls, path):
        """Make the compression that a JPEG file went through.

        Its quantization tables stand in the file. Suspects from files with the same tables went
        through the same compression; an attributor is fitted to own samples that went through it.

        Parameters
        ----------
        path : path-like
            A JPEG file.

        Returns
        -------
        JPEGCompression

        Raises
        ------
        ValueError
            If the file is no JPEG, or one with more than three colors.
        """
        check_regular(path)
        try:
            with Image.open(path) as image:
                if image.format != "JPEG" or image.mode not in ("L", "RGB"):
                    raise ValueError(f"{path} holds {image.format} ({image.mode}), not JPEG.")
                tables = [list(map(int, t)) for _, t in sorted(image.quantization.items())]
                sampling = JpegImagePlugin.get_sampling(image)
        except UnidentifiedImageError as error:
            raise ValueError(f"{path} is no image that can be read.") from error
        names = list(_SUBSAMPLING)
        return cls(tables=tables, subsampling=names[sampling] if sampling >= 0 else None)

    def _settings(self, mode):
        settings = {"quality": self.quality}
        if self.tables is not None:
            # Pillow takes tables in place of a quality, not beside it.
            settings = {"qtables": [list(map(int, table)) for table in self.tables]}
        if self.subsampling is not None and mode == "RGB":
            settings["subsampling"] = _SUBSAMPLING[self.subsampling]
        return settings


class WebPCompression(_Compression):
    """A round trip through lossy WebP.

    Parameters
    ----------
    quality : int, default=80
        Quality factor of Pillow's encoder, 1 to 100.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.
    """

    _format = "WEBP"

    def __init__(self, quality=80, *, output_range=(-1.0, 1.0)):
        self.quality = quality
        self.output_range = output_range

    def _perturb(self, levels):
        if not features.check("webp"):
            raise ImportError("This build of Pillow cannot write WebP; install pillow's wheel.")
        return super()._perturb(levels)
