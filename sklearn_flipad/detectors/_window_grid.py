"""Windows of samples of any size."""

from dataclasses import dataclass
from itertools import product
from math import prod
from numbers import Integral

import numpy as np

__all__ = ["WindowGrid", "check_geometry"]


@dataclass(frozen=True)
class WindowGrid:
    """Windows of samples: their shape, where they start, and cutting them out.

    The fields are parameters of :class:`~sklearn_flipad.detectors.WindowedDetector`.
    """

    size: int | tuple | None
    stride: int | tuple | None
    margin: int | tuple
    unit: int | tuple
    max_windows: int | None
    frames: bool
    phases: bool

    def shifts(self, n_axes):
        """Offsets within a period that windows may start from, tuples of `n_axes` integers."""
        units = _per_axis(self.unit, range(n_axes)) if self.phases else (1,) * n_axes
        return list(product(*map(range, units)))

    def window_shape(self, sample, name):
        """Shape (channels, *sides) of a sample's windows; messages call it `name`."""
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
        """Starts of a sample's windows, int64 of shape (n_windows, n_axes), for one of `shifts`.

        With frames, the first column is the number of the frame.
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
                around = f", with its margins {needed}" if any(margins) else ""
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
            # At random: regular steps through a grid could take a single column of it.
            drawn = np.random.RandomState(0).permutation(count)[: self.max_windows]
            starts = starts[np.sort(drawn)]
        return starts

    def cut(self, sample, starts, shape):
        """Yield the windows of a sample that begin at `starts`, each of the given shape."""
        for start in starts.tolist():
            part = sample[start[0]] if self.frames else sample
            spatial = zip(start[int(self.frames) :], shape[1:], strict=True)
            yield part[(slice(None), *(slice(a, a + side) for a, side in spatial))]


def check_geometry(size, stride, margin, unit, phases):
    """Raise ValueError if the geometry of :class:`WindowGrid` is invalid."""
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
    """Evenly spaced starts from end to end of an axis, at most `stride` apart."""
    first = margin + (shift - margin) % unit
    room = (side - margin - size - first) // unit
    steps = -(-room // max(stride // unit, 1))
    return [first + unit * (i * room // max(steps, 1)) for i in range(steps + 1)]
