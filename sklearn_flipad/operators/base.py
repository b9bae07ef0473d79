"""The interface of a batched linear operator."""

from abc import ABC, abstractmethod
from functools import cached_property
from math import prod

import torch

from sklearn_flipad.operators.gram import gram_solver

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
        self._derived = {}

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

    def weighted(self, factors):
        """The map after its input channels have been multiplied by factors.

        Parameters
        ----------
        factors : torch.Tensor, shape (input_shape[0],)
            One factor a channel.

        Returns
        -------
        LinearOperator

        Raises
        ------
        NotImplementedError
            If the inputs have no channels, as those of a dense layer.
        """
        raise NotImplementedError(f"{type(self).__name__} has no channels.")

    def resized(self, size):
        """The same kernel for inputs of another spatial size.

        Parameters
        ----------
        size : tuple of int
            Sizes of the spatial axes.

        Returns
        -------
        LinearOperator

        Raises
        ------
        NotImplementedError
            If the inputs have no spatial axes, as those of a dense layer.
        """
        raise NotImplementedError(f"{type(self).__name__} has no spatial axes.")

    def dense(self):
        """The matrix of the map, shape ``(n_outputs, n_inputs)``.

        Built column by column, or row by row where there are fewer rows.
        """
        if self.n_inputs <= self.n_outputs:
            eye = torch.eye(self.n_inputs, dtype=self.dtype, device=self.device)
            return self.forward(eye.reshape(-1, *self.input_shape)).flatten(1).T
        eye = torch.eye(self.n_outputs, dtype=self.dtype, device=self.device)
        return self.adjoint(eye.reshape(-1, *self.output_shape)).flatten(1)

    def axis_maps(self):
        """How outputs depend on inputs along each spatial axis, for image layers.

        Returns
        -------
        tuple of torch.Tensor, each shape (output size, input size), or None
            The matrix of a map along one axis with the same geometry and with weights in
            general position, which tells what is equal and what is 0 in any such layer.
            None where the outputs have no spatial axes, as those of a dense layer.
        """
        return

    @property
    def period(self):
        """Outputs, along each spatial axis, after which an image layer repeats itself."""
        return ()

    @property
    def reach(self):
        """Distance of a kernel's first and last tap plus one, along each spatial axis."""
        return ()

    def gram_solver(self, ridge):
        """The solver of ``(ridge I + G G^T) t = r``, factored once for each ridge.

        Parameters
        ----------
        ridge : float
            Added to the diagonal, > 0.

        Returns
        -------
        GramSolver
        """
        return self.derived(("gram solver", ridge), lambda: gram_solver(self, ridge))

    def derived(self, key, build):
        """Something that depends on the operator alone, built at the first call.

        Parameters
        ----------
        key : hashable
            Its name.
        build : callable
            Called without arguments.

        Returns
        -------
        object
            What `build` returned.
        """
        if key not in self._derived:
            self._derived[key] = build()
        return self._derived[key]

    @cached_property
    def norm_squared(self):
        """Squared spectral norm, the largest eigenvalue of the smaller Gram matrix.

        Computed in float64 by Lanczos iteration to a relative accuracy of about 1e-9.
        """
        operator = self.to(device="cpu", dtype=torch.float64)
        n = min(operator.n_inputs, operator.n_outputs)
        if n <= _DENSE_SIDE:
            return float(torch.linalg.matrix_norm(operator.dense(), ord=2)) ** 2
        return _largest_gram_eigenvalue(operator, n)


def _largest_gram_eigenvalue(operator, n):
    import numpy as np
    from scipy.sparse import linalg

    def gram(vector):
        vector = torch.from_numpy(np.array(vector, dtype=np.float64).reshape(1, -1))
        if n == operator.n_outputs:
            image = operator.forward(operator.adjoint(vector.reshape(1, *operator.output_shape)))
        else:
            image = operator.adjoint(operator.forward(vector.reshape(1, *operator.input_shape)))
        return image.reshape(-1).numpy()

    start = np.random.default_rng(0).standard_normal(n)
    matrix = linalg.LinearOperator((n, n), matvec=gram, dtype=np.float64)
    (value,) = linalg.eigsh(matrix, k=1, which="LA", v0=start, tol=1e-9, return_eigenvectors=False)
    return float(value)
