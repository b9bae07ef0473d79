"""The small system behind every exact projection: (ridge I + G G^T) t = r."""

from abc import ABC, abstractmethod

__all__ = ["GramSolver"]


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

    @property
    @abstractmethod
    def n_multiplications(self):
        """Approximate multiplications per sample in one solve, or one step of an iteration."""

    @abstractmethod
    def solve(self, r):
        """Solve the systems of a batch.

        Parameters
        ----------
        r : torch.Tensor, shape (n, *output_shape)
            Right-hand sides.

        Returns
        -------
        torch.Tensor, shape (n, *output_shape)
            The solutions.
        """
