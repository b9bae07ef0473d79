"""The inverse of a Gram matrix, written out."""

import torch

from sklearn_flipad.operators.gram.base import GramSolver, inverse
from sklearn_flipad.operators.products import aligned, product

__all__ = ["DenseGramSolver"]


class DenseGramSolver(GramSolver):
    """The inverse as a matrix: one product a solve.

    Factored in float64 once; the products are in the operator's type.

    Parameters
    ----------
    operator : LinearOperator
        G.
    ridge : float
        Added to the diagonal, > 0.
    """

    def __init__(self, operator, ridge):
        super().__init__(operator, ridge)
        matrix = operator.to(dtype=torch.float64).dense()
        gram = matrix @ matrix.T
        gram.diagonal().add_(ridge)
        self.inverse = aligned(inverse(gram).to(operator.dtype))

    @property
    def n_multiplications(self):
        return self.inverse.numel()

    def solve(self, r):
        return product(r.flatten(1), self.inverse).reshape(r.shape)
