"""The Gram matrix of an image layer in the space of its outputs: a stencil and its border.

``G G^T`` maps images to images. Its entries repeat themselves from cell to cell, but for the
border of the image, so that it takes ten to thirty times less work to apply than G and its
adjoint where activations have many channels.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as F

__all__ = ["GramProduct", "StencilGram", "from_cells", "gram_product", "stencil_gram", "to_cells"]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
#: Largest number of outputs of the small layer that the entries are taken from.
_MAX_SMALL = 4096
#: Unit images that go through the small layer at once.
_CHUNK = 64


def gram_product(operator):
    """The cheaper way to apply ``G G^T``: a :class:`StencilGram` or a :class:`GramProduct`."""
    plain, stencil = GramProduct(operator), stencil_gram(operator)
    products = [plain] if stencil is None else [stencil, plain]
    return min(products, key=lambda product: product.n_multiplications)


def stencil_gram(operator):
    """``G G^T`` as a stencil, None if it has none."""
    axes = None if operator.image is None else _axes(operator.image)
    return None if axes is None else StencilGram(operator.image, axes)


class GramProduct:
    """``G G^T`` as it is written."""

    def __init__(self, operator):
        self.operator = operator

    @property
    def n_multiplications(self):
        """Approximate multiplications per sample."""
        return 2 * self.operator.n_multiplications

    def apply(self, r):
        """Products with a batch of outputs, shape ``(n, *output_shape)``."""
        return self.operator.forward(self.operator.adjoint(r))


@dataclass(frozen=True)
class _Axis:
    """Variation of a Gram matrix along one axis, in cells of ``period`` outputs.

    ``before`` cells at the start and ``after`` cells at the end differ from the rest, and
    cells up to ``reach`` apart are coupled.
    """

    period: int
    input_period: int
    n_cells: int
    before: int
    after: int
    reach: int

    @property
    def middle(self):
        """The first cell whose neighbors are no ends."""
        return self.before + self.reach

    @property
    def n_least(self):
        """Cells of the shortest axis with both ends and such a cell."""
        return self.middle + self.reach + self.after + 1

    def in_shorter(self, n_cells):
        """The cell of an axis of `n_cells` that is like each cell of this one."""
        cells = np.arange(self.n_cells)
        from_end = cells - self.n_cells + n_cells
        return np.where(cells < self.middle, cells, np.maximum(from_end, self.middle))


def _axes(operator):
    """One :class:`_Axis` per axis, None if the Gram matrix has no stencil."""
    periods = zip(operator.axis_maps(), operator.period, operator.input_period, strict=True)
    axes = [_axis(*axis) for axis in periods]
    if None in axes:
        return None
    n_small = operator.output_shape[0] * prod(axis.n_least * axis.period for axis in axes)
    return axes if n_small <= _MAX_SMALL else None


def _axis(matrix, period, input_period):
    size = matrix.shape[0]
    if size % period:
        return None
    gram = (matrix @ matrix.T).tocoo()
    offset = gram.col // period - gram.row // period
    n_cells, reach = size // period, int(np.abs(offset).max(initial=0))
    if 2 * reach >= n_cells:
        return None
    # The entries of each cell with the cells around it.
    place = (offset + reach) * period + gram.col % period
    shape = size, (2 * reach + 1) * period
    entries = sparse.csr_array((gram.data, (gram.row, place)), shape=shape).toarray()
    entries = entries.reshape(n_cells, period, 2 * reach + 1, period)
    expected = np.where(_exists(n_cells, reach)[:, None, :, None], entries[n_cells // 2], 0)
    wrong = (np.abs(entries - expected) > 1e-9 * np.abs(gram.data).max()).any(axis=(1, 2, 3))
    (ends,) = wrong.nonzero()
    before = int(ends[ends < n_cells // 2].max(initial=-1)) + 1
    after = n_cells - int(ends[ends > n_cells // 2].min(initial=n_cells))
    axis = _Axis(period, input_period, n_cells, before, after, reach)
    return axis if axis.n_least <= n_cells else None


def _exists(n_cells, reach):
    """Whether the neighbors of each cell are in the image, shape ``(n_cells, width)``."""
    neighbors = np.arange(n_cells)[:, None] + np.arange(-reach, reach + 1)
    return (neighbors >= 0) & (neighbors < n_cells)


class StencilGram:
    """``G G^T`` as a convolution of cells and a correction of the border.

    The entries are taken from a layer of the same kernel for a smaller image. ``cells`` are the
    numbers of cells and ``periods`` the outputs of a cell along the axes; ``stencil`` is the
    weight of the convolution from a cell's neighbors to the cell, shape
    ``(in_cell, in_cell, *widths)``.
    """

    def __init__(self, operator, axes):
        self._output_shape = operator.output_shape
        self.periods = [axis.period for axis in axes]
        self._reach = [axis.reach for axis in axes]
        self.cells = tuple(axis.n_cells for axis in axes)
        small, n_small = _shortened(operator.to(dtype=torch.float64), axes)
        entries = self._entries(small)
        middle = tuple(axis.middle for axis in axes)
        stencil = entries[middle]
        exists = np.ones((), dtype=bool)
        for n, reach in zip(n_small, self._reach, strict=True):
            exists = np.multiply.outer(exists, _exists(n, reach))
        # From (cell, neighbor) of each axis in turn to all cells, then all neighbors.
        exists = exists.transpose(*range(0, exists.ndim, 2), *range(1, exists.ndim, 2))
        exists = np.expand_dims(exists, (len(axes), -1))
        wrong = entries - np.where(exists, stencil, 0)
        self._set_border(operator, axes, wrong)
        weight = torch.from_numpy(np.moveaxis(stencil, -1, 1).copy())
        self.stencil = weight.to(device=operator.device, dtype=operator.dtype)

    def _entries(self, small):
        """Entries of the small layer, shape ``(*cells, in_cell, *widths, in_cell)``."""
        n = small.n_outputs
        eye = torch.eye(n, dtype=small.dtype, device=small.device)
        parts = eye.reshape(n, *small.output_shape).split(_CHUNK)
        images = torch.cat([small.forward(small.adjoint(part)) for part in parts])
        # Symmetric: the images of unit images are the rows.
        columns = to_cells(images, self.periods)
        rows = to_cells(columns.flatten(1).T.reshape(-1, *small.output_shape), self.periods)
        n_axes = len(self.periods)
        rows = rows.reshape(*columns.shape[1:], *rows.shape[1:]).cpu().numpy()
        # in_cell, *cells, in_cell, *cells
        pads = [(0, 0)] * (n_axes + 2) + [(m, m) for m in self._reach]
        widths = tuple(2 * m + 1 for m in self._reach)
        padded = np.pad(rows, pads)
        axes = tuple(range(n_axes + 2, 2 * n_axes + 2))
        windows = np.lib.stride_tricks.sliding_window_view(padded, widths, axes)
        cells = np.indices(rows.shape[1 : n_axes + 1])
        picked = windows[(slice(None), *cells, slice(None), *cells)]
        # *cells, in_cell, in_cell, *widths
        return np.moveaxis(picked, n_axes + 1, -1)

    def _set_border(self, operator, axes, wrong):
        """Keep the errors of the convolution in each cell of the border."""
        n_axes = len(axes)
        n_small = wrong.shape[:n_axes]
        by_cell = wrong.reshape(prod(n_small), *wrong.shape[n_axes:])
        is_wrong = np.abs(by_cell) > 1e-12 * np.abs(wrong).max(initial=0)
        like = np.ravel_multi_index(
            np.meshgrid(
                *[axis.in_shorter(n) for axis, n in zip(axes, n_small, strict=True)],
                indexing="ij",
            ),
            n_small,
        )
        border = is_wrong.reshape(len(by_cell), -1).any(axis=1)[like].nonzero()
        used = is_wrong.any(axis=(0, 1, -1)).nonzero()
        neighbors = [
            np.clip(cell[:, None] + offset - m, 0, n - 1)
            for cell, offset, m, n in zip(border, used, self._reach, self.cells, strict=True)
        ]
        values = by_cell[(slice(None), slice(None), *used)][like[border]]
        device = operator.device
        self._border = torch.from_numpy(np.ravel_multi_index(border, self.cells)).to(device)
        self._around = torch.from_numpy(np.ravel_multi_index(neighbors, self.cells)).to(device)
        values = torch.from_numpy(values).flatten(2)
        self._wrong = values.to(device=device, dtype=operator.dtype)

    @property
    def n_multiplications(self):
        """Approximate multiplications per sample."""
        return self.stencil.numel() * prod(self.cells) + self._wrong.numel()

    def apply(self, r):
        """Products with a batch of outputs, shape ``(n, *output_shape)``."""
        cells = to_cells(r, self.periods)
        image = _CONV[len(self.cells)](cells, self.stencil, padding=self._reach)
        if len(self._border):
            # (n, in_cell, border, around) to (border, around * in_cell, n)
            around = cells.flatten(2)[:, :, self._around].permute(2, 3, 1, 0).flatten(1, 2)
            added = torch.bmm(self._wrong, around).permute(2, 1, 0)
            image.flatten(2).index_add_(2, self._border, added)
        return from_cells(image, self.periods)

    def matrix(self):
        """All entries, a csr_array of float64, shape ``(n_outputs, n_outputs)``."""
        n_outputs = prod(self._output_shape)
        numbers = torch.arange(n_outputs, device="cpu").reshape(1, *self._output_shape)
        numbers = to_cells(numbers, self.periods).flatten(2)[0].numpy()  # in_cell, cells
        stencil = self.stencil.double().cpu().numpy()
        cells = np.indices(self.cells)
        parts = []
        for place in np.ndindex(*stencil.shape[2:]):
            shift = np.subtract(place, self._reach).reshape(-1, *[1] * len(self.cells))
            neighbors = cells + shift
            there = [(k >= 0) & (k < n) for k, n in zip(neighbors, self.cells, strict=True)]
            there = np.logical_and.reduce(there)
            own, other = (
                numbers[:, np.ravel_multi_index(tuple(k[there] for k in of), self.cells)]
                for of in (cells, neighbors)
            )
            parts.append(
                np.broadcast_arrays(stencil[:, :, *place, None], own[:, None], other[None])
            )
        if len(self._border):
            # Axes of the corrections: cell of the border, own element, neighbor, its element.
            border, around = self._border.cpu().numpy(), self._around.cpu().numpy()
            wrong = self._wrong.double().cpu().numpy()
            wrong = wrong.reshape(*wrong.shape[:2], around.shape[1], -1)
            own = numbers[:, border].T[:, :, None, None]
            other = numbers[:, around].transpose(1, 2, 0)[:, None]
            parts.append(np.broadcast_arrays(wrong, own, other))
        values, rows, columns = (
            np.concatenate([part[k].ravel() for part in parts]) for k in range(3)
        )
        return sparse.coo_array((values, (rows, columns)), shape=(n_outputs, n_outputs)).tocsr()


def _shortened(operator, axes):
    """A layer for a smaller image with the same entries, and its numbers of cells."""
    extra = 0
    while True:
        n_small = [min(axis.n_least + extra, axis.n_cells) for axis in axes]
        if n_small == [axis.n_cells for axis in axes]:
            return operator, n_small
        missing = [
            (axis.n_cells - n) * axis.input_period for axis, n in zip(axes, n_small, strict=True)
        ]
        size = [s - m for s, m in zip(operator.input_shape[1:], missing, strict=True)]
        if min(size) >= 1:
            try:
                return operator.resized(tuple(size)), n_small
            except (ValueError, RuntimeError):
                pass  # smaller than the kernel's reach or than its padding
        extra += 1


def to_cells(image, periods):
    """Images ``(n, channels, *size)`` as grids of cells.

    Shape ``(n, channels * prod(periods), *cells)``.
    """
    if all(period == 1 for period in periods):
        return image
    sizes = zip(image.shape[2:], periods, strict=True)
    split = image.reshape(*image.shape[:2], *(k for s, p in sizes for k in (s // p, p)))
    n_axes = len(periods)
    cells, phases = range(2, 2 + 2 * n_axes, 2), range(3, 3 + 2 * n_axes, 2)
    return split.permute(0, 1, *phases, *cells).flatten(1, 1 + n_axes)


def from_cells(cells, periods):
    """Grids of cells as images, the inverse of :func:`to_cells`."""
    if all(period == 1 for period in periods):
        return cells
    n_axes = len(periods)
    split = cells.reshape(len(cells), -1, *periods, *cells.shape[2:])
    pairs = [k for axis in range(n_axes) for k in (2 + n_axes + axis, 2 + axis)]
    split = split.permute(0, 1, *pairs)
    sizes = [n * p for n, p in zip(cells.shape[2:], periods, strict=True)]
    return split.reshape(*split.shape[:2], *sizes)
