"""The interface of a batched linear operator."""

from abc import ABC, abstractmethod
from functools import cached_property
from math import prod

import torch

__all__ = ["LinearOperator"]

#: Up to this many rows or columns a spectral norm is computed densely.
_DENSE_SIDE = 64


class LinearOperator(ABC):
    """A linear map from tensors of ``input_shape`` to tensors of ``output_shape``.

    Operators act on batches: :meth:`forward` maps ``(n, *input_shape)`` to
    ``(n, *output_shape)`` and :meth:`adjoint` goes the other way. An operator is
    immutable; :meth:`to` returns another.

    Parameters
    ----------
    weight : torch.Tensor
        The weights, in the layout of the torch layer.
    input_shape, output_shape : tuple of int
        Shapes of one sample.

    Attributes
    ----------
    n_inputs, n_outputs : int
        Numbers of elements of one input and one output.
    """

    def __init__(self, weight, input_shape, output_shape):
        self.weight = weight
        self.input_shape = tuple(input_shape)
        self.output_shape = tuple(output_shape)
        self.n_inputs = prod(self.input_shape)
        self.n_outputs = prod(self.output_shape)

    @abstractmethod
    def forward(self, z):
        """Apply the map: ``(n, *input_shape)`` to ``(n, *output_shape)``."""

    @abstractmethod
    def adjoint(self, r):
        """Apply the transposed map: ``(n, *output_shape)`` to ``(n, *input_shape)``."""

    @abstractmethod
    def to(self, device=None, dtype=None):
        """The same operator with its weights on `device` and in `dtype`."""

    @property
    def device(self):
        """Device of the weights."""
        return self.weight.device

    @property
    def dtype(self):
        """Type of the weights."""
        return self.weight.dtype

    @property
    def n_multiplications(self):
        """Approximate multiplications per sample of one forward or one adjoint."""
        return self.n_inputs * self.weight[0].numel()

    @property
    def image(self):
        """The operator itself if its inputs and outputs are images or signals, else None.

        See :class:`~sklearn_flipad.operators.ImageOperator` for its further methods.
        """
        return

    @property
    def is_branched(self):
        """Whether inputs are rows of several branches, whose maps to images are added."""
        return False

    def dense(self):
        """Return the matrix of the map, shape ``(n_outputs, n_inputs)``.

        Built column by column, or row by row where there are fewer rows.
        """
        if self.n_inputs <= self.n_outputs:
            eye = torch.eye(self.n_inputs, dtype=self.dtype, device=self.device)
            return self.forward(eye.reshape(-1, *self.input_shape)).flatten(1).T
        eye = torch.eye(self.n_outputs, dtype=self.dtype, device=self.device)
        return self.adjoint(eye.reshape(-1, *self.output_shape)).flatten(1)

    @cached_property
    def norm_squared(self):
        """Squared spectral norm, the largest eigenvalue of the smaller Gram matrix.

        Computed in float64 by Lanczos iteration to a relative accuracy of about 1e-9. For
        images and signals of more than 128 cells along an axis it is the limit of the norm for
        large sizes, which is up to 1e-3 larger.
        """
        from sklearn_flipad.operators.gram._spectrum import largest_eigenvalue

        operator = self.to(device="cpu", dtype=torch.float64)
        if min(operator.n_inputs, operator.n_outputs) <= _DENSE_SIDE:
            return float(torch.linalg.matrix_norm(operator.dense(), ord=2)) ** 2
        return largest_eigenvalue(operator)
