"""A fully connected layer as a linear operator."""

from sklearn_flipad.base.products import aligned, product
from sklearn_flipad.operators.base import LinearOperator

__all__ = ["DenseOperator"]


class DenseOperator(LinearOperator):
    """The linear part of ``torch.nn.Linear``; acts on the last axis.

    Parameters
    ----------
    weight : torch.Tensor, shape (out_features, in_features)
        The matrix.
    input_shape : tuple of int
        Shape of one input; its last entry is ``in_features``.

    Raises
    ------
    ValueError
        If the last entry of `input_shape` is not ``in_features``.
    """

    def __init__(self, weight, input_shape):
        if input_shape[-1] != weight.shape[1]:
            raise ValueError(
                f"A weight of shape {tuple(weight.shape)} needs inputs that end in "
                f"{weight.shape[1]}, got input_shape={tuple(input_shape)}."
            )
        super().__init__(weight, input_shape, (*input_shape[:-1], weight.shape[0]))
        self._matrix, self._transposed = aligned(weight), aligned(weight.T)

    def forward(self, z):
        return product(z, self._matrix)

    def adjoint(self, r):
        return product(r, self._transposed)

    @property
    def n_multiplications(self):
        return self.n_outputs * self.weight.shape[1]

    def to(self, device=None, dtype=None):
        return DenseOperator(self.weight.to(device=device, dtype=dtype), self.input_shape)
