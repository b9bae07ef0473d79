"""Conjugate gradients on a Gram matrix that is never formed."""

import torch

from sklearn_flipad.operators.gram._spectrum import symbol
from sklearn_flipad.operators.gram._stencil import (
    GramProduct,
    from_cells,
    stencil_gram,
    to_cells,
)
from sklearn_flipad.operators.gram.base import GramSolver, inverse

__all__ = ["AveragePreconditioner", "ConjugateGradientGramSolver", "PeriodicPreconditioner"]

#: Shifts that the Gram matrix of branches is averaged over.
_N_SHIFTS = 64


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


class PeriodicPreconditioner:
    """Solves the system as if the image went on periodically.

    Parameters
    ----------
    gram : StencilGram
        The Gram matrix.
    ridge : float
        Added to its diagonal, > 0.
    """

    def __init__(self, gram, ridge):
        self.cells, self.periods = gram.cells, gram.periods
        self._axes = tuple(range(2, 2 + len(self.cells)))
        blocks = symbol(gram, self.cells).movedim((0, 1), (-2, -1))
        blocks = blocks + ridge * torch.eye(blocks.shape[-1]).to(blocks)
        blocks = inverse(blocks).movedim((-2, -1), (0, 1)).contiguous()
        self.blocks = blocks.to(torch.promote_types(gram._stencil.dtype, torch.complex64))

    def __call__(self, r):
        """Solve for a batch, shape ``(n, *output_shape)``."""
        cells = to_cells(r, self.periods)
        spectrum = torch.fft.rfftn(cells, dim=self._axes)
        solved = (self.blocks * spectrum[:, None]).sum(dim=2)
        return from_cells(torch.fft.irfftn(solved, s=self.cells, dim=self._axes), self.periods)


class AveragePreconditioner:
    """Solves the system of an average of the Gram matrix over shifts of the image.

    The average over all shifts is Chan's optimal circulant matrix; here it is over a few.

    Parameters
    ----------
    gram : GramProduct
        The Gram matrix.
    shape : tuple of int
        Shape ``(channels, *spatial)`` of one output.
    ridge : float
        Added to the diagonal, > 0.

    References
    ----------
    Chan, "An optimal circulant preconditioner for Toeplitz systems", SIAM J. Sci. Stat.
    Comput. 1988.
    """

    def __init__(self, gram, shape, ridge):
        channels, *size = shape
        self._size, self._axes = size, tuple(range(2, 1 + len(shape)))
        like = gram.operator.weight
        rng = torch.Generator().manual_seed(0)
        # One image for each channel, with an impulse in its corner.
        impulses = like.new_zeros(channels, channels, *size)
        impulses[(slice(None), slice(None), *[0] * len(size))] = torch.eye(channels).to(like)
        total = torch.zeros_like(impulses)
        for _ in range(_N_SHIFTS):
            shift = [int(torch.randint(side, (), generator=rng)) for side in size]
            image = gram.apply(impulses.roll(shift, self._axes))
            total += image.roll([-place for place in shift], self._axes)
        # A row of the matrix is what a channel's impulse becomes in each channel.
        blocks = torch.fft.rfftn(total.double() / _N_SHIFTS, dim=self._axes)
        blocks = blocks.movedim((0, 1), (-1, -2))
        values, vectors = torch.linalg.eigh((blocks + blocks.mH) / 2)
        values = values.clamp_min(0) + ridge
        blocks = (vectors / values[..., None, :]) @ vectors.mH
        blocks = blocks.movedim((-2, -1), (0, 1)).contiguous()
        self.blocks = blocks.to(torch.promote_types(like.dtype, torch.complex64))

    def __call__(self, r):
        """Solve for a batch, shape ``(n, *output_shape)``."""
        spectrum = torch.fft.rfftn(r, dim=self._axes)
        solved = (self.blocks * spectrum[:, None]).sum(dim=2)
        return torch.fft.irfftn(solved, s=self._size, dim=self._axes)


def _inner(x, y):
    return (x * y).flatten(1).sum(dim=1)


def _like(values, r):
    return values.reshape(-1, *[1] * (r.ndim - 1))
