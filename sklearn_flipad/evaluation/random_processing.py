"""Random processing of images, as they go through programs, platforms and messengers.

:class:`RandomProcessing` is a perturbation as those of
:mod:`sklearn_flipad.evaluation.perturbations`, but each sample is put through a chain of its own.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from sklearn_flipad.evaluation._bases import ImagePerturbation
from sklearn_flipad.evaluation._random_chains import Choice, Number, RandomChain, Step
from sklearn_flipad.evaluation.perturbations import JPEGCompression, WebPCompression

__all__ = ["PRESETS", "RandomProcessing"]

_KERNELS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_FORMATS = {"jpeg": JPEGCompression, "webp": WebPCompression}


def _resized(image, size, kernel):
    """Image of another (height, width), by Pillow, whose kernels grow when an image shrinks."""
    channels = [
        np.asarray(Image.fromarray(channel).resize(size[::-1], _KERNELS[kernel]))
        for channel in image.astype(np.float32)
    ]
    return np.stack(channels).astype(np.float64)


def _resize(image, rng, factor, kernel):
    sides = image.shape[1:]
    between = _resized(image, [max(1, round(factor * side)) for side in sides], kernel)
    # No program keeps more than gray levels of the resized image.
    return _resized(np.clip(between, 0, 255), sides, kernel)


def _crop(image, rng, share, top, left, kernel):
    height, width = image.shape[1:]
    rows, columns = (max(1, round(share * side)) for side in (height, width))
    top, left = round(top * (height - rows)), round(left * (width - columns))
    part = image[:, top : top + rows, left : left + columns]
    return _resized(part, (height, width), kernel)


def _tone(image, rng, gain, offset, gamma):
    return 255 * (np.clip(gain * image + offset, 0, 255) / 255) ** gamma


def _blur(image, rng, sigma):
    return ndimage.gaussian_filter(image, (0, sigma, sigma), mode="mirror")


def _sharpen(image, rng, amount, sigma):
    return image + amount * (image - _blur(image, rng, sigma))


def _noise(image, rng, std):
    return image + std * rng.standard_normal(image.shape)


def _compress(image, rng, format, quality):
    return _FORMATS[format](quality)._perturb(image[None])[0]


_KERNEL = Choice(tuple(_KERNELS), tuple(_KERNELS))
_POSITION = Number(0.0, 1.0, 0.0, 1.0)
#: The kinds of steps, their parameters, default ranges and the limits of those.
_KINDS = {
    "crop": Step(
        _crop,
        {
            "share": Number(0.85, 1.0, 0.1, 1.0),
            "top": _POSITION,
            "left": _POSITION,
            "kernel": _KERNEL,
        },
    ),
    "resize": Step(_resize, {"factor": Number(0.55, 1.0, 0.1, 4.0), "kernel": _KERNEL}),
    "tone": Step(
        _tone,
        {
            "gain": Number(0.88, 1.12, 0.1, 10.0),
            "offset": Number(-10.0, 10.0, -255.0, 255.0),
            "gamma": Number(0.93, 1.07, 0.1, 10.0),
        },
    ),
    "blur": Step(_blur, {"sigma": Number(0.3, 1.0, 0.0, 50.0)}),
    "sharpen": Step(
        _sharpen, {"amount": Number(0.1, 0.8, 0.0, 10.0), "sigma": Number(0.5, 1.5, 0.0, 50.0)}
    ),
    "noise": Step(_noise, {"std": Number(0.5, 4.0, 0.0, 255.0)}),
    "compress": Step(
        _compress,
        {
            "format": Choice(tuple(_FORMATS), tuple(_FORMATS)),
            "quality": Number(75, 95, 1, 100, whole=True),
        },
    ),
}
_PRESETS = {
    "platform": (
        ("resize", 0.7),
        ("sharpen", 0.3),
        ("tone", 0.3),
        ("compress", 1.0, {"format": ("jpeg", "jpeg", "webp")}),
    ),
    "messenger": (
        ("compress", 0.5, {"format": "jpeg", "quality": (80, 95)}),
        ("resize", 0.8, {"factor": (0.5, 1.0)}),
        ("compress", 1.0, {"quality": (60, 85)}),
    ),
    "screenshot": (
        ("crop", 1.0),
        ("resize", 0.5, {"factor": (0.75, 1.5)}),
        ("tone", 0.5),
        ("compress", 0.5, {"format": "jpeg", "quality": (80, 95)}),
    ),
}
#: Names of the chains that a program may offer.
PRESETS = tuple(_PRESETS)


class RandomProcessing(RandomChain, ImagePerturbation):
    """Steps of processing that are drawn for each image.

    The draw is seeded by the image itself and by `random_state`, so it does not depend on the
    other images of a batch or on their order. The steps are applied in order, each with its
    probability, with parameters that are drawn uniformly. Values are clipped to 0..255 after each
    step; only file formats round in between.

    ============  ====================================================================
    Kind          Parameters and default ranges
    ============  ====================================================================
    ``crop``      ``share`` of each side that is kept, 0.85 to 1; its position, ``top``
                  and ``left``, 0 to 1 of the room there is; resized back by ``kernel``
    ``resize``    ``factor`` of the sides, 0.55 to 1, and back by ``kernel``:
                  bilinear, bicubic or lanczos
    ``tone``      ``gain``, 0.88 to 1.12, ``offset`` in gray levels, -10 to 10, then
                  ``gamma`` (exponent), 0.93 to 1.07; the same for all channels
    ``blur``      Gaussian, ``sigma`` in pixels, 0.3 to 1
    ``sharpen``   unsharp mask, ``amount``, 0.1 to 0.8, ``sigma``, 0.5 to 1.5
    ``noise``     Gaussian, ``std`` in gray levels, 0.5 to 4
    ``compress``  ``format``, jpeg or webp, with Pillow's ``quality``, 75 to 95
    ============  ====================================================================

    The presets are assumptions, not measurements of any service:

    - ``"platform"``, a site that scales uploads down, may sharpen or retouch them, and encodes
      them: resize (probability 0.7), sharpen (0.3), tone (0.3), compress (1; two of three as JPEG).
    - ``"messenger"``, a file that was compressed before it was sent, is scaled and compressed
      again, harder: compress (0.5; JPEG, 80 to 95), resize (0.8; 0.5 to 1), compress (1; 60 to 85).
    - ``"screenshot"``, a cut of a screen that shows the image at another size and with other
      colors, saved without loss or as JPEG: crop (1), resize (0.5; 0.75 to 1.5), tone (0.5),
      compress (0.5; JPEG, 80 to 95).

    Parameters
    ----------
    chain : {"platform", "messenger", "screenshot"} or sequence, default="platform"
        A preset, or the steps: kinds, or tuples ``(kind, probability)`` or
        ``(kind, probability, ranges)``. ``ranges`` is a dict from a parameter to a number, a pair
        of numbers, or to the names to draw from; what it leaves out has the default range.
    random_state : int, default=0
        Seed.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.

    See Also
    --------
    RandomSoundProcessing : The same for signals.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.evaluation import RandomProcessing
    >>> X = np.random.default_rng(0).integers(0, 256, (4, 1, 16, 16), dtype=np.uint8)
    >>> chain = [("blur", 0.5), ("compress", 1, {"format": "jpeg", "quality": (70, 90)})]
    >>> processing = RandomProcessing(chain).fit(X)
    >>> processing.transform(X).shape
    (4, 1, 16, 16)
    >>> list(processing.draw(X))
    ['blur_sigma', 'compress_format', 'compress_quality']
    """

    _kinds, _presets = _KINDS, _PRESETS
    _limits, _decimals = (0, 255), 3

    _parameter_constraints: dict = {
        **ImagePerturbation._parameter_constraints,
        **RandomChain._parameter_constraints,
        "chain": [str, list, tuple],
    }

    def __init__(self, chain="platform", random_state=0, *, output_range=(-1.0, 1.0)):
        self.chain = chain
        self.random_state = random_state
        self.output_range = output_range

    def _perturb(self, levels):
        steps = self._steps()
        return np.stack([self._processed(image, steps) for image in levels])
