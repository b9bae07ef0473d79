"""The loop that all solvers share: check, stop each sample by its gap, compact."""

from abc import ABC, abstractmethod
from dataclasses import fields

import torch

from sklearn_flipad.base.lanes import LANES, fill_lanes, whole_lanes
from sklearn_flipad.solvers.problem import LassoProblem, LassoResult

__all__ = ["BatchIteration", "lanes_for", "solve_batch"]


class BatchIteration(ABC):
    """The state of an iterative method on a batch of problems.

    Parameters
    ----------
    problem : LassoProblem
        The problems that are still being solved.
    """

    #: Names of the attributes that hold one row per sample.
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
    def certify(self, tol):
        """Primal objective and dual bound of the current point.

        Parameters
        ----------
        tol : float
            Relative gap that is aimed at: where the bound is nearly good enough, more may be
            done for a better one.

        Returns
        -------
        objective, bound : torch.Tensor, shape (n,)
        """

    @abstractmethod
    def refresh(self):
        """Do what is done between two checks, such as a restart."""

    def finished(self, rows, objective):
        """What is returned of samples that leave.

        Parameters
        ----------
        rows : torch.Tensor of bool, shape (n,)
            The samples that leave.
        objective : torch.Tensor, shape (n,)
            Primal objective of the current point.

        Returns
        -------
        z : torch.Tensor, shape (n_leaving, *input_shape)
            Their solutions.
        objective : torch.Tensor, shape (n_leaving,)
            Primal objective of the solutions, at most that of the current point.
        """
        return self.solution()[rows], objective[rows]

    def keep(self, rows):
        """Keep only `rows`."""
        self.problem = self.problem.select(rows)
        for name in self.per_sample:
            setattr(self, name, getattr(self, name)[rows])


#: Samples with so many activations are solved one at a time: lanes of them would not fit into the
#: caches, nor many of them into memory, and gain little.
_ALONE = 2**19


def lanes_for(n_inputs):
    """Samples that are solved side by side at least.

    Parameters
    ----------
    n_inputs : int
        Activations of a sample.

    Returns
    -------
    int
        1 where a sample has many.
    """
    return LANES if n_inputs < _ALONE else 1


def solve_batch(build, problem, start, *, callback=None, **limits):
    """Solve problems in lanes, or one after the other where they are large.

    Parameters
    ----------
    build : callable
        ``build(problem, start)`` returns the iteration at its starting point.
    problem : LassoProblem
        The problems.
    start : torch.Tensor or None
        Their starting points.
    callback : callable, default=None
        See :func:`_run`.
    **limits
        ``tol``, ``max_iter`` and ``check_every``, see there.

    Returns
    -------
    LassoResult

    Raises
    ------
    ValueError
        If a solution is not finite.
    """
    if lanes_for(problem.operator.n_inputs) > 1:
        iteration = build(*_pad_to_lanes(problem, start))
        return _run(iteration, len(problem), callback=callback, **limits)
    results = []
    for row in range(max(len(problem), 1)):
        only = slice(row, row + 1)
        iteration = build(problem.select(only), None if start is None else start[only])
        n_samples = len(problem.b[only])
        results.append(_run(iteration, n_samples, callback=_of_row(callback, row), **limits))
    names = [field.name for field in fields(LassoResult)]
    parts = {name: torch.cat([getattr(result, name) for result in results]) for name in names}
    return LassoResult(**parts)


def _of_row(callback, row):
    """A callback that sees the number of the row instead of 0."""
    if callback is None:
        return None
    return lambda n_iter, rows, *seen: callback(n_iter, rows + row, *seen)


def _run(iteration, n_samples, *, tol, max_iter, check_every, callback=None):
    """Iterate until every sample's relative duality gap is at most `tol`.

    A sample that has finished leaves the batch at the check at which it did, so what it
    returns does not depend on how long its neighbors take.

    Parameters
    ----------
    iteration : BatchIteration
        The method, at its starting point, on problems from :func:`_pad_to_lanes`.
    n_samples : int
        How many of the problems are not padding.
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

    Raises
    ------
    ValueError
        If a solution is not finite.
    """
    operator, device = iteration.problem.operator, iteration.problem.b.device
    z = iteration.problem.b.new_empty(n_samples, *operator.input_shape)
    objective = torch.empty(n_samples, dtype=torch.float64, device=device)
    gap = torch.empty_like(objective)
    n_iter = torch.empty(n_samples, dtype=torch.int64, device=device)
    if not n_samples:
        return LassoResult(z, objective, gap, n_iter, gap <= tol)
    rows = torch.arange(len(iteration.problem), device=device)
    still_open = rows < n_samples
    done = 0
    while True:
        value, bound = iteration.certify(tol)
        relative = iteration.problem.relative_gap(value, bound)
        if callback is not None:
            seen = (rows, iteration.solution(), value, relative)
            callback(done, *(part[still_open] for part in seen))
        leaving = still_open & (relative <= tol) if done < max_iter else still_open
        if leaving.any():
            left = rows[leaving]
            z[left], objective[left] = iteration.finished(leaving, value)
            gap[left] = iteration.problem.relative_gap(objective[left], bound[leaving])
            n_iter[left] = done
            still_open = still_open & ~leaving
            if not still_open.any():
                _check_finite(z)
                return LassoResult(z, objective, gap, n_iter, gap <= tol)
            kept = fill_lanes(still_open)
            if len(kept) < len(rows):
                iteration.keep(kept)
                rows, still_open = rows[kept], still_open[kept]
        iteration.refresh()
        for _ in range(min(check_every, max_iter - done)):
            iteration.advance()
        done = min(done + check_every, max_iter)


def _check_finite(z):
    bad = ~z.isfinite().flatten(1).all(dim=1)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {len(z)} problems overflowed; the first is number "
            f"{int(bad.nonzero()[0])}. The penalty, the targets and the layer differ too much in "
            "scale for single precision."
        )


def _pad_to_lanes(problem, start=None):
    """Add empty problems until their number is a multiple of the lanes.

    Parameters
    ----------
    problem : LassoProblem
        The problems.
    start : torch.Tensor, default=None
        Their starting points.

    Returns
    -------
    LassoProblem, torch.Tensor or None
        The padded problems and starting points.
    """
    n_missing = whole_lanes(len(problem)) - len(problem)
    b = torch.cat([problem.b, problem.b.new_zeros(n_missing, *problem.b.shape[1:])])
    if start is not None:
        start = torch.cat([start, start.new_zeros(n_missing, *start.shape[1:])])
    return LassoProblem(problem.operator, b, problem.lam), start
