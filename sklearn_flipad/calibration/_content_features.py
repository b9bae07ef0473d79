"""Features of the content of images."""

import numpy as np
from sklearn.utils import gen_batches

from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import as_array

__all__ = ["content_features"]

#: Side of the thumbnails, of which the benchmark ``content`` measures the weights.
_SIDE = 32


def content_features(*sets):
    """Brightness and roughness of the thumbnails of images, float64 of shape (n, n_features).

    There is an array for each set of images. All thumbnails have the same side: at most `_SIDE`
    pixels, and half of the smallest side of an image. Roughness is the root of the deviation of
    each band of the Haar transform, three for each scale: the root makes even what varies by orders
    of magnitude.
    """
    sets = [
        [np.asarray(as_array(x)) for x in X] if is_ragged(X) else np.asarray(as_array(X))
        for X in sets
    ]
    samples = [x for X in sets for x in X]
    if not all(x.ndim == 3 and x.dtype.kind in "biuf" and min(x.shape[1:]) > 3 for x in samples):
        raise ValueError(
            "The content of images is described by thumbnails; images have shape (channels, "
            "height, width) and at least 4x4 pixels. For other samples, pass "
            "ContentWeights(features=...), a function that describes their content."
        )
    side = min(_SIDE, *(min(x.shape[1:]) // 2 for x in samples))
    found = []
    for X in sets:
        parts = [x[None] for x in X] if isinstance(X, list) else _batches(X)
        found.append(np.concatenate([_features(part, side) for part in parts]))
    return found


def _batches(X):
    return [X[rows] for rows in gen_batches(len(X), 256)]


def _features(images, side):
    x = images.astype(np.float64).mean(axis=1)
    x = _blocks(_blocks(x, 1, side), 2, side)
    found = [x.mean(axis=(1, 2))]
    while x.shape[1] > 1:
        x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
        a, b, c, d = (x[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
        bands = (a + b - c - d, a - b + c - d, a - b - c + d)
        found += [np.square(band / 4).mean(axis=(1, 2)) ** 0.25 for band in bands]
        x = (a + b + c + d) / 4
    return np.stack(found, axis=1)


def _blocks(images, axis, side):
    """Means of `side` blocks along an axis."""
    size = images.shape[axis]
    edges = np.arange(side) * size // side
    shape = [1, 1, 1]
    shape[axis] = side
    sums = np.add.reduceat(images, edges, axis=axis)
    return sums / np.diff(edges, append=size).reshape(shape)
