"""Convolutions as linear operators."""

from functools import cached_property
from itertools import product as combinations

import torch
from torch.nn import functional as F

from sklearn_flipad.operators._axes import padded_positions, tap_matrix
from sklearn_flipad.operators._geometry import Convolution, Geometry, check_input, per_axis

__all__ = ["ConvOperator"]


class ConvOperator(Convolution):
    """The linear part of ``torch.nn.Conv1d``, ``Conv2d`` or ``Conv3d``.

    Parameters
    ----------
    weight : torch.Tensor, shape (out_channels, in_channels // groups, *kernel_size)
        The kernel.
    input_shape : tuple of int
        Shape ``(in_channels, *spatial)`` of one input.
    stride : int or tuple of int, default=1
        As in torch.
    padding : int, tuple of int, "valid" or "same", default=0
        As in torch.
    dilation : int or tuple of int, default=1
        As in torch.
    groups : int, default=1
        As in torch.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}, default="zeros"
        As in torch.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """

    def __init__(
        self,
        weight,
        input_shape,
        *,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        padding_mode="zeros",
    ):
        check_input(weight, input_shape, weight.shape[1] * groups)
        geometry = Geometry(weight.shape[2:], stride, 0, dilation, groups)
        margins = self._margins(padding, geometry)
        symmetric = all(left == right for left, right in margins)
        if symmetric and padding_mode == "zeros":
            geometry.padding = tuple(left for left, _ in margins)
            margins = None
        self._geometry = geometry
        self._padding_mode = "constant" if padding_mode == "zeros" else padding_mode
        # F.pad starts with the last axis.
        self._pad = None if margins is None else [m for pair in margins[::-1] for m in pair]
        size = input_shape[1:]
        if margins is not None:
            size = tuple(s + sum(pair) for s, pair in zip(size, margins, strict=True))
        self._padded_size = size
        output_size = geometry.gathered(size)
        if min(output_size) < 1:
            raise ValueError(
                f"An input of shape {tuple(input_shape)} is smaller than the kernel's reach."
            )
        self._arguments = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "padding_mode": padding_mode,
        }
        super().__init__(weight, input_shape, (weight.shape[0], *output_size))
        self._by_columns = self._is_by_columns()

    def _is_by_columns(self):
        """Whether matrix products of all taps are faster than torch.

        On a CPU, with few output channels, they take a quarter to a half of the time of
        torch's convolution.
        """
        geometry = self._geometry
        return (
            geometry.ndim <= 2
            and geometry.groups == 1
            and set(geometry.stride) == {1}
            and self.device.type == "cpu"
            and self.weight[:, 0].numel() <= 4 * self.weight.shape[1]
        )

    @cached_property
    def _to_columns(self):
        """The kernel as a matrix from channels to taps."""
        return self.weight.movedim((0, 1), (-2, -1)).flatten(0, -2).contiguous()

    @cached_property
    def _from_columns(self):
        """The kernel as a matrix from taps, the last one first, to channels."""
        flipped = self.weight.flip(*range(2, self.weight.ndim))
        return flipped.movedim((1, 0), (0, -1)).flatten(1).contiguous()

    @staticmethod
    def _margins(padding, geometry):
        if padding == "valid":
            return [(0, 0)] * geometry.ndim
        if padding == "same":
            totals = [reach - 1 for reach in geometry.reach]
            return [(total // 2, total - total // 2) for total in totals]
        return [(p, p) for p in per_axis(padding, geometry.ndim)]

    def forward(self, z):
        padded = self._padded(z)
        if self._by_columns:
            return self._gathered(padded)
        return self._geometry.gather(padded, self.weight)

    def _gathered(self, z):
        """A convolution as one matrix product and a sum of its rows, shifted."""
        geometry, size = self._geometry, z.shape[2:]
        columns = torch.matmul(self._to_columns, z.flatten(2))
        columns = columns.view(len(z), *geometry.kernel_size, -1, *size)
        out = z.new_zeros(len(z), *self.output_shape)
        for tap in combinations(*map(range, geometry.kernel_size)):
            source, target = [], []
            axes = zip(tap, geometry.dilation, geometry.padding, size, out.shape[2:], strict=True)
            for index, dilation, padding, n_inputs, n_outputs in axes:
                shift = index * dilation - padding
                start, stop = max(-shift, 0), min(n_inputs - shift, n_outputs)
                target.append(slice(start, max(stop, start)))
                source.append(slice(start + shift, max(stop, start) + shift))
            out[(..., *target)] += columns[(slice(None), *tap, slice(None), *source)]
        return out

    def _scattered(self, r):
        """The transposed convolution as one matrix product with shifted copies."""
        geometry, margins = self._geometry, []
        axes = zip(self._padded_size, r.shape[2:], geometry.reach, geometry.padding, strict=True)
        for n_inputs, n_outputs, reach, padding in axes:
            before = reach - 1 - padding
            margins = [before, n_inputs + reach - 1 - n_outputs - before, *margins]
        taps = F.pad(r, margins)
        for axis, (reach, dilation) in enumerate(
            zip(geometry.reach, geometry.dilation, strict=True), start=2
        ):
            taps = taps.unfold(axis, reach, 1)[..., ::dilation]
        # (n, channels, *size, *taps) to (n, taps * channels, size)
        n_axes = geometry.ndim
        order = [0, *range(2 + n_axes, 2 + 2 * n_axes), 1, *range(2, 2 + n_axes)]
        taps = taps.permute(order).reshape(len(r), self._from_columns.shape[1], -1)
        return torch.matmul(self._from_columns, taps).view(
            len(r), self.input_shape[0], *self._padded_size
        )

    def _padded(self, z):
        return z if self._pad is None else F.pad(z, self._pad, mode=self._padding_mode)

    def adjoint(self, r):
        if self._by_columns:
            padded = self._scattered(r)
        else:
            smallest = self._geometry.scattered(self.output_shape[1:])
            missing = tuple(s - m for s, m in zip(self._padded_size, smallest, strict=True))
            padded = self._geometry.scatter(r, self.weight, missing)
        if self._pad is None:
            return padded
        with torch.enable_grad():  # padding is linear: its adjoint is its gradient
            z = padded.new_zeros(len(r), *self.input_shape, requires_grad=True)
            return torch.autograd.grad(self._padded(z), z, padded)[0]

    def weighted(self, factors):
        groups = self._geometry.groups
        by_group = factors.to(self.weight).reshape(groups, 1, -1)
        by_output = by_group.expand(-1, len(self.weight) // groups, -1).flatten(0, 1)
        weight = self.weight * by_output.reshape(*by_output.shape, *[1] * self._geometry.ndim)
        return self._like(weight, self.input_shape)

    @property
    def period(self):
        return (1,) * self._geometry.ndim

    @property
    def input_period(self):
        return self._geometry.stride

    @property
    def n_multiplications(self):
        return self.n_outputs * self.weight[0].numel()

    def _axis_map(self, axis):
        geometry = self._geometry
        sizes = self.input_shape[1 + axis], self.output_shape[1 + axis]
        margins = (geometry.padding[axis],) * 2
        if self._pad is not None:
            margins = self._pad[::-1][2 * axis : 2 * axis + 2][::-1]
        position = padded_positions(sizes[0], margins, self._padding_mode)
        starts = torch.arange(sizes[1], device="cpu") * geometry.stride[axis]
        taps = torch.arange(geometry.kernel_size[axis], device="cpu") * geometry.dilation[axis]
        return tap_matrix(position[starts[:, None] + taps], sizes[0])
