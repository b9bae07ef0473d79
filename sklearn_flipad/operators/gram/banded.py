"""Cholesky factorization of the narrow band of a one-dimensional layer's Gram matrix."""

import numpy as np
import torch
from scipy.linalg import cholesky_banded
from scipy.linalg.lapack import get_lapack_funcs

from sklearn_flipad.operators.gram._stencil import gram_product
from sklearn_flipad.operators.gram.base import GramSolver

__all__ = ["BandedGramSolver"]


class BandedGramSolver(GramSolver):
    """LAPACK's banded Cholesky factorization, on the CPU.

    The outputs are ordered by position, then by channel. The band is found by applying the
    Gram matrix to unit vectors that are too far apart to meet, and factored in float64.

    Parameters
    ----------
    operator : LinearOperator
        G, with outputs of shape ``(channels, length)``.
    ridge : float
        Added to the diagonal, > 0.
    band : int
        Distance from the diagonal that the Gram matrix reaches, in positions of the output.
    """

    def __init__(self, operator, ridge, band):
        super().__init__(operator, ridge)
        double = operator.to(dtype=torch.float64)
        lower = self._lower(gram_product(double), band)
        lower[0] += ridge
        dtype = np.float64 if operator.dtype == torch.float64 else np.float32
        factor = cholesky_banded(lower, overwrite_ab=True, lower=True, check_finite=False)
        self.factor = np.asfortranarray(factor, dtype=dtype)
        (self._solve,) = get_lapack_funcs(("pbtrs",), (self.factor,))

    def _lower(self, gram, band):
        """The diagonal of the Gram matrix and those below it, shape ``(width, n_outputs)``."""
        channels, length = self.operator.output_shape
        width = channels * (band + 1)
        period = 2 * band + 1
        lower = np.zeros((width, length, channels))
        for start in range(min(period, length)):
            probes = torch.zeros(channels, channels, length, dtype=torch.float64, device="cpu")
            probes[range(channels), range(channels), start::period] = 1
            columns = gram.apply(probes).numpy()
            for shift in range(band + 1):
                place = np.arange(start, length - shift, period)
                for channel in range(channels):
                    for other in range(channel if shift == 0 else 0, channels):
                        offset = shift * channels + other - channel
                        lower[offset, place, channel] = columns[channel, other, place + shift]
        return lower.reshape(width, -1)

    @property
    def n_multiplications(self):
        return 2 * self.factor.size

    def solve(self, r):
        right = r.transpose(1, 2).reshape(len(r), -1).numpy()
        solution, _ = self._solve(self.factor, right.T, lower=True)
        channels, length = self.operator.output_shape
        solution = torch.from_numpy(np.ascontiguousarray(solution.T))
        return solution.reshape(len(r), length, channels).transpose(1, 2).contiguous()
