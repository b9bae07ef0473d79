"""FISTA, the paper's solver."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from sklearn_flipad.base.lanes import column
from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.solvers._batch import BatchIteration, solve_batch

__all__ = ["FISTA"]


@dataclass(frozen=True)
class FISTA:
    """Accelerated proximal gradient.

    L is the Lipschitz constant of the gradient, ``2 ||G||²``.

    Parameters
    ----------
    restart : bool, default=False
        Whether a sample's momentum is reset when it points uphill (the gradient scheme
        of O'Donoghue and Candès).
    check_every : int, default=20
        Iterations between two looks at the duality gap.
    step : float, default=None
        Step size for the objective as it stands, without a factor 1/2; 1/L by default.
        Steps above that may diverge.

    References
    ----------
    Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear
    inverse problems", SIAM J. Imaging Sciences 2009; O'Donoghue and Candès, "Adaptive
    restart for accelerated gradient schemes", Found. Comput. Math. 2015.
    """

    restart: bool = False
    check_every: int = 20
    step: float | None = None

    @full_precision()
    def prepare(self, operator):
        """Compute the step, which depends on the layer alone.

        Parameters
        ----------
        operator : LinearOperator
            G.

        Returns
        -------
        float
        """
        return self.step or 1 / (2 * operator.norm_squared or 1.0)

    @full_precision()
    def solve(self, problem, *, state=None, start=None, tol=1e-3, max_iter=10_000, callback=None):
        """Solve a batch of lasso problems.

        Parameters
        ----------
        problem : LassoProblem
            The problems.
        state : float, default=None
            What :meth:`prepare` returned for the problem's operator; computed by default.
        start : torch.Tensor, shape (n, *operator.input_shape), default=None
            Starting point; 0 by default.
        tol : float, default=1e-3
            Relative duality gap at which a sample is finished.
        max_iter : int, default=10_000
            Largest number of iterations.
        callback : callable, default=None
            Called at every check as ``callback(n_iter, rows, z, objective, gap)``.

        Returns
        -------
        LassoResult

        Raises
        ------
        ValueError
            If targets are NaN or too large for single precision.
        """
        problem.check_targets()
        step = self.prepare(problem.operator) if state is None else state
        return solve_batch(
            lambda problem, start: _FISTAIteration(problem, start, step, self.restart),
            problem,
            start,
            tol=tol,
            max_iter=max_iter,
            check_every=self.check_every,
            callback=callback,
        )


class _FISTAIteration(BatchIteration):
    """Iterates z, their images G z, and the extrapolated point y with its residual.

    G y is the same extrapolation of G z, so that each iteration costs one forward and
    one adjoint, and the dual bound comes from the residual at y at no further cost.
    """

    per_sample = ("z", "image", "y", "residual", "correlation", "momentum")

    def __init__(self, problem, start, step, restart):
        super().__init__(problem)
        operator = problem.operator
        self.step, self.restart = step, restart
        # A threshold past the largest number is as good as that.
        self.threshold = min(problem.lam * step, torch.finfo(problem.b.dtype).max)
        if start is None:
            self.z = problem.b.new_zeros(len(problem), *operator.input_shape)
            self.image = torch.zeros_like(problem.b)
        else:
            self.z = start.clone()
            self.image = operator.forward(self.z)
        self.y = self.z
        self.residual = problem.b - self.image
        self.correlation = operator.adjoint(self.residual)
        self.momentum = problem.b.new_ones(len(problem), dtype=torch.float64)

    def advance(self):
        previous, previous_image = self.z, self.image
        point = torch.add(self.y, self.correlation, alpha=2 * self.step)
        self.z = F.softshrink(point, self.threshold)
        self.image = self.problem.operator.forward(self.z)
        change = self.z - previous
        if self.restart:
            uphill = ((self.y - self.z) * change).flatten(1).sum(dim=1) > 0
            self.momentum = torch.where(uphill, torch.ones_like(self.momentum), self.momentum)
        following = (1 + torch.sqrt(1 + 4 * self.momentum**2)) / 2
        weight = (self.momentum - 1) / following
        self.momentum = following
        image = torch.addcmul(self.image, column(weight, self.image), self.image - previous_image)
        self.y = change.mul_(column(weight, change)).add_(self.z)
        self.residual = self.problem.b - image
        self.correlation = self.problem.operator.adjoint(self.residual)

    def refresh(self):
        """Do nothing: momentum is reset within an iteration."""

    def solution(self):
        return self.z

    def certify(self, tol):
        primal = self.problem.primal(self.z, self.problem.b - self.image)
        return primal, self.problem.dual(self.residual, self.correlation)
