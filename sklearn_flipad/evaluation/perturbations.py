"""Perturbations of images that may hide their origin (Section 5.2 of the paper).

They are stateless transformers. Fitting an attributor to perturbed samples immunizes it (the
setting of Tables 3 and 13). Do not make a perturbation a step of the attributor's pipeline:
suspects arrive perturbed, and ``predict`` would perturb them again. See
:func:`~sklearn_flipad.evaluation.robustness_curve`.

The latent search and the encoder take perturbations as ``processing=``. Any transformer of uint8
images, shape (n, channels, height, width), will do there. Three optional attributes tell the search
more about it:

``is_separable``
    True if the perturbation is linear in the rows and in the columns of each channel, as blurring
    and resizing are. The search then differentiates through it. Such a class needs the constructor
    parameter ``output_range``, and must not round or clip floats within that range.
``noise_variance``
    Variance of the noise that the perturbation adds, in squared gray levels. The search does not
    apply such a perturbation; it only raises the distance at which a sample counts as reproduced.
``is_known``
    False if the perturbation differs from sample to sample, as that of
    :class:`~sklearn_flipad.evaluation.RandomProcessing` does. The search refuses it; the encoder
    is trained with it.
``is_file_format``
    True if each suspect's own file tells what the perturbation does to it, as
    :class:`~sklearn_flipad.evaluation.FileFormat` does by a method ``alike(images, suspects)``. It
    comes last.

:class:`~sklearn_flipad.evaluation.UnknownProcessing` is fitted to each sample. A perturbation with
none of these attributes, such as a file format, is applied to the finished reconstruction.
"""

import io
from numbers import Integral, Real

import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError, features
from scipy import ndimage
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.evaluation._bases import ImagePerturbation, noise_of
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


#: Chroma subsampling, as Pillow numbers it.
_SUBSAMPLING = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def named(perturbations):
    """Name perturbations by their class and parameters; a dict keeps its names.

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
        If two members of a sequence have the same name.

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
    """Class and parameters of a perturbation, without `output_range` and those that are None."""
    if not hasattr(perturbation, "get_params"):
        return repr(perturbation)
    params = perturbation.get_params(deep=False).items()
    shown = ", ".join(
        f"{name}={value!r}"
        for name, value in params
        if name != "output_range" and value is not None
    )
    return f"{type(perturbation).__name__}({shown})"


class GaussianBlur(ImagePerturbation):
    """Convolution with a truncated Gaussian; edges are reflected.

    Parameters
    ----------
    kernel_size : int, default=3
        Side of the kernel in pixels, odd. The paper uses 3, and 1, which is the identity.
    sigma : float, default=3.0
        Standard deviation of the Gaussian in pixels, > 0. The paper's code sets it to the kernel
        size.
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

    is_separable = True

    _parameter_constraints: dict = {
        **ImagePerturbation._parameter_constraints,
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "sigma": [Interval(Real, 0, None, closed="neither")],
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


class _Resizing(ImagePerturbation):
    """A perturbation that resizes each channel with Pillow."""

    is_separable = True

    _parameter_constraints: dict = {
        **ImagePerturbation._parameter_constraints,
        "size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, size, *, output_range=(-1.0, 1.0)):
        self.size = size
        self.output_range = output_range

    def _perturb(self, levels):
        height, width = levels.shape[2:]
        if self.size > min(height, width):
            raise ValueError(
                f"size={self.size} is larger than the images of {height}x{width} pixels."
            )
        planes = levels.reshape(-1, height, width).astype(np.float32)
        resized = [np.asarray(self._resize(Image.fromarray(plane))) for plane in planes]
        return np.stack(resized).reshape(levels.shape).astype(np.float64)


class CenterCropResize(_Resizing):
    """Crop of the central square, resized to the size of the image (bilinear).

    Parameters
    ----------
    size : int
        Side of the crop in pixels, at most the shorter side of the image. The paper uses 60 and
        55 of 64.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    References
    ----------
    Table 3 of Laszkiewicz et al., ICML 2024.
    """

    def _resize(self, image):
        left, top = ((side - self.size) // 2 for side in image.size)
        # Not by the box of `resize`, whose filter would also read pixels outside of it.
        crop = image.crop((left, top, left + self.size, top + self.size))
        return crop.resize(image.size, Image.Resampling.BILINEAR)


class Downscale(_Resizing):
    """Downscaling to a square and upscaling back to the size of the image (bilinear).

    Parameters
    ----------
    size : int
        Side of the square in pixels, at most the shorter side of the image.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.
    """

    def _resize(self, image):
        bilinear = Image.Resampling.BILINEAR
        return image.resize((self.size, self.size), bilinear).resize(image.size, bilinear)


class GaussianNoise(ImagePerturbation):
    """Independent Gaussian noise in every pixel.

    The noise is seeded by the image itself and by `random_state`, so it does not depend on the
    other images of a batch or on their order.

    Parameters
    ----------
    std : float, default=0.05
        Standard deviation, >= 0, on the scale where gray levels span [-1, 1], whatever
        `output_range` is. The paper uses 0.05 and 0.01.
    random_state : int, default=0
        Seed.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    References
    ----------
    Table 3 of Laszkiewicz et al., ICML 2024.
    """

    _parameter_constraints: dict = {
        **ImagePerturbation._parameter_constraints,
        "std": [Interval(Real, 0, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
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
        # Rounded, so that floats get the same noise as the gray levels that they stand for.
        return 127.5 * self.std * noise_of(image.round(3) + 0.0, self.random_state)


class _Compression(ImagePerturbation):
    """A round trip through a lossy file format, as gray or color images."""

    _parameter_constraints: dict = {
        **ImagePerturbation._parameter_constraints,
        "quality": [Interval(Integral, 1, 100, closed="both")],
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
        Quantization tables of luma and chroma, 64 steps each, which replace `quality`.
    subsampling : {"4:4:4", "4:2:2", "4:2:0"}, default=None
        Chroma subsampling; by default that of Pillow's encoder, "4:2:0".
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
        """Reconstruct the compression of a JPEG file from its quantization tables.

        Files with the same tables went through the same compression. To judge them, fit an
        attributor to own samples that were compressed in this way.

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
            If the file is not JPEG, or has another mode than gray or RGB.
        """
        check_regular(path)
        try:
            with Image.open(path) as image:
                if image.format != "JPEG" or image.mode not in ("L", "RGB"):
                    raise ValueError(
                        f"{path} must be a gray or RGB JPEG file; it holds {image.format} "
                        f"({image.mode})."
                    )
                return cls.from_image(image)
        except UnidentifiedImageError as error:
            raise ValueError(f"{path} is not an image that can be read.") from error

    @classmethod
    def from_image(cls, image):
        """Reconstruct the compression of a JPEG file that Pillow has opened.

        Parameters
        ----------
        image : PIL.JpegImagePlugin.JpegImageFile
            The file.

        Returns
        -------
        JPEGCompression
        """
        tables = [list(map(int, table)) for _, table in sorted(image.quantization.items())]
        sampling = JpegImagePlugin.get_sampling(image)
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
            raise ImportError(
                "This build of Pillow cannot write WebP. Install the wheel of pillow from PyPI."
            )
        return super()._perturb(levels)
