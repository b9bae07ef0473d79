"""Maps that change the size of an image: interpolation, padding, cropping, pixel shuffling."""

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as F

from sklearn_flipad.operators._axes import padded_positions, tap_matrix
from sklearn_flipad.operators.rearrangement import _WeightlessImage

__all__ = [
    "CropOperator",
    "PadOperator",
    "PixelShuffleOperator",
    "PixelUnshuffleOperator",
    "ResizeOperator",
]


def _transposed(function, r, input_shape):
    """Adjoint of a linear function: its gradient."""
    with torch.enable_grad():
        z = r.new_zeros(len(r), *input_shape, requires_grad=True)
        return torch.autograd.grad(function(z), z, r)[0]


_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


class ResizeOperator(_WeightlessImage):
    """Nearest-neighbor or linear interpolation, as ``torch.nn.Upsample`` does it.

    Parameters
    ----------
    input_shape : tuple of int
        Shape ``(channels, *spatial)`` of one input.
    factor : tuple of int, default=None
        How many times as many elements each axis gets.
    size : tuple of int, default=None
        Sizes of the spatial axes of the output, in place of `factor`.
    mode : {"nearest", "nearest-exact", "linear"}, default="nearest"
        The interpolation, bilinear for two axes.
    align_corners : bool, default=False
        For ``"linear"``, as in torch.

    Raises
    ------
    ValueError
        If not one of `factor` and `size` is given.
    """

    def __init__(self, input_shape, *, factor=None, size=None, mode="nearest", align_corners=False):
        if (factor is None) == (size is None):
            raise ValueError("Either factor or size must be given.")
        self._arguments = {
            "factor": factor, "size": size, "mode": mode, "align_corners": align_corners
        }  # fmt: skip
        if size is None:
            size = [side * f for side, f in zip(input_shape[1:], factor, strict=True)]
        self._size, self._factor = tuple(size), factor
        self._mode = _LINEAR[len(size)] if mode == "linear" else mode
        self._align = align_corners if mode == "linear" else None
        super().__init__(input_shape, (input_shape[0], *size))

    def forward(self, z):
        return F.interpolate(z, size=self._size, mode=self._mode, align_corners=self._align)

    def adjoint(self, r):
        return _transposed(self.forward, r, self.input_shape)

    @property
    def image(self):
        # By other sizes, and with aligned corners, no two positions are alike.
        return None if self._factor is None or self._align else self

    @property
    def period(self):
        return self._factor

    def _axis_map(self, axis):
        size = self.input_shape[1 + axis]
        mode = "linear" if self._align is not None else self._mode
        source = torch.arange(size, dtype=torch.float64, device="cpu")[None, None]
        source = F.interpolate(source, size=self._size[axis], mode=mode, align_corners=self._align)
        source = source.flatten().numpy()
        first = np.floor(source).astype(int)
        rest = source - first
        rows = np.arange(len(source))
        entries = (
            np.concatenate([1 - rest, rest]),
            (np.tile(rows, 2), np.concatenate([first, np.minimum(first + 1, size - 1)])),
        )
        matrix = sparse.csr_array(entries, shape=(len(source), size))
        matrix.eliminate_zeros()
        return matrix


class PadOperator(_WeightlessImage):
    """Zeros, reflections, copies of the edge or of the other end around an image.

    Parameters
    ----------
    input_shape : tuple of int
        Shape ``(channels, *spatial)`` of one input.
    margins : tuple of pair of int
        Numbers of elements that are added before and after, along each spatial axis.
    mode : {"constant", "reflect", "replicate", "circular"}, default="constant"
        As :func:`torch.nn.functional.pad` has it, with the constant 0.
    """

    def __init__(self, input_shape, *, margins, mode="constant"):
        self._arguments = {"margins": margins, "mode": mode}
        self._margins, self._mode = margins, mode
        self._pad = [margin for pair in margins[::-1] for margin in pair]
        sizes = zip(input_shape[1:], margins, strict=True)
        super().__init__(input_shape, (input_shape[0], *(s + sum(pair) for s, pair in sizes)))

    def forward(self, z):
        return F.pad(z, self._pad, mode=self._mode)

    def adjoint(self, r):
        if self._mode == "constant":
            return F.pad(r, [-margin for margin in self._pad])
        return _transposed(self.forward, r, self.input_shape)

    @property
    def reach(self):
        if self._mode == "constant":
            return super().reach
        return tuple(max(pair) + 1 for pair in self._margins)

    def _axis_map(self, axis):
        size = self.input_shape[1 + axis]
        return tap_matrix(padded_positions(size, self._margins[axis], self._mode)[:, None], size)


class CropOperator(_WeightlessImage):
    """An image without its margins.

    Parameters
    ----------
    input_shape : tuple of int
        Shape ``(channels, *spatial)`` of one input.
    margins : tuple of pair of int
        Numbers of elements that are cut off at the start and at the end of each axis, channels
        included.

    Raises
    ------
    ValueError
        If nothing is left.
    """

    def __init__(self, input_shape, *, margins):
        self._arguments = {"margins": margins}
        self._margins = margins
        shape = tuple(s - sum(pair) for s, pair in zip(input_shape, margins, strict=True))
        if min(shape) < 1:
            raise ValueError(f"Nothing is left of an input of shape {tuple(input_shape)}.")
        self.channelwise = tuple(margins[0]) == (0, 0)
        super().__init__(input_shape, shape)

    def forward(self, z):
        axes = zip(self._margins, self.input_shape, strict=True)
        return z[(slice(None), *(slice(a, size - b) for (a, b), size in axes))].contiguous()

    def adjoint(self, r):
        return F.pad(r, [margin for pair in self._margins[::-1] for margin in pair])

    @property
    def reach(self):
        return tuple(sum(pair) + 1 for pair in self._margins[1:])

    def _axis_map(self, axis):
        size, (before, after) = self.input_shape[1 + axis], self._margins[1 + axis]
        return tap_matrix(torch.arange(before, size - after, device="cpu")[:, None], size)


class PixelShuffleOperator(_WeightlessImage):
    """Channels as the pixels of larger images, as ``torch.nn.PixelShuffle`` does it.

    Parameters
    ----------
    input_shape : tuple of int
        Shape ``(channels, rows, columns)`` of one input.
    factor : int
        How many times as many rows and columns there will be.
    """

    channelwise = False

    def __init__(self, input_shape, *, factor):
        self._arguments = {"factor": factor}
        self._factor = factor
        channels, *size = input_shape
        super().__init__(input_shape, (channels // factor**2, *(side * factor for side in size)))

    def forward(self, z):
        return F.pixel_shuffle(z, self._factor)

    def adjoint(self, r):
        return F.pixel_unshuffle(r, self._factor)

    @property
    def period(self):
        return (self._factor,) * 2

    def _axis_map(self, axis):
        return _phases(self.input_shape[1 + axis], self._factor)


class PixelUnshuffleOperator(_WeightlessImage):
    """Pixels as the channels of smaller images, as ``torch.nn.PixelUnshuffle`` does it.

    Parameters
    ----------
    input_shape : tuple of int
        Shape ``(channels, rows, columns)`` of one input.
    factor : int
        How many times fewer rows and columns there will be.
    """

    channelwise = False

    def __init__(self, input_shape, *, factor):
        self._arguments = {"factor": factor}
        self._factor = factor
        channels, *size = input_shape
        super().__init__(input_shape, (channels * factor**2, *(side // factor for side in size)))

    def forward(self, z):
        return F.pixel_unshuffle(z, self._factor)

    def adjoint(self, r):
        return F.pixel_shuffle(r, self._factor)

    @property
    def reach(self):
        return (self._factor,) * 2

    @property
    def input_period(self):
        return (self._factor,) * 2

    def _axis_map(self, axis):
        return _phases(self.output_shape[1 + axis], self._factor).T.tocsr()


def _phases(n_cells, factor):
    """From cells to the elements of each, with a weight for each phase."""
    n = n_cells * factor
    weights = np.random.default_rng(factor).uniform(1, 2, factor)
    entries = np.tile(weights, n_cells), (np.arange(n), np.arange(n) // factor)
    return sparse.csr_array(entries, shape=(n, n_cells))
