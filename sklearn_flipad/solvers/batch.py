"""The loop that all solvers share: check, stop each sample by its gap, compact."""

from abc import ABC, abstractmethod

import torch

from sklearn_flipad.solvers.problem import LassoResult

__all__ = ["BatchIteration", "column", "run"]


class BatchIteration(ABC):
    """The state of an iterative method on a batch of problems.

    Attributes
    ----------
    problem : LassoProblem
        The problems that are still being solved.
    """

    #: Names of the attributes that hold one row a sample.
    per_sample = ()

    def __init__(self, problem):
        self.problem = problem

    @abstractmethod
    def advance(self):
        """Do one iteration."""

    @abstractmethod
    def solution(self):
        """The current primal point, shape ``(n, *input_shape)``."""

    @abstractmethod
    def certify(self):
        """Primal objective and dual bound of the current point, each shape ``(n,)``."""

    def refresh(self):
        """What a method does between two checks, such as a restart; nothing here."""

    def keep(self, rows):
        """Forget all samples but `rows`."""
        self.problem = self.problem.select(rows)
        for name in self.per_sample:
            setattr(self, name, getattr(self, name)[rows])


def run(iteration, *, tol, max_iter, check_every, callback=None):
    """Iterate until every sample's relative duality gap is at most `tol`.

    A sample that has finished leaves the batch at the check at which it did, so what it
    returns does not depend on how long its neighbours take.

    Parameters
    ----------
    iteration : BatchIteration
        The method, at its starting point.
    tol : float
        Relative duality gap at which a sample is finished.
    max_iter : int
        Iterations after which the rest is returned as it stands.
    check_every : int
        Iterations between two checks.
    callback : callable, default=None
        Called at every check as ``callback(n_iter, rows, z, objective, gap)`` with the
        rows of the batch that are still being solved.

    Returns
    -------
    LassoResult
    """
    problem = iteration.problem
    n, device = len(problem), problem.b.device
    z = problem.b.new_empty(n, *problem.operator.input_shape)
    objective = torch.empty(n, dtype=torch.float64, device=device)
    gap = torch.empty_like(objective)
    n_iter = torch.empty(n, dtype=torch.int64, device=device)
    rows = torch.arange(n, device=device)
    done = 0
    while len(rows):
        value, bound = iteration.certify()
        relative = problem.relative_gap(value, bound)
        if callback is not None:
            callback(done, rows, iteration.solution(), value, relative)
        # not (a <= b) rather than a > b: a NaN must not be taken for a solution
        finished = relative <= tol
        leaving = torch.ones_like(finished) if done >= max_iter else finished
        if leaving.any():
            left = rows[leaving]
            z[left] = iteration.solution()[leaving]
            objective[left], gap[left], n_iter[left] = value[leaving], relative[leaving], done
            staying = ~leaving
            rows = rows[staying]
            if len(rows):
                iteration.keep(staying)
        if len(rows):
            iteration.refresh()
            for _ in range(min(check_every, max_iter - done)):
                iteration.advance()
            done = min(done + check_every, max_iter)
    return LassoResult(z, objective, gap, n_iter, gap <= tol)


def column(values, like):
    """Per-sample values, shaped to broadcast over the axes of `like` and in its type."""
    return values.to(like.dtype).reshape(-1, *[1] * (like.ndim - 1))
