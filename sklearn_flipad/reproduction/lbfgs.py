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
    curvature : float, default=None
        What the Hessian is taken for before any pair is known, as a multiple of the identity.
        By default the first step has length 1, and later the last pair tells.

    References
    ----------
    Nocedal and Wright, "Numerical Optimization", 2nd edition, Algorithms 3.1 and 7.4.
    """

    def __init__(self, z, memory=10, curvature=None):
        self.z = z
        self.curvature = curvature
        self.steps = z.new_zeros(memory, *z.flatten(1).shape)
        self.changes = torch.zeros_like(self.steps)
        self.length = z.new_ones(len(z))
        self.value = z.new_full((len(z),), torch.inf)  # no value yet: the first is accepted
        self.point = z.flatten(1).clone()
        self.gradient = torch.zeros_like(self.point)
        self.direction = torch.zeros_like(self.point)

    def restart(self, rows, z):
        """Let some rows start anew, from other points.

        Parameters
        ----------
        rows : torch.Tensor of int64, shape (n_rows,)
            Which.
        z : torch.Tensor, shape (n_rows, ...)
            Their starting points.
        """
        self.z[rows] = z
        self.steps[:, rows], self.changes[:, rows] = 0, 0
        self.length[rows], self.value[rows] = 1, torch.inf
        self.gradient[rows], self.direction[rows] = 0, 0

    def keep(self, rows):
        """Keep only `rows`.

        Parameters
        ----------
        rows : torch.Tensor of int64, shape (n_rows,)
            Which.
        """
        for name in ("z", "length", "value", "point", "gradient", "direction"):
            setattr(self, name, getattr(self, name)[rows])
        self.steps, self.changes = self.steps[:, rows], self.changes[:, rows]

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
        first = self.value == torch.inf
        slope = (self.gradient * self.direction).sum(dim=1)
        accepted = values <= self.value + _ARMIJO * self.length * slope
        self._remember(accepted & ~first, trial - self.point, gradients - self.gradient)
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
        """Minus the inverse Hessian's estimate times the gradient."""
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
        if self.curvature is not None:
            return 1 / self.curvature
        last = self.changes[-1].square().sum(dim=1, keepdim=True)
        length = self.gradient.norm(dim=1, keepdim=True).clamp_min(torch.finfo(last.dtype).tiny)
        return torch.where(last > 0, curvature / last, 1 / length)
