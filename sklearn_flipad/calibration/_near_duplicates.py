"""Near-duplicates among images and sounds: frames of a clip, one picture in several qualities."""

from functools import lru_cache
from math import prod

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from sklearn.utils import gen_batches

from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import as_array

__all__ = ["components", "directions", "near_duplicates", "thumbnails_of"]

#: Side of the thumbnails of images; sounds have as many numbers.
_SIDE = 8
#: Largest distance of the thumbnails of near-duplicates, relative to their contrast.
#: The nearest of 2,000 real and of 4,000 samples of each of four shipped generators were 0.052 to
#: 0.074 apart; JPEG copies of quality 50, 75 and 90 have medians of 0.021 to 0.026, 0.011 to 0.014
#: and 0.005 to 0.006 (``python -m benchmarks near_duplicates``).
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
    if not all(_has_thumbnail(s) and s.ndim == samples[0].ndim for s in samples):
        return each
    if is_ragged(X):
        thumbnails = np.concatenate([thumbnails_of(sample[None]) for sample in samples])
    else:
        batches = gen_batches(len(samples), 256)
        thumbnails = np.concatenate([thumbnails_of(samples[rows]) for rows in batches])
    units, rows = directions(thumbnails)
    if len(rows) < 2:
        return each
    points, of_rows = np.unique(units, axis=0, return_inverse=True)
    k = min(_N_NEIGHBORS + 1, len(points))
    _, found = cKDTree(points).query(points, k=k, distance_upper_bound=_TOLERANCE)
    found = found.reshape(len(points), k)
    near = found < len(points)
    first = np.repeat(np.arange(len(points)), near.sum(axis=1))
    numbers = components(first, found[near], len(points))
    each = each + len(points)
    each[rows] = numbers[of_rows.ravel()]
    return each


def directions(thumbnails):
    """Thumbnails that have contrast, without their mean and of norm 1, and their rows."""
    thumbnails = thumbnails - thumbnails.mean(axis=1, keepdims=True)
    contrast = np.linalg.norm(thumbnails, axis=1)
    # Flat samples are copies only if they are equal; infinite ones are refused later.
    rows = np.flatnonzero((contrast > 0) & np.isfinite(contrast))
    return thumbnails[rows] / contrast[rows, None], rows


def components(first, second, n):
    """Number of the connected component of each of n points that pairs connect, int (n,)."""
    # Not an array: connected_components of scipy 1.11 takes matrices alone.
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def _has_thumbnail(sample):
    """Whether a sample is an image or a sound that is no smaller than its thumbnail."""
    return sample.ndim > 1 and sample.dtype.kind in "biuf" and prod(sample.shape[-2:]) >= _SIDE**2


def thumbnails_of(samples):
    """Means of blocks of images, or signed sums of sounds (n, channels, length), shape (n, 64)."""
    samples = samples.astype(np.float64)
    if samples.ndim == 3:
        sounds = samples.mean(axis=1)
        return sounds @ _signs(sounds.shape[1]).T
    images = samples.mean(axis=tuple(range(1, samples.ndim - 2)))
    return _blocks(_blocks(images, 1), 2).reshape(len(images), -1)


@lru_cache(maxsize=1)
def _signs(length):
    return np.random.RandomState(0).randint(0, 2, (_SIDE**2, length)) * 2.0 - 1.0


def _blocks(images, axis):
    """Means of 8 blocks along an axis; small images are repeated."""
    size = images.shape[axis]
    places = np.arange(max(_SIDE, size)) * size // max(_SIDE, size)
    parts = np.array_split(np.take(images, places, axis=axis), _SIDE, axis=axis)
    return np.stack([part.mean(axis=axis) for part in parts], axis=axis)
