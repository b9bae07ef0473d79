"""Conjugate gradients on a Gram matrix that is never formed."""

import torch

from sklearn_flipad.operators.gram.base import GramSolver

__all__ = ["ConjugateGradientGramSolver"]


class ConjugateGradientGramSolver(GramSolver):
    """Conjugate gradients, for outputs that are too many to factor.

    Parameters
    ----------
    operator : LinearOperator
        G.
    ridge : float
        Added to the diagonal, > 0.
    tol : float, default=1e-5
        Relative residual at which a sample is solved.
    max_iter : int, default=300
        Largest number of iterations.
    """

    def __init__(self, operator, ridge, tol=1e-5, max_iter=300):
        super().__init__(operator, ridge)
        self.tol = tol
        self.max_iter = max_iter

    @property
    def n_multiplications(self):
        return 2 * self.operator.n_inputs * self.operator.weight[0].numel()

    def solve(self, r):
        t = torch.zeros_like(r)
        residual, direction = r.clone(), r.clone()
        square = _inner(residual, residual)
        target = self.tol**2 * square
        for _ in range(self.max_iter):
            active = square > target
            if not active.any():
                break
            image = self.operator.forward(self.operator.adjoint(direction))
            image.add_(direction, alpha=self.ridge)
            # A solved sample stands still, so that its neighbors do not change it.
            step = torch.where(active, square / _inner(direction, image), 0)
            t.add_(_like(step, r) * direction)
            residual.sub_(_like(step, r) * image)
            previous, square = square, _inner(residual, residual)
            ratio = torch.where(active, square / previous, 0)
            direction = torch.where(
                _like(active, r), residual + _like(ratio, r) * direction, direction
            )
            square = torch.where(active, square, previous)
        return t


def _inner(x, y):
    return (x * y).flatten(1).sum(dim=1)


def _like(values, r):
    return values.reshape(-1, *[1] * (r.ndim - 1))
