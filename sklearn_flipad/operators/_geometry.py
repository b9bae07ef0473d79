"""Geometry of convolutions, and the base class of both kinds of them."""

from abc import abstractmethod

from torch.nn import functional as F

from sklearn_flipad.operators.image import ImageOperator

__all__ = ["Convolution", "Geometry", "check_input", "per_axis"]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def per_axis(value, ndim):
    """One int per axis, as a tuple, from an int or such a tuple."""
    return (value,) * ndim if isinstance(value, int) else tuple(value)


def check_input(weight, input_shape, n_channels):
    """Raise ValueError if a kernel does not fit inputs of `input_shape`."""
    if len(input_shape) != weight.ndim - 1 or input_shape[0] != n_channels:
        raise ValueError(
            f"A kernel of shape {tuple(weight.shape)} needs inputs of {n_channels} channels "
            f"and {weight.ndim - 2} spatial axes, got input_shape={tuple(input_shape)}."
        )


class Geometry:
    """Stride, padding, dilation and groups of a convolution over `ndim` axes."""

    def __init__(self, kernel_size, stride, padding, dilation, groups):
        ndim = len(kernel_size)
        self.kernel_size = tuple(kernel_size)
        self.stride = per_axis(stride, ndim)
        self.padding = per_axis(padding, ndim)
        self.dilation = per_axis(dilation, ndim)
        self.groups = groups

    @property
    def ndim(self):
        """Number of spatial axes."""
        return len(self.kernel_size)

    @property
    def reach(self):
        """Distance between the first and the last tap, plus one, along each axis."""
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
        """Torch's convolution of a batch."""
        return _CONV[self.ndim](
            x, weight, None, self.stride, self.padding, self.dilation, self.groups
        )

    def scatter(self, x, weight, output_padding):
        """Torch's transposed convolution of a batch."""
        return _CONV_TRANSPOSE[self.ndim](
            x, weight, None, self.stride, self.padding, output_padding, self.groups, self.dilation
        )


class Convolution(ImageOperator):
    """A convolution, or a transposed one.

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
