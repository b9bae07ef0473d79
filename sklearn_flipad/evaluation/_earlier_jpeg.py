"""JPEG compression that an image went through before its file was saved."""

import io

import numpy as np
from PIL import Image

__all__ = ["earlier_quality"]

#: Qualities that are tried, and how many on each side the error is compared with.
_QUALITIES, _N_BESIDE = np.arange(30, 101), 6
#: Error of compressing an image once more, as a part of that with other qualities, below which it
#: was compressed so before.
_SMALL = 0.6


def earlier_quality(image, largest):
    """The JPEG quality up to `largest` by which an image was compressed before; None if unseen.

    Compressed once more as before, it hardly changes: the error is much less than with slightly
    other qualities. Seen only where the image was not moved since (Farid, "Exposing digital
    forgeries from JPEG ghosts", IEEE Transactions on Information Forensics and Security 4, 2009).
    """
    pixels = image[0] if len(image) == 1 else np.moveaxis(image, 0, 2)
    pixels = np.ascontiguousarray(pixels)
    errors = np.array([_error(pixels, int(quality)) for quality in _QUALITIES])
    best, found = _SMALL, None
    for k, quality in enumerate(_QUALITIES.tolist()):
        # Tables of neighbors are nearly the same.
        lower, higher = errors[k - _N_BESIDE : k - 1], errors[k + 2 : k + _N_BESIDE + 1]
        if k < _N_BESIDE or not len(higher) or quality > largest:
            continue
        beside = np.r_[lower, higher].mean()
        if errors[k] < best * beside:
            best, found = errors[k] / beside, quality
    return found


def _error(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        again = np.asarray(image, np.float64)
    return np.sqrt(np.square(again - pixels).mean())
