"""Samples that differ in size, and the windows that they are cut into."""

from itertools import product
from math import prod
from numbers import Integral

import numpy as np
import torch

from sklearn_flipad.base.samples import as_array, as_gray_levels

__all__ = ["WindowGrid", "as_sample_list", "check_geometry", "is_ragged"]


def is_ragged(X):
    """Whether X is a sequence of samples that are no rows of one array.

    Parameters
    ----------
    X : array-like, or sequence of array-like
        Samples.

    Returns
    -------
    bool
    """
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and hasattr(X[0], "shape")
    if not isinstance(X, list | tuple) or not len(X):
        return False
    return all(hasattr(x, "shape") for x in X) and len({tuple(x.shape) for x in X}) > 1


def as_sample_list(X):
    """Samples as arrays of their own, with one meaning of their values.

    Parameters
    ----------
    X : array-like, shape (n, ...), or sequence of array-like
        Samples of at least two axes, channels first.

    Returns
    -------
    list of ndarray of uint8, float32 or float64

    Raises
    ------
    ValueError
        If there is none, one has fewer axes or no elements, or they differ in type.
    """
    if isinstance(X, torch.Tensor) or not isinstance(X, list | tuple | np.ndarray):
        X = as_array(X)
    samples = [np.asarray(as_array(x)) for x in X]
    if not samples:
        raise ValueError("X holds no sample: Found array with 0 sample(s).")
    for number, sample in enumerate(samples):
        if sample.ndim < 2 or not sample.size:
            raise ValueError(
                f"Sample {number} has shape {sample.shape}. Windows are cut from signals "
                "(channels, length), images (channels, height, width) and frames of these, not "
                "from rows; a single sample is passed as [x]."
            )
        if sample.dtype.kind not in "biuf":
            raise ValueError(f"Sample {number} holds {sample.dtype}, not numbers.")
    types = {sample.dtype for sample in samples}
    if len(types) > 1:
        names = " and ".join(sorted(map(str, types)))
        raise ValueError(
            f"The samples are of several types, {names}. Gray levels (uint8) and floats mean "
            "different things: pass samples of one type."
        )
    (dtype,) = types
    if dtype.kind in "biu" and dtype != np.uint8:
        ends = [[sample.min(), sample.max()] for sample in samples]
        as_gray_levels(np.array(ends), dtype)
        samples = [sample.astype(np.uint8) for sample in samples]
    elif dtype == np.float16:
        samples = [sample.astype(np.float32) for sample in samples]
    return samples


class WindowGrid:
    """Where the windows of samples lie.

    Parameters
    ----------
    size : int, tuple of int or None
        Sides of a window; None for whole samples, or whole frames.
    stride : int, tuple of int or None
        Largest distance of neighboring windows; `size` by default.
    margin, unit : int or tuple of int
        What is left out at each end, and what starts are multiples of.
    max_windows : int or None
        How many of a sample are taken at most.
    frames : bool
        Whether the first axis of a sample holds frames.
    phases : bool
        Whether samples must have room for a window that starts at any element of a period.
    """

    def __init__(self, size, stride, margin, unit, max_windows, frames, phases):
        self.size, self.stride, self.margin, self.unit = size, stride, margin, unit
        self.max_windows, self.frames, self.phases = max_windows, frames, phases

    def shifts(self, n_axes):
        """First elements of a period that windows may start from.

        Parameters
        ----------
        n_axes : int
            Number of axes of a window but that of the channels.

        Returns
        -------
        list of tuple of int
        """
        units = _per_axis(self.unit, range(n_axes)) if self.phases else (1,) * n_axes
        return list(product(*map(range, units)))

    def window_shape(self, sample, name):
        """Shape of the windows of a sample.

        Parameters
        ----------
        sample : ndarray
            The sample.
        name : str
            What it is called in messages.

        Returns
        -------
        tuple of int

        Raises
        ------
        ValueError
            If the sample has other axes than the windows.
        """
        channels, *spatial = sample.shape[1:] if self.frames else sample.shape
        n_axes = len(self.size) if isinstance(self.size, tuple | list) else None
        if not spatial or n_axes not in (None, len(spatial)):
            expected = "(channels, ...)" if n_axes is None else f"(channels, and {n_axes} axes)"
            frames = "(frames, *frame), each frame " if self.frames else ""
            raise ValueError(
                f"{name} has shape {sample.shape}, and must be {frames}{expected}."
                f"{'' if self.frames else ' A video takes frames=True.'}"
            )
        return (channels, *(spatial if self.size is None else _per_axis(self.size, spatial)))

    def starts(self, sample, name, shift=None):
        """Where the windows of a sample start.

        Parameters
        ----------
        sample : ndarray
            The sample.
        name : str
            What it is called in messages.
        shift : tuple of int, default=None
            One of :meth:`shifts`; the first by default.

        Returns
        -------
        ndarray of int, shape (n_windows, n_axes)
            With the number of the frame in front, where there are frames.

        Raises
        ------
        ValueError
            If not one window fits in.
        """
        size = self.window_shape(sample, name)[1:]
        spatial = sample.shape[-len(size) :]
        if self.size is None:
            axes = [[0]] * len(size)
        else:
            stride = size if self.stride is None else _per_axis(self.stride, size)
            margins, units = _per_axis(self.margin, size), _per_axis(self.unit, size)
            shift = (0,) * len(size) if shift is None else shift
            rows = zip(size, margins, units, strict=True)
            least = [s + 2 * m + (u - 1 if self.phases else -m % u) for s, m, u in rows]
            if any(side < needed for side, needed in zip(spatial, least, strict=True)):
                seen, window, needed = ("x".join(map(str, s)) for s in (spatial, size, least))
                around = f", with what surrounds it {needed}" if any(margins) else ""
                raise ValueError(
                    f"{name} is {seen}, smaller than one window of {window}{around}. Leave it "
                    "out, or fit with smaller windows."
                )
            rows = zip(spatial, size, stride, margins, units, shift, strict=True)
            axes = [_spread(*row) for row in rows]
        if self.frames:
            axes = [range(len(sample)), *axes]
        count = prod(map(len, axes))
        starts = np.array(list(product(*axes)), dtype=np.int64)
        if self.max_windows is not None and count > self.max_windows:
            # Drawn, since regular steps through a grid would take one column of it.
            drawn = np.random.RandomState(0).permutation(count)[: self.max_windows]
            starts = starts[np.sort(drawn)]
        return starts

    def cut(self, sample, starts, shape):
        """Yield the windows of a sample.

        Parameters
        ----------
        sample : ndarray
            The sample.
        starts : ndarray of int, shape (n_windows, n_axes)
            Where they start.
        shape : tuple of int
            Shape of a window.

        Yields
        ------
        ndarray, of that shape
        """
        for start in starts.tolist():
            part = sample[start[0]] if self.frames else sample
            spatial = zip(start[int(self.frames) :], shape[1:], strict=True)
            yield part[(slice(None), *(slice(a, a + side) for a, side in spatial))]


def check_geometry(size, stride, margin, unit, phases):
    """Refuse what is no geometry of windows.

    Parameters
    ----------
    size, stride, margin, unit, phases
        See :class:`WindowGrid`.

    Raises
    ------
    ValueError
        If one is not a number, or not one for each axis, or a stride does not fit.
    """
    lengths = set()
    for name, value, least in (
        *(("size", size, 1), ("stride", stride, 1)),
        *(("margin", margin, 0), ("unit", unit, 1)),
    ):
        if value is None and name in ("size", "stride"):
            continue
        several = isinstance(value, tuple | list)
        sides = tuple(value) if several else (value,)
        ints = all(isinstance(s, Integral) and not isinstance(s, bool) for s in sides)
        if not sides or not ints or min(sides) < least:
            raise ValueError(
                f"{name} must be an int of at least {least}, or one for each axis, got {value!r}."
            )
        lengths |= {len(sides)} if several else set()
    if len(lengths) > 1:
        raise ValueError("size, stride, margin and unit must have the same number of axes.")
    if size is None and (stride is not None or phases or np.any(margin)):
        raise ValueError("Whole samples, size=None, have neither a stride, a margin nor phases.")
    if size is not None and (np.asarray(size) < np.asarray(unit)).any():
        raise ValueError(
            f"Windows of size={size!r} would leave gaps, since they start at multiples of "
            f"unit={unit!r}: size must be at least that."
        )
    steps = np.asarray(1 if size is None else size if stride is None else stride)
    if stride is not None and (steps % np.asarray(unit)).any():
        raise ValueError(f"stride={stride!r} must be a multiple of unit={unit!r}.")
    if stride is not None and (steps > np.asarray(size)).any():
        raise ValueError(
            f"stride={stride!r} would leave gaps between windows of size={size!r}; to judge fewer "
            "windows of each sample set max_windows."
        )


def _per_axis(value, axes):
    return tuple(value) if isinstance(value, tuple | list) else (value,) * len(axes)


def _spread(side, size, stride, margin, unit, shift):
    """Starts from end to end of an axis, evenly, at most `stride` apart."""
    first = margin + (shift - margin) % unit
    room = (side - margin - size - first) // unit
    steps = -(-room // max(stride // unit, 1))
    return [first + unit * (i * room // max(steps, 1)) for i in range(steps + 1)]
