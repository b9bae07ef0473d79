"""L-BFGS for many problems at once, with any number of unknowns."""

import torch

from sklearn_flipad.reproduction.search.quasi_newton import QuasiNewton

__all__ = ["BatchedLBFGS"]


class BatchedLBFGS(QuasiNewton):
    """Limited-memory BFGS, whose estimate rests on the last `memory` pairs of each row.

    References: Nocedal and Wright, "Numerical Optimization", 2nd edition, Algorithm 7.4.
    """

    def __init__(self, z, memory=10):
        super().__init__(z)
        self.steps = z.new_zeros(memory, *self.point.shape)
        self.changes = torch.zeros_like(self.steps)

    def _keep(self, rows):
        self.steps, self.changes = self.steps[:, rows], self.changes[:, rows]

    def _learn(self, kept, step, change):
        kept = kept[None, :, None]
        self.steps = torch.where(kept, torch.cat([self.steps[1:], step[None]]), self.steps)
        self.changes = torch.where(kept, torch.cat([self.changes[1:], change[None]]), self.changes)

    def _forget(self, rows):
        self.steps[:, rows], self.changes[:, rows] = 0, 0

    def _new_direction(self):
        curvature = (self.steps * self.changes).sum(dim=2, keepdim=True)
        weight = torch.where(curvature > 0, 1 / curvature, 0.0)
        direction, factors = -self.gradient, []
        for s, y, w in zip(self.steps.flip(0), self.changes.flip(0), weight.flip(0), strict=True):
            factors.append(w * (s * direction).sum(dim=1, keepdim=True))
            direction = direction - factors[-1] * y
        direction = direction * self._initial_scale(curvature[-1])
        pairs = zip(self.steps, self.changes, weight, reversed(factors), strict=True)
        for s, y, w, factor in pairs:
            direction = direction + s * (factor - w * (y * direction).sum(dim=1, keepdim=True))
        return direction

    def _initial_scale(self, curvature):
        """The inverse Hessian before the pairs, as a multiple of the identity in each row."""
        last = self.changes[-1].square().sum(dim=1, keepdim=True)
        length = self.gradient.norm(dim=1, keepdim=True).clamp_min(torch.finfo(last.dtype).tiny)
        return torch.where(last > 0, curvature / last, 1 / length)
