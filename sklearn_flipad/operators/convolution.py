"""Convolutions and transposed convolutions as linear operators."""

from abc import abstractmethod
from functools import cached_property
from itertools import product as combinations

import torch
from torch.nn import functional as F

from sklearn_flipad.operators.axes import padded_positions, tap_matrix
from sklearn_flipad.operators.image import ImageOperator

__all__ = ["ConvOperator", "ConvTransposeOperator"]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def _per_axis(value, ndim):
    return (value,) * ndim if isinstance(value, int) else tuple(value)


class _Geometry:
    """Stride, padding, dilation and groups of a convolution over `ndim` axes."""

    def __init__(self, kernel_size, stride, padding, dilation, groups):
        ndim = len(kernel_size)
        self.kernel_size = tuple(kernel_size)
        self.stride = _per_axis(stride, ndim)
        self.padding = _per_axis(padding, ndim)
        self.dilation = _per_axis(dilation, ndim)
        self.groups = groups

    @property
    def ndim(self):
        return len(self.kernel_size)

    @property
    def reach(self):
        """Distance between the first and the last tap, plus one."""
        pairs = zip(self.dilation, self.kernel_size, strict=True)
        return tuple(d * (k - 1) + 1 for d, k in pairs)

    def gathered(self, size):
        """Spatial size of a convolution's output for the input `size`."""
        axes = zip(size, self.padding, self.reach, self.stride, strict=True)
        return tuple((s + 2 * p - r) // st + 1 for s, p, r, st in axes)

    def scattered(self, size):
        """Smallest spatial size of a transposed convolution's output."""
        axes = zip(size, self.padding, self.reach, self.stride, strict=True)
        return tuple((s - 1) * st - 2 * p + r for s, p, r, st in axes)

    def gather(self, x, weight):
        return _CONV[self.ndim](
            x, weight, None, self.stride, self.padding, self.dilation, self.groups
        )

    def scatter(self, x, weight, output_padding):
        return _CONV_TRANSPOSE[self.ndim](
            x, weight, None, self.stride, self.padding, output_padding, self.groups, self.dilation
        )


class _Convolution(ImageOperator):
    """What both kinds of convolutions share.

    Subclasses set ``_geometry``, and ``_arguments`` for the constructor.
    """

    def _like(self, weight, input_shape):
        return type(self)(weight, input_shape, **self._arguments)

    def to(self, device=None, dtype=None):
        return self._like(self.weight.to(device=device, dtype=dtype), self.input_shape)

    @property
    def reach(self):
        return self._geometry.reach

    def resized(self, size):
        return self._like(self.weight, (self.input_shape[0], *size))

    def axis_maps(self):
        return tuple(self._axis_map(axis) for axis in range(self._geometry.ndim))

    @abstractmethod
    def _axis_map(self, axis):
        """One of the :meth:`axis_maps`."""


class ConvOperator(_Convolution):
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
        _check_input(weight, input_shape, weight.shape[1] * groups)
        geometry = _Geometry(weight.shape[2:], stride, 0, dilation, groups)
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
        """Whether matrix products of all taps are the faster way.

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
        return [(p, p) for p in _per_axis(padding, geometry.ndim)]

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
        starts = torch.arange(sizes[1]) * geometry.stride[axis]
        taps = torch.arange(geometry.kernel_size[axis]) * geometry.dilation[axis]
        return tap_matrix(position[starts[:, None] + taps], sizes[0])


class ConvTransposeOperator(_Convolution):
    """The linear part of ``ConvTranspose1d``, ``ConvTranspose2d`` or ``ConvTranspose3d``.

    Parameters
    ----------
    weight : torch.Tensor, shape (in_channels, out_channels // groups, *kernel_size)
        The kernel.
    input_shape : tuple of int
        Shape ``(in_channels, *spatial)`` of one input.
    stride : int or tuple of int, default=1
        As in torch.
    padding, output_padding : int or tuple of int, default=0
        As in torch.
    dilation : int or tuple of int, default=1
        As in torch.
    groups : int, default=1
        As in torch.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """

    def __init__(
        self, weight, input_shape, *, stride=1, padding=0, output_padding=0, dilation=1, groups=1
    ):
        _check_input(weight, input_shape, weight.shape[0])
        self._geometry = _Geometry(weight.shape[2:], stride, padding, dilation, groups)
        self._output_padding = _per_axis(output_padding, self._geometry.ndim)
        smallest = self._geometry.scattered(input_shape[1:])
        size = tuple(s + p for s, p in zip(smallest, self._output_padding, strict=True))
        if min(size) < 1:
            raise ValueError(f"An input of shape {tuple(input_shape)} has an empty output.")
        self._arguments = {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "dilation": dilation,
            "groups": groups,
        }
        super().__init__(weight, input_shape, (weight.shape[1] * groups, *size))
        self._columns = self._as_columns()
        self._is_upsampling = self._fills_cells()

    def _as_columns(self):
        """The kernel as a matrix from channels to taps, where that is the faster way.

        On a CPU, with few output channels, one matrix product and a scattering of its
        columns take a half to a fifth of the time of torch's transposed convolution.
        """
        n_taps = self.weight[0].numel()
        geometry = self._geometry
        fits = (
            geometry.ndim == 2
            and geometry.groups == 1
            and self.device.type == "cpu"
            and n_taps <= 2 * self.weight.shape[0]
            and geometry.gathered(self.output_shape[1:]) == self.input_shape[1:]
        )
        return self.weight.flatten(1).T.contiguous() if fits else None

    def _fills_cells(self):
        """Whether outputs are `stride` times as large, and each has a tap at its own cell."""
        geometry = self._geometry
        axes = zip(
            self.input_shape[1:],
            self.output_shape[1:],
            geometry.kernel_size,
            geometry.stride,
            geometry.padding,
            geometry.dilation,
            strict=True,
        )
        return all(
            out == stride * size and padding + stride <= taps and dilation == 1
            for size, out, taps, stride, padding, dilation in axes
        )

    def forward(self, z):
        geometry = self._geometry
        if self._columns is None:
            return geometry.scatter(z, self.weight, self._output_padding)
        columns = torch.matmul(self._columns, z.flatten(2))
        if self._is_upsampling:
            return self._interleaved(columns)
        return F.fold(
            columns,
            self.output_shape[1:],
            geometry.kernel_size,
            geometry.dilation,
            geometry.padding,
            geometry.stride,
        )

    def _interleaved(self, columns):
        """What ``F.fold`` does, by additions of whole rows; it overwrites the columns."""
        (p, q), (top, left) = self._geometry.stride, self._geometry.padding
        taps = columns.view(len(columns), -1, *self._geometry.kernel_size, *self.input_shape[1:])
        rows = _add_to_phases(taps, 2, p, top)
        phases = _add_to_phases(rows, 3, q, left)
        interleaved = phases.permute(0, 1, 4, 2, 5, 3)
        return interleaved.reshape(len(columns), *self.output_shape)

    def adjoint(self, r):
        gathered = self._geometry.gather(r, self.weight)
        # An output padding of a stride or more lets the gathering window fit once more.
        return gathered[(..., *(slice(s) for s in self.input_shape[1:]))]

    def weighted(self, factors):
        factors = factors.to(self.weight).reshape(-1, *[1] * (self.weight.ndim - 1))
        return self._like(self.weight * factors, self.input_shape)

    @property
    def period(self):
        return self._geometry.stride

    @property
    def input_period(self):
        return (1,) * self._geometry.ndim

    def _axis_map(self, axis):
        geometry = self._geometry
        n_inputs, n_outputs = self.input_shape[1 + axis], self.output_shape[1 + axis]
        starts = torch.arange(n_inputs) * geometry.stride[axis] - geometry.padding[axis]
        taps = torch.arange(geometry.kernel_size[axis]) * geometry.dilation[axis]
        return tap_matrix(starts[:, None] + taps, n_outputs).T.tocsr()


def _add_to_phases(taps, axis, stride, padding):
    """Add the taps along an axis to those that fall into the same phase of their cell.

    `axis` is that of the taps; cells are two axes later. Returns a view of the phases.
    """
    phases = taps.narrow(axis, padding, stride)
    n_cells = taps.shape[axis + 2]
    for tap in range(taps.shape[axis]):
        shift, phase = divmod(tap - padding, stride)
        n_added = n_cells - abs(shift)
        if shift and n_added > 0:
            target = phases.select(axis, phase).narrow(axis + 1, max(shift, 0), n_added)
            target += taps.select(axis, tap).narrow(axis + 1, max(-shift, 0), n_added)
    return phases


def _check_input(weight, input_shape, n_channels):
    if len(input_shape) != weight.ndim - 1 or input_shape[0] != n_channels:
        raise ValueError(
            f"A kernel of shape {tuple(weight.shape)} needs inputs of {n_channels} channels "
            f"and {weight.ndim - 2} spatial axes, got input_shape={tuple(input_shape)}."
        )
