"""Quasi-Newton descent of many small problems at once."""

from abc import ABC, abstractmethod

import torch

__all__ = ["QuasiNewton"]

#: Sufficient decrease, as a fraction of what the slope promises.
_ARMIJO = 1e-4
#: A step that has been shortened to this is given up, and what was learned with it.
_SHORTEST = 1e-6
#: Least cosine between a step and the change of its gradient, to learn from them.
_COSINE = 1e-6


class QuasiNewton(ABC):
    """Quasi-Newton directions with a backtracking line search, each row on its own.

    Each call of :meth:`step` is one trial of every row's line search, so rows that accept
    their trial and rows that have to shorten their step go on side by side, and none
    depends on the others. Classes that derive from this one say what they learn of the Hessian.

    Parameters
    ----------
    z : torch.Tensor, shape (n, ...)
        Starting points. Changed in place: it always holds the next trial points.

    References
    ----------
    Nocedal and Wright, "Numerical Optimization", 2nd edition, Algorithm 3.1.
    """

    def __init__(self, z):
        self.z = z
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
        self.z[rows], self.point[rows] = z, z.flatten(1)
        self.length[rows], self.value[rows] = 1, torch.inf
        self.gradient[rows], self.direction[rows] = 0, 0
        self._forget(rows)

    def keep(self, rows):
        """Keep only `rows`.

        Parameters
        ----------
        rows : torch.Tensor of int64, shape (n_rows,)
            Which.
        """
        for name in ("z", "length", "value", "point", "gradient", "direction"):
            setattr(self, name, getattr(self, name)[rows])
        self._keep(rows)

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
        """Take in the pairs of the rows that are `kept`; the gradient is that before the step."""

    @abstractmethod
    def _keep(self, rows):
        """Keep what was learned of some rows only."""

    @abstractmethod
    def _forget(self, rows):
        """Forget what was learned of some rows."""

    @abstractmethod
    def _new_direction(self):
        """Minus the inverse Hessian's estimate times the gradient, shape (n, n_features)."""
