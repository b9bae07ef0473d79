"""Maps without weights: upsampling, padding, cropping, shuffling, and reshaping."""

from abc import abstractmethod
from math import prod

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as F

from sklearn_flipad.operators.axes import padded_positions, tap_matrix
from sklearn_flipad.operators.base import LinearOperator
from sklearn_flipad.operators.image import ImageOperator

__all__ = [
    "CropOperator",
    "PadOperator",
    "PermuteOperator",
    "PixelShuffleOperator",
    "PixelUnshuffleOperator",
    "ReshapeOperator",
    "ResizeOperator",
    "ScaleOperator",
]


def _nothing():
    """Carries a device and a type, where there are no weights."""
    return torch.empty(0, dtype=torch.float32, device="cpu")


class _Weightless(LinearOperator):
    """A map that is described by its arguments alone; subclasses set ``_arguments``."""

    def __init__(self, input_shape, output_shape, weight=None):
        super().__init__(_nothing() if weight is None else weight, input_shape, output_shape)

    def _like(self, input_shape):
        like = type(self)(input_shape, **self._arguments)
        like.weight = self.weight
        return like

    def to(self, device=None, dtype=None):
        like = self._like(self.input_shape)
        like.weight = self.weight.to(device=device, dtype=dtype)
        return like

    @property
    def n_multiplications(self):
        return self.n_outputs


class _WeightlessImage(_Weightless, ImageOperator):
    """The same for images; channels keep apart unless said otherwise."""

    #: Whether each output channel depends on the input channel of the same number alone.
    channelwise = True

    @property
    def reach(self):
        return (1,) * (len(self.input_shape) - 1)

    @property
    def period(self):
        return (1,) * (len(self.input_shape) - 1)

    @property
    def input_period(self):
        return (1,) * (len(self.input_shape) - 1)

    def axis_maps(self):
        return tuple(self._axis_map(axis) for axis in range(len(self.input_shape) - 1))

    @abstractmethod
    def _axis_map(self, axis):
        """One of the :meth:`axis_maps`."""

    def resized(self, size):
        return self._like((self.input_shape[0], *size))

    def weighted(self, factors):
        from sklearn_flipad.operators.composition import ChainOperator

        column = factors.to(self.weight).reshape(-1, *[1] * (len(self.input_shape) - 1))
        return ChainOperator([ScaleOperator(column, self.input_shape), self])


def _transposed(function, r, input_shape):
    """The adjoint of a linear function: its gradient."""
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
        source = torch.arange(size, dtype=torch.float64)[None, None]
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
        What is added before and after, along each spatial axis.
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
    """What is left of an image when its margins are cut off.

    Parameters
    ----------
    input_shape : tuple of int
        Shape ``(channels, *spatial)`` of one input.
    margins : tuple of pair of int
        What is cut off at the start and at the end of each axis, channels included.

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
        return tap_matrix(torch.arange(before, size - after)[:, None], size)


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


class ScaleOperator(_WeightlessImage):
    """Multiplication by constants, such as the factors of a batch normalization.

    Parameters
    ----------
    weight : torch.Tensor
        Factors that broadcast over one input.
    input_shape : tuple of int
        Shape of one input.

    Raises
    ------
    ValueError
        If the factors do not fit the input.
    """

    def __init__(self, weight, input_shape):
        if torch.broadcast_shapes(weight.shape, tuple(input_shape)) != tuple(input_shape):
            raise ValueError(
                f"Factors of shape {tuple(weight.shape)} do not fit inputs of {input_shape}."
            )
        super().__init__(input_shape, input_shape, weight)

    def forward(self, z):
        return z * self.weight

    def adjoint(self, r):
        return r * self.weight

    def to(self, device=None, dtype=None):
        return ScaleOperator(self.weight.to(device=device, dtype=dtype), self.input_shape)

    @property
    def image(self):
        shape = (1,) * len(self.input_shape) + self.weight.shape
        by_channel = all(side == 1 for side in shape[-len(self.input_shape) + 1 :])
        return self if by_channel and len(self.input_shape) > 1 else None

    def resized(self, size):
        return ScaleOperator(self.weight, (self.input_shape[0], *size))

    def _axis_map(self, axis):
        size = self.input_shape[1 + axis]
        return tap_matrix(torch.arange(size)[:, None], size)


class ReshapeOperator(_Weightless):
    """The same elements in another shape.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one input.
    shape : tuple of int
        Shape of one output.

    Raises
    ------
    ValueError
        If the numbers of elements differ.
    """

    def __init__(self, input_shape, *, shape):
        if prod(shape) != prod(input_shape):
            raise ValueError(f"An input of shape {tuple(input_shape)} cannot have shape {shape}.")
        self._arguments = {"shape": shape}
        super().__init__(input_shape, shape)

    def forward(self, z):
        return z.reshape(len(z), *self.output_shape)

    def adjoint(self, r):
        return r.reshape(len(r), *self.input_shape)


class PermuteOperator(_Weightless):
    """The same elements with the axes in another order.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one input.
    axes : tuple of int
        For each axis of the output, that of the input, not counting the batch.

    Raises
    ------
    ValueError
        If `axes` is no permutation.
    """

    def __init__(self, input_shape, *, axes):
        if sorted(axes) != list(range(len(input_shape))):
            raise ValueError(f"axes must be a permutation of {len(input_shape)}, got {axes}.")
        self._arguments = {"axes": axes}
        self._there = (0, *(axis + 1 for axis in axes))
        self._back = tuple(np.argsort(self._there))
        super().__init__(input_shape, tuple(input_shape[axis] for axis in axes))

    def forward(self, z):
        return z.permute(self._there).contiguous()

    def adjoint(self, r):
        return r.permute(self._back).contiguous()
