"""BFGS for many problems of few unknowns at once."""

import torch

from sklearn_flipad.reproduction.search.quasi_newton import QuasiNewton

__all__ = ["BatchedBFGS"]


class BatchedBFGS(QuasiNewton):
    """BFGS with an inverse Hessian per row, which grows where the curvature is overestimated.

    Before each update the inverse Hessian is multiplied by the ratio of the expected curvature
    along the step to the one found, if that is above 1, so that directions not yet tried get longer
    steps. Before the first pair the Hessian is taken for `curvature` times the identity.

    References: Nocedal and Wright, "Numerical Optimization", 2nd edition, Equation 6.17; for the
    factor, Al-Baali, "Numerical experience with a class of self-scaling quasi-Newton algorithms",
    Journal of Optimization Theory and Applications 96, 1998.
    """

    def __init__(self, z, curvature):
        super().__init__(z)
        self.initial = torch.eye(z.shape[1], dtype=z.dtype, device=z.device) / curvature
        self.inverse = self.initial.repeat(len(z), 1, 1)

    def _keep(self, rows):
        self.inverse = self.inverse[rows]

    def _learn(self, kept, step, change):
        # The other rows take a step of length 0, which changes nothing.
        step, change = (torch.where(kept[:, None], part, 0.0) for part in (step, change))
        found = torch.where(kept, (step * change).sum(dim=1), 1.0)
        expected = -self.length * (step * self.gradient).sum(dim=1)
        ratio = torch.where(kept, expected / found, 1.0).clamp_min(1)
        self.inverse *= ratio[:, None, None]
        product = _times(self.inverse, change)
        # The update is symmetric: step other' + other step'.
        scale = 0.5 * (1 + (change * product).sum(dim=1) / found) / found
        other = scale[:, None] * step - product / found[:, None]
        self.inverse.addcmul_(step[:, :, None], other[:, None, :])
        self.inverse.addcmul_(other[:, :, None], step[:, None, :])

    def _forget(self, rows):
        self.inverse[rows] = self.initial

    def _new_direction(self):
        return _times(self.inverse, -self.gradient)


def _times(matrices, vectors):
    """Products row by row, each rounded in the same way in any batch."""
    return (matrices * vectors[:, None, :]).sum(dim=2)
