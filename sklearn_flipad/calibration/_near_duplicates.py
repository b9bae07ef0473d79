"""Near-duplicates among images and sounds: frames of a clip, one picture in several qualities."""

from functools import lru_cache

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import as_array

__all__ = ["near_duplicates"]

#: Side of the thumbnails of images; sounds have as many numbers.
_SIDE = 8
#: Largest distance of the thumbnails of near-duplicates, relative to their contrast.
_TOLERANCE = 0.03
#: Neighbors that are looked at.
_N_NEIGHBORS = 8


def near_duplicates(X):
    """Number of the set of near-duplicates that each sample belongs to, int of shape (n,).

    Rows of tables have no near-duplicates: numbers that are near are what a model may draw.
    """
    if hasattr(X, "columns"):  # a data frame
        return np.arange(len(X))
    samples = [as_array(sample) for sample in X] if is_ragged(X) else np.asarray(as_array(X))
    each = np.arange(len(samples))
    known = all(s.ndim > 1 and s.size and s.dtype.kind in "biuf" for s in samples[:1])
    if not known or not all(s.ndim == samples[0].ndim for s in samples):
        return each
    thumbnails = np.stack([_thumbnail(sample) for sample in samples])
    thumbnails -= thumbnails.mean(axis=1, keepdims=True)
    contrast = np.linalg.norm(thumbnails, axis=1)
    # Flat samples are copies only if they are equal; infinite ones are refused later.
    rows = np.flatnonzero((contrast > 0) & np.isfinite(contrast))
    if len(rows) < 2:
        return each
    units = thumbnails[rows] / contrast[rows, None]
    points, of_rows = np.unique(units, axis=0, return_inverse=True)
    k = min(_N_NEIGHBORS + 1, len(points))
    _, found = cKDTree(points).query(points, k=k, distance_upper_bound=_TOLERANCE)
    found = found.reshape(len(points), k)
    near = found < len(points)
    first = np.repeat(np.arange(len(points)), near.sum(axis=1))
    graph = coo_array((np.ones(len(first)), (first, found[near])), shape=(len(points),) * 2)
    numbers = connected_components(graph, directed=False)[1]
    each = each + len(points)
    each[rows] = numbers[of_rows.ravel()]
    return each


def _thumbnail(sample):
    """Means of blocks of an image, or signed sums of a sound (channels, length), shape (64,)."""
    sample = sample.astype(np.float64)
    if sample.ndim == 2:
        values = sample.mean(axis=0)
        return _signs(len(values)) @ values
    image = sample.mean(axis=tuple(range(sample.ndim - 2)))
    return _blocks(_blocks(image, 0), 1).ravel()


@lru_cache(maxsize=1)
def _signs(length):
    return np.random.RandomState(0).randint(0, 2, (_SIDE**2, length)) * 2.0 - 1.0


def _blocks(image, axis):
    """Means of blocks along an axis, of which there are 8."""
    parts = np.array_split(image, _SIDE, axis=axis)
    means = [part.mean(axis=axis) if part.shape[axis] else None for part in parts]
    filled = [m if m is not None else means[0] for m in means]
    return np.stack(filled, axis=axis)
