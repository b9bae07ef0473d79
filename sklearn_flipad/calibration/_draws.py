"""Independent draws among samples: copies of one sample are one draw."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples, column_or_1d

from sklearn_flipad.base.sample_lists import sample_digests
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.calibration._near_duplicates import components, near_duplicates

__all__ = ["DrawNumbers", "Draws", "FoundDraws", "draws_of"]


class DrawNumbers(np.ndarray):
    """Groups that are the draws of samples, whatever their features are."""


class FoundDraws(DrawNumbers):
    """Draws that were found in the samples, without groups of the user that a splitter asks for."""


@dataclass(eq=False)
class Draws:
    """Rows of ``samples`` that are one draw, from :func:`draws_of`: arrays of shape (n,).

    ``numbers`` of draws, to which copies and groups are joined; ``copies``, numbers by copies
    alone. ``given`` if the numbers were found before, in the samples.
    """

    samples: Any
    numbers: np.ndarray
    copies: np.ndarray
    given: bool = False

    @cached_property
    def digests(self):
        """Digests of the rows, computed when they are asked for: that reads all samples."""
        return sample_digests(self.samples)


def draws_of(X, groups=None, *, perceptual=False):
    """Draws of samples: rows of one group and equal rows are one draw.

    With `perceptual`, so are near-duplicates of an image or a sound. Groups that differ in all rows
    are taken at their word, as `DrawNumbers` are: features of different samples may be equal.
    """
    n = _num_samples(X)
    each = np.arange(n)
    draws = Draws(X, each, each)
    if 0 in getattr(X, "shape", ()):  # samples without a value are refused elsewhere
        return draws
    if groups is not None:
        given = isinstance(groups, DrawNumbers)
        groups = _numbered(_checked_groups(groups, n))
        if given or _all_differ(groups):
            return Draws(X, groups, each, given)
    draws.copies = _joined(each, _numbered(draws.digests))
    if perceptual:
        draws.copies = _joined(draws.copies, near_duplicates(X))
    draws.numbers = draws.copies if groups is None else _joined(groups, draws.copies)
    return draws


def _all_differ(values):
    return len(np.unique(values)) == len(values)


def _checked_groups(groups, n):
    groups = column_or_1d(as_array(groups), warn=True)
    if len(groups) != n:
        raise ValueError(f"groups has {len(groups)} entries for {n} samples in X.")
    missing = groups != groups  # NaN
    if groups.dtype == object:
        missing = np.array([group is None or group != group for group in groups])
    if np.any(missing):
        raise ValueError(
            f"groups has no entry for {missing.sum()} samples, the first is sample "
            f"{missing.argmax()}. Give each sample that belongs to no other a group of its own."
        )
    return groups.astype(str) if groups.dtype == object else groups


def _numbered(values):
    return np.unique(values, return_inverse=True)[1]


def _joined(first, second):
    """Connected components of rows that share a number in either array, int of shape (n,)."""
    n, n_first = len(first), int(first.max()) + 1 if len(first) else 0
    if n == 0 or _all_differ(second):
        return first
    size = n_first + int(second.max()) + 1
    return components(first, n_first + second, size)[first]
