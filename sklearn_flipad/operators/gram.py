"""Solving (rho I + G G^T) t = r, the small system behind every exact projection.

The outputs of a final layer are 5 to 43 times fewer than its inputs, so the Gram matrix
is the small side. Which solver serves depends on its structure alone.
"""

from abc import ABC, abstractmethod

import torch

__all__ = ["DenseGramSolver", "GramSolver", "gram_solver"]


class GramSolver(ABC):
    """Solves ``(ridge I + G G^T) t = r`` for batches of r.

    Parameters
    ----------
    operator : LinearOperator
        G.
    ridge : float
        Added to the diagonal, > 0.
    """

    def __init__(self, operator, ridge):
        self.operator = operator
        self.ridge = ridge

    @abstractmethod
    def solve(self, r):
        """The solutions: ``(n, *output_shape)`` to ``(n, *output_shape)``."""


class DenseGramSolver(GramSolver):
    """The inverse as a matrix: one product a solve.

    Factored in float64 once; the products are in the operator's type.
    """

    def __init__(self, operator, ridge):
        super().__init__(operator, ridge)
        matrix = operator.to(dtype=torch.float64).dense()
        gram = matrix @ matrix.T
        gram.diagonal().add_(ridge)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        self.inverse = inverse.to(operator.dtype)

    def solve(self, r):
        return (r.flatten(1) @ self.inverse).reshape(r.shape)


def gram_solver(operator, ridge):
    """The solver that fits an operator's structure.

    Parameters
    ----------
    operator : LinearOperator
        G.
    ridge : float
        Added to the diagonal of ``G G^T``, > 0.

    Returns
    -------
    GramSolver
    """
    return DenseGramSolver(operator, ridge)
