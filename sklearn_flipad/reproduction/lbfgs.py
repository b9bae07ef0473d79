"""L-BFGS for many small problems at once."""

import torch

__all__ = ["BatchedLBFGS"]

#: Sufficient decrease, as a fraction of what the slope promises.
_ARMIJO = 1e-4
#: A step that has been shortened to this is given up, and the memory with it.
_SHORTEST = 1e-6


class BatchedLBFGS:
    """Limited-memory BFGS with a backtracking line search, each row on its own.

    Each call of :meth:`step` is one trial of every row's line search, so rows that accept
    their trial and rows that have to shorten their step go on side by side, and none
    depends on the others.

    Parameters
    ----------
    z : torch.Tensor, shape (n, ...)
        Starting points. Changed in place: it always holds the next trial points.
    memory : int, default=10
        Pairs of steps and gradient changes that are kept.

    References
    ----------
    Nocedal and Wright, "Numerical Optimization", 2nd edition, Algorithms 3.1 and 7.4.
    """

    def __init__(self, z, memory=10):
        self.z = z
        self.steps = z.new_zeros(memory, *z.flatten(1).shape)
        self.changes = torch.zeros_like(self.steps)
        self.length = z.new_ones(len(z))
        self.point = None

    @torch.no_grad()
    def step(self, values, gradients):
        """Judge the trial points and move on to the next.

        Parameters
        ----------
        values : torch.Tensor, shape (n,)
            The objectives at the trial points.
        gradients : torch.Tensor, shape (n, ...)
            Their gradients.
        """
        trial, gradients = self.z.flatten(1).clone(), gradients.flatten(1)
        if self.point is None:
            self.point, self.value, self.gradient = trial, values.clone(), gradients.clone()
            self.direction = self._new_direction()
        else:
            slope = (self.gradient * self.direction).sum(dim=1)
            accepted = values <= self.value + _ARMIJO * self.length * slope
            self._remember(accepted, trial - self.point, gradients - self.gradient)
            self.point = torch.where(accepted[:, None], trial, self.point)
            self.gradient = torch.where(accepted[:, None], gradients, self.gradient)
            self.value = torch.where(accepted, values, self.value)
            stuck = ~accepted & (self.length <= _SHORTEST)
            self.steps[:, stuck], self.changes[:, stuck] = 0, 0
            renewed = accepted | stuck
            self.direction = torch.where(renewed[:, None], self._new_direction(), self.direction)
            self.length = torch.where(renewed, 1.0, 0.5 * self.length)
        self.z.copy_((self.point + self.length[:, None] * self.direction).reshape(self.z.shape))

    def _remember(self, accepted, step, change):
        # Without curvature along the step, the pair would spoil the inverse Hessian.
        norms = step.norm(dim=1) * change.norm(dim=1)
        kept = (accepted & ((step * change).sum(dim=1) > 1e-6 * norms))[None, :, None]
        self.steps = torch.where(kept, torch.cat([self.steps[1:], step[None]]), self.steps)
        self.changes = torch.where(kept, torch.cat([self.changes[1:], change[None]]), self.changes)

    def _new_direction(self):
        """Minus the inverse Hessian's estimate times the gradient; -g at first, of length 1."""
        curvature = (self.steps * self.changes).sum(dim=2, keepdim=True)
        weight = torch.where(curvature > 0, 1 / curvature, 0.0)
        direction, factors = -self.gradient, []
        for s, y, w in zip(self.steps.flip(0), self.changes.flip(0), weight.flip(0), strict=True):
            factors.append(w * (s * direction).sum(dim=1, keepdim=True))
            direction = direction - factors[-1] * y
        last = self.changes[-1].square().sum(dim=1, keepdim=True)
        length = self.gradient.norm(dim=1, keepdim=True).clamp_min(torch.finfo(last.dtype).tiny)
        direction = direction * torch.where(last > 0, curvature[-1] / last, 1 / length)
        pairs = zip(self.steps, self.changes, weight, reversed(factors), strict=True)
        for s, y, w, factor in pairs:
            direction = direction + s * (factor - w * (y * direction).sum(dim=1, keepdim=True))
        return direction
