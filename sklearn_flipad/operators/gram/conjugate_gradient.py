"""Conjugate gradients on a Gram matrix that is never formed."""

import torch

from sklearn_flipad.operators.gram._preconditioners import (
    AveragePreconditioner,
    PeriodicPreconditioner,
)
from sklearn_flipad.operators.gram._stencil import GramProduct, stencil_gram
from sklearn_flipad.operators.gram.base import GramSolver

__all__ = ["ConjugateGradientGramSolver"]


class ConjugateGradientGramSolver(GramSolver):
    """Conjugate gradients, for outputs that are too many to factor.

    Where the Gram matrix of an image layer is a stencil but for the border, the inverse of
    its periodic continuation is the preconditioner. For branches, it is the inverse of a periodic
    matrix that is the same at all positions, an average of the Gram matrix.

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
        stencil = stencil_gram(operator)
        self.gram = GramProduct(operator) if stencil is None else stencil
        self.precondition = torch.clone
        if stencil is not None:
            self.precondition = PeriodicPreconditioner(stencil, ridge)
        elif operator.is_branched and len(operator.output_shape) > 1:
            self.precondition = AveragePreconditioner(self.gram, operator.output_shape, ridge)

    @property
    def n_multiplications(self):
        return self.gram.n_multiplications

    def solve(self, r):
        t = torch.zeros_like(r)
        residual = r.clone()
        direction = self.precondition(residual)
        product = _inner(residual, direction)
        square = _inner(residual, residual)
        target = self.tol**2 * square
        for _ in range(self.max_iter):
            active = square > target
            if not active.any():
                break
            image = torch.add(self.gram.apply(direction), direction, alpha=self.ridge)
            # A solved sample stands still, so that its neighbors do not change it.
            step = torch.where(active, product / _inner(direction, image), 0)
            t.add_(_like(step, r) * direction)
            residual.sub_(_like(step, r) * image)
            square = torch.where(active, _inner(residual, residual), square)
            conditioned = self.precondition(residual)
            previous, product = product, _inner(residual, conditioned)
            ratio = torch.where(active, product / previous, 0)
            direction = torch.where(
                _like(active, r), conditioned + _like(ratio, r) * direction, direction
            )
            product = torch.where(active, product, previous)
        return t


def _inner(x, y):
    return (x * y).flatten(1).sum(dim=1)


def _like(values, r):
    return values.reshape(-1, *[1] * (r.ndim - 1))
