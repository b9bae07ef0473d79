"""Quasi-Newton descent of many small problems at once."""

from abc import ABC, abstractmethod

import torch

__all__ = ["QuasiNewton"]

#: Sufficient decrease, as a fraction of what the slope promises.
_ARMIJO = 1e-4
#: A step that has been shortened to this is given up, and the estimate of the Hessian with it.
_SHORTEST = 1e-6
#: Least cosine between a step and the change of its gradient for an update.
_COSINE = 1e-6


class QuasiNewton(ABC):
    """Quasi-Newton directions with a backtracking line search, each row on its own.

    `z`, shape (n, ...), holds the starting points and is changed in place to the next trial points.
    Each :meth:`step` is one trial of every row's line search, so rows that accept their trial and
    rows that shorten their step go on side by side. Subclasses estimate the inverse Hessian.

    References: Nocedal and Wright, "Numerical Optimization", 2nd edition, Algorithm 3.1.
    """

    def __init__(self, z):
        self.z = z
        self.length = z.new_ones(len(z))
        self.value = z.new_full((len(z),), torch.inf)  # no value yet: the first is accepted
        self.point = z.flatten(1).clone()
        self.gradient = torch.zeros_like(self.point)
        self.direction = torch.zeros_like(self.point)

    def restart(self, rows, z):
        """Let `rows` start anew from `z`, shape (n_rows, ...)."""
        self.z[rows], self.point[rows] = z, z.flatten(1)
        self.length[rows], self.value[rows] = 1, torch.inf
        self.gradient[rows], self.direction[rows] = 0, 0
        self._forget(rows)

    def keep(self, rows):
        """Keep only `rows`."""
        for name in ("z", "length", "value", "point", "gradient", "direction"):
            setattr(self, name, getattr(self, name)[rows])
        self._keep(rows)

    @torch.no_grad()
    def step(self, values, gradients):
        """Judge the trial points by values (n,) and gradients (n, ...), and move to the next."""
        trial, gradients = self.z.flatten(1).clone(), gradients.flatten(1)
        first = self.value == torch.inf
        slope = (self.gradient * self.direction).sum(dim=1)
        accepted = values <= self.value + _ARMIJO * self.length * slope
        step, change = trial - self.point, gradients - self.gradient
        # Without curvature along the step, the pair would spoil the inverse Hessian.
        norms = step.norm(dim=1) * change.norm(dim=1)
        bends = (step * change).sum(dim=1) > _COSINE * norms
        self._learn(accepted & ~first & bends, step, change)
        self.point = torch.where(accepted[:, None], trial, self.point)
        self.gradient = torch.where(accepted[:, None], gradients, self.gradient)
        self.value = torch.where(accepted, values, self.value)
        stuck = ~accepted & (self.length <= _SHORTEST)
        self._forget(stuck)
        renewed = accepted | stuck
        self.direction = torch.where(renewed[:, None], self._new_direction(), self.direction)
        self.length = torch.where(renewed, 1.0, 0.5 * self.length)
        self.z.copy_((self.point + self.length[:, None] * self.direction).reshape(self.z.shape))

    @abstractmethod
    def _learn(self, kept, step, change):
        """Update the estimates of rows that are `kept`; the gradient is that before the step."""

    @abstractmethod
    def _keep(self, rows):
        """Keep only the estimates of `rows`."""

    @abstractmethod
    def _forget(self, rows):
        """Forget the estimates of `rows`."""

    @abstractmethod
    def _new_direction(self):
        """Minus the estimated inverse Hessian times the gradient, shape (n, n_features)."""
