"""The lasso problem of final-layer inversion, its certificate and its result."""

from dataclasses import dataclass

import torch

from sklearn_flipad.operators import LinearOperator

__all__ = ["LassoProblem", "LassoResult"]

#: Smallest penalty, and largest size of a target: beyond, squares and steps overflow.
_SMALLEST = 1e-20
_LARGEST = 1e15


@dataclass(frozen=True, eq=False)
class LassoProblem:
    """A batch of lasso problems that share one operator.

    Each sample has its own problem (equation 8 of the paper)::

        minimize P(z) = ||G z - b||² + lam ||z||₁

    There is no factor 1/2 before the square: ``lam`` is twice the penalty of a
    formulation that has one.

    Parameters
    ----------
    operator : LinearOperator
        G.
    b : torch.Tensor, shape (n, *operator.output_shape)
        Targets.
    lam : float
        Penalty, from 1e-20 to 1e20.

    Raises
    ------
    ValueError
        If `lam` is out of range.
    """

    operator: LinearOperator
    b: torch.Tensor
    lam: float

    def __post_init__(self):
        if not _SMALLEST <= self.lam <= 1 / _SMALLEST:
            raise ValueError(
                f"lam={self.lam:g} is out of the range in which single precision can work, "
                f"{_SMALLEST:g} to {1 / _SMALLEST:g}."
            )

    def __len__(self):
        return len(self.b)

    def select(self, rows):
        """The problems of some samples; `rows` indexes the batch."""
        return LassoProblem(self.operator, self.b[rows], self.lam)

    def check_targets(self, first_row=0):
        """Raise ValueError if targets cannot be squared in single precision.

        Parameters
        ----------
        first_row : int, default=0
            Number of the first sample, for the message.

        Raises
        ------
        ValueError
            If a target is NaN, infinite or above 1e15 in size; the message names the first
            such sample.
        """
        size = self.b.abs().flatten(1).amax(dim=1)
        bad = ~(size <= _LARGEST)
        if bad.any():
            first = int(bad.nonzero()[0])
            raise ValueError(
                f"Sample {first_row + first} is too large for single precision: the target of its "
                f"inversion has values up to {size[first]:.3g}, and {_LARGEST:g} is the limit. "
                "Remove it, or scale samples and layer."
            )

    def residual(self, z):
        """``b - G z``."""
        return self.b - self.operator.forward(z)

    def primal(self, z, residual):
        """P(z), with float64 sums, given the residual at z; shape ``(n,)``."""
        return _sum_of_squares(residual) + self.lam * _sum(z.abs())

    def dual(self, residual, correlation):
        """A lower bound of min P from any residual and its correlation ``G^T residual``.

        The dual point is ``nu = 2 a residual``, with the best ``a`` for which
        ``||G^T nu||_inf <= lam``; the bound is ``nu^T b - ||nu||²/4``.
        """
        squares = _sum_of_squares(residual)
        # Several times faster on a CPU than the norm of order inf.
        axes = tuple(range(1, correlation.ndim))
        largest = torch.maximum(correlation.amax(axes), -correlation.amin(axes)).double().abs()
        best = _sum(residual.double() * self.b) / squares.clamp_min(torch.finfo(torch.float64).tiny)
        scale = torch.minimum(best, self.lam / (2 * largest)).clamp_min(0)
        # scale (2 best - scale) squares, written so that squares = 0 is harmless
        return 2 * scale * (best * squares) - scale * scale * squares

    def relative_gap(self, objective, bound):
        """``(P - D) / P``, 0 where the objective itself is 0; shape ``(n,)``."""
        gap = (objective - bound).clamp_min(0)
        return torch.where(objective == 0, torch.zeros_like(gap), gap / objective)


@dataclass(frozen=True, eq=False)
class LassoResult:
    """Solutions of a batch of lasso problems, with their certificates.

    Attributes
    ----------
    z : torch.Tensor, shape (n, *operator.input_shape)
        The solutions.
    objective : torch.Tensor of float64, shape (n,)
        P(z).
    gap : torch.Tensor of float64, shape (n,)
        Relative duality gap: P(z) exceeds the minimum by at most this fraction of P(z).
    n_iter : torch.Tensor of int64, shape (n,)
        Iterations spent on each sample.
    converged : torch.Tensor of bool, shape (n,)
        Whether the gap reached the tolerance.
    """

    z: torch.Tensor
    objective: torch.Tensor
    gap: torch.Tensor
    n_iter: torch.Tensor
    converged: torch.Tensor


def _sum(x):
    return x.flatten(1).sum(dim=1, dtype=torch.float64)


def _sum_of_squares(x):
    return x.flatten(1).double().square().sum(dim=1)
