"""JPEG compression that an image went through before its file was saved."""

import io

import numpy as np
from PIL import Image

__all__ = ["earlier_quality"]

#: Qualities that are tried, and how many on each side the error is compared with.
_QUALITIES, _N_BESIDE = np.arange(30, 101), 6
#: Error of compressing an image once more, as a part of that with slightly lower and with slightly
#: higher qualities, below which it was compressed so before. With 0.7, 0.8 and 0.9 it is seen in
#: none of 384 images that were compressed once or not at all, in all of 192 that were JPEG of 50 to
#: 80 and then PNG, and in 49, 63 and 113 of 192 that were compressed again, at a quality higher by
#: 10 to 15; the quality found is within two of the right one in 49, 62 and 86. Not 0.9, since a
#: wrong quality misleads (``python -m benchmarks constants``).
_SMALL = 0.8


def earlier_quality(image, largest):
    """The JPEG quality up to `largest` by which an image was compressed before; None if unseen.

    Compressed once more as before, it hardly changes: the error is much less than with slightly
    other qualities. Seen only where the image was not moved since (Farid, "Exposing digital
    forgeries from JPEG ghosts", IEEE Transactions on Information Forensics and Security 4, 2009).
    """
    pixels = image[0] if len(image) == 1 else np.moveaxis(image, 0, 2)
    # Of the luma, since the chroma is often made smaller and larger again.
    luma = Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
    errors = np.array([_error(luma, int(quality)) for quality in _QUALITIES])
    best, found = _SMALL, None
    for k, quality in enumerate(_QUALITIES.tolist()):
        # Tables of neighbors are nearly the same.
        lower, higher = errors[k - _N_BESIDE : k - 1], errors[k + 2 : k + _N_BESIDE + 1]
        if k < _N_BESIDE or not len(higher) or quality > largest:
            continue
        beside = min(lower.mean(), higher.mean())
        if errors[k] < best * beside:
            best, found = errors[k] / beside, quality
    return found


def _error(luma, quality):
    file = io.BytesIO()
    luma.save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.sqrt(np.square(np.subtract(image, luma, dtype=np.float64)).mean())
