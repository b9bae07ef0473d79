"""Transposed convolutions as linear operators."""

import torch
from torch.nn import functional as F

from sklearn_flipad.operators._axes import tap_matrix
from sklearn_flipad.operators._geometry import Convolution, Geometry, check_input, per_axis

__all__ = ["ConvTransposeOperator"]


class ConvTransposeOperator(Convolution):
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
        check_input(weight, input_shape, weight.shape[0])
        self._geometry = Geometry(weight.shape[2:], stride, padding, dilation, groups)
        self._output_padding = per_axis(output_padding, self._geometry.ndim)
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
        """The kernel as a matrix from channels to taps, None if torch is faster.

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
        """The result of ``F.fold``, by additions of whole rows; it overwrites the columns."""
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
        starts = (
            torch.arange(n_inputs, device="cpu") * geometry.stride[axis] - geometry.padding[axis]
        )
        taps = torch.arange(geometry.kernel_size[axis], device="cpu") * geometry.dilation[axis]
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
