"""Periodic continuations of the Gram matrices of image layers."""

from dataclasses import dataclass
from math import prod

import torch

__all__ = ["PeriodicExtension"]

#: Cells that an image is at most extended by, per axis.
_MAX_EXTRA = 3


@dataclass(frozen=True, eq=False)
class PeriodicExtension:
    """A periodic grid on which the interior of an image layer's Gram matrix is a circulant matrix.

    Outputs come in cells of ``period`` pixels, all alike in the interior. On a grid of ``cells``,
    along rows and columns, which may be larger than the image, the stencil of the interior is a
    circulant matrix. It differs from the Gram matrix only in the border of the image: ``border``
    tells for rows and for columns of the grid whether they are in the border or outside of the
    image.
    """

    channels: int
    size: tuple
    period: tuple
    cells: tuple
    border: tuple

    @classmethod
    def smallest(cls, operator):
        """The extension with the smallest border, or None."""
        if len(operator.output_shape) != 3:
            return None
        maps = [matrix.toarray() for matrix in operator.axis_maps()]
        axes = []
        for matrix, period in zip(maps, operator.period, strict=True):
            found = [_extend(matrix, period, extra) for extra in range(_MAX_EXTRA + 1)]
            found = [border for border in found if border is not None]
            if not found:
                return None
            axes.append(min(found, key=lambda border: (int(border.sum()), len(border))))
        cells = tuple(len(b) // p for b, p in zip(axes, operator.period, strict=True))
        size = operator.output_shape[1:]
        return cls(operator.output_shape[0], size, operator.period, cells, tuple(axes))

    @property
    def extended(self):
        """Rows and columns of the extended image."""
        return tuple(len(border) for border in self.border)

    @property
    def groups(self):
        """Groups of two frequencies, along rows and columns."""
        return tuple((n + 1) // 2 for n in self.cells)

    @property
    def in_group(self):
        """Frequencies, phases and channels of a group."""
        return 4 * self.channels * prod(self.period)

    @property
    def n_border(self):
        """Values in the border and outside of the image."""
        inner = prod(len(border) - int(border.sum()) for border in self.border)
        return self.channels * (prod(self.extended) - inner)

    @property
    def n_multiplications(self):
        """Approximate multiplications per sample in one solve."""
        n_outputs = self.channels * prod(self.extended)
        return self.n_border**2 + 2 * n_outputs * (sum(self.cells) + self.in_group)


def _extend(matrix, period, extra):
    """Outputs along an axis that a periodic grid gets wrong, a mask, or None if there is no grid.

    The weights of `matrix` are in general position, so equal rows of its Gram matrix mean equal
    sums.
    """
    size = len(matrix)
    middle = size // period // 2 * period
    if size % period or size < 4 * period:
        return None
    gram = torch.zeros(size, size + extra * period, dtype=torch.float64, device="cpu")
    matrix = torch.from_numpy(matrix)
    gram[:, :size] = matrix @ matrix.T
    rows = torch.arange(size, device="cpu")
    shifts = rows // period * period - middle
    periodic = torch.stack(
        [gram[middle + i % period].roll(int(s)) for i, s in zip(rows, shifts, strict=True)]
    )
    wrong = (periodic - gram)[:, :size].abs() > 1e-9 * gram.abs().max()
    border = torch.ones(size + extra * period, dtype=torch.bool, device="cpu")
    border[:size] = wrong.any(dim=1)
    # The stencil must be that of the interior.
    return None if border[middle - period : middle + 2 * period].any() else border
