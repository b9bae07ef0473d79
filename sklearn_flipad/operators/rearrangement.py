"""Maps that move or scale elements: factors, reshaping, permuting axes."""

from abc import abstractmethod
from math import prod

import numpy as np
import torch

from sklearn_flipad.operators._axes import tap_matrix
from sklearn_flipad.operators.base import LinearOperator
from sklearn_flipad.operators.composition import ChainOperator
from sklearn_flipad.operators.image import ImageOperator

__all__ = ["PermuteOperator", "ReshapeOperator", "ScaleOperator"]


class _Weightless(LinearOperator):
    """A map that is described by its arguments alone; subclasses set ``_arguments``."""

    def __init__(self, input_shape, output_shape, weight=None):
        if weight is None:  # an empty tensor carries the device and the type
            weight = torch.empty(0, dtype=torch.float32, device="cpu")
        super().__init__(weight, input_shape, output_shape)

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
    """Such a map between images."""

    #: Whether each output channel depends only on the input channel of the same number.
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
        column = factors.to(self.weight).reshape(-1, *[1] * (len(self.input_shape) - 1))
        return ChainOperator([ScaleOperator(column, self.input_shape), self])


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
        return tap_matrix(torch.arange(size, device="cpu")[:, None], size)


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
