"""Slight changes of images, under which a verdict should not flip."""

import numpy as np

from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.evaluation.perturbations import JPEGCompression, WebPCompression
from sklearn_flipad.evaluation.random_processing import RandomProcessing

__all__ = ["slight_changes"]

#: Change of the JPEG quality, and the quality to which a lossless file is compared.
_STEP, _LOSSLESS = 5, 100


def slight_changes(X, *, quality=None):
    """Images after a few changes that hardly anybody would see.

    They are compressed as JPEG, or as WebP if their file was, of slightly lower and of slightly
    higher quality, and resized by a pixel and back. A verdict that flips under one of them depends
    on details of the file.

    Parameters
    ----------
    X : array-like, shape (n, channels, height, width), or list of ndarray
        Images of 1 or 3 channels and of one size, uint8 or floats in [-1, 1].
    quality : int or array-like of int, shape (n,), default=None
        JPEG quality of the file of each image; by default 100, as for files without loss.

    Returns
    -------
    dict of str to ndarray, shape (n, channels, height, width), or to list of ndarray
        The images after each change: ``"lower quality"``, by 5; ``"higher quality"``, by 5 and at
        most 100; ``"resized by a pixel and back"``, by bicubic interpolation. A list if X is one,
        of images that know their compression.

    Raises
    ------
    ValueError
        If X is not such images, or a quality is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.evaluation import slight_changes
    >>> X = np.random.default_rng(0).integers(0, 256, (4, 1, 16, 16), dtype=np.uint8)
    >>> for name, changed in slight_changes(X, quality=80).items():
    ...     print(name, changed.shape)
    lower quality (4, 1, 16, 16)
    higher quality (4, 1, 16, 16)
    resized by a pixel and back (4, 1, 16, 16)
    """
    given, X = X, np.asarray(X)
    if X.ndim != 4 or X.shape[1] not in (1, 3) or min(X.shape[2:]) < 2:
        raise ValueError(
            "Slight changes are for images of shape (n, channels, height, width), of 1 or 3 "
            f"channels and at least 2 pixels, got {X.shape}."
        )
    qualities = np.broadcast_to(_LOSSLESS if quality is None else quality, len(X))

    def compressed(step):
        formats = [
            _near(x, quality, step) for x, quality in zip(given, qualities.tolist(), strict=True)
        ]
        return [
            FileImage(jpeg.fit_transform(x[None])[0], jpeg)
            for jpeg, x in zip(formats, X, strict=True)
        ]

    shrunk = {"factor": 1 - 1 / min(X.shape[2:]), "kernel": "bicubic"}
    resized = RandomProcessing([("resize", 1, shrunk)]).fit_transform(X)
    changes = {
        "lower quality": compressed(-_STEP),
        "higher quality": compressed(_STEP),
        # Still with the errors of its file.
        "resized by a pixel and back": [
            FileImage(image, getattr(x, "_compression", None))
            for image, x in zip(resized, given, strict=True)
        ],
    }
    if isinstance(given, list):
        return changes
    return {name: np.stack(images) for name, images in changes.items()}


def _near(image, quality, step):
    """The compression of an image's file in slightly other quality, as far as that is known."""
    own = image.compression if isinstance(image, FileImage) else None
    if isinstance(own, WebPCompression):
        return WebPCompression(min(max(own.quality + step, 1), 100))
    if own is not None and quality == _LOSSLESS:  # tables of no quality
        return own
    return JPEGCompression(min(max(quality + step, 1), 100))
