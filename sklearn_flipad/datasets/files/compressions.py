"""Compression of image files, by which other images are compressed alike."""

import io
from functools import partial

import numpy as np
from PIL import Image, JpegImagePlugin

from sklearn_flipad.datasets.files.containers import lossy_webp_size
from sklearn_flipad.evaluation.perturbations import JPEGCompression, WebPCompression

__all__ = ["compression_of", "repeats"]

_BEST = 100


def compression_of(image, data):
    """The compression of an opened file of this content, as :class:`FileImage` takes it."""
    if image.format == "JPEG":
        return JPEGCompression.from_image(image)
    size = lossy_webp_size(data) if image.format == "WEBP" else None
    return None if size is None else partial(_webp_of_size, size)


def repeats(image, data):
    """Whether :func:`compression_of` makes the file again, and not another one like it."""
    if image.format != "JPEG":
        return lossy_webp_size(data) is None if image.format == "WEBP" else True
    # Red, green and blue as they are have these numbers, or Adobe's mark.
    is_rgb = image.mode == "RGB" and (
        image.info.get("adobe_transform") == 0 or [part[0] for part in image.layer] == [82, 71, 66]
    )
    if image.mode == "RGB":  # one of the subsamplings that Pillow writes
        return not is_rgb and JpegImagePlugin.get_sampling(image) >= 0
    return image.mode == "L"


def _webp_of_size(n_bytes, levels):
    """The compression by which the decoded image takes so many bytes again.

    A file does not tell its quality.
    """
    pixels = levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, 2)
    image, low, high = Image.fromarray(pixels), 1, _BEST
    while low < high:
        middle = (low + high) // 2
        file = io.BytesIO()
        image.save(file, "WEBP", quality=middle)
        if lossy_webp_size(file.getvalue()) < n_bytes:
            low = middle + 1
        else:
            high = middle
    return WebPCompression(low)
