"""Preconditioners of Gram matrices: periodic matrices, inverted in the frequency domain."""

import torch

from sklearn_flipad.operators.gram._cholesky import inverse
from sklearn_flipad.operators.gram._spectrum import symbol
from sklearn_flipad.operators.gram._stencil import from_cells, to_cells

__all__ = ["AveragePreconditioner", "PeriodicPreconditioner"]

#: Shifts that the Gram matrix of branches is averaged over.
_N_SHIFTS = 64


class PeriodicPreconditioner:
    """Solves the systems of a stencil as if the image went on periodically."""

    def __init__(self, gram, ridge):
        self.cells, self.periods = gram.cells, gram.periods
        self._axes = tuple(range(2, 2 + len(self.cells)))
        blocks = symbol(gram, self.cells).movedim((0, 1), (-2, -1))
        blocks = blocks + ridge * torch.eye(blocks.shape[-1], device="cpu").to(blocks)
        blocks = inverse(blocks).movedim((-2, -1), (0, 1)).contiguous()
        self.blocks = blocks.to(torch.promote_types(gram.stencil.dtype, torch.complex64))

    def __call__(self, r):
        """Solve for a batch, shape ``(n, *output_shape)``."""
        cells = to_cells(r, self.periods)
        spectrum = torch.fft.rfftn(cells, dim=self._axes)
        solved = (self.blocks * spectrum[:, None]).sum(dim=2)
        return from_cells(torch.fft.irfftn(solved, s=self.cells, dim=self._axes), self.periods)


class AveragePreconditioner:
    """Solves the systems of an average of a Gram matrix over shifts of the image.

    The average over all shifts is Chan's optimal circulant matrix ("An optimal circulant
    preconditioner for Toeplitz systems", SIAM J. Sci. Stat. Comput. 1988); here it is over a few.
    `shape` is that of one output, ``(channels, *spatial)``.
    """

    def __init__(self, gram, shape, ridge):
        channels, *size = shape
        self._size, self._axes = size, tuple(range(2, 1 + len(shape)))
        like = gram.operator.weight
        rng = torch.Generator("cpu").manual_seed(0)
        # One image for each channel, with an impulse in its corner.
        impulses = like.new_zeros(channels, channels, *size)
        impulses[(slice(None), slice(None), *[0] * len(size))] = torch.eye(
            channels, device="cpu"
        ).to(like)
        total = torch.zeros_like(impulses)
        for _ in range(_N_SHIFTS):
            shift = [int(torch.randint(side, (), generator=rng, device="cpu")) for side in size]
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
