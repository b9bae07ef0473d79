"""The loop of iterative solvers: check, stop each sample by its gap, drop finished samples."""

from abc import ABC, abstractmethod
from dataclasses import fields

import torch

from sklearn_flipad.base.lanes import fill_lanes, lanes_for, whole_lanes
from sklearn_flipad.solvers.problem import LassoProblem, LassoResult

__all__ = ["BatchIteration", "solve_batch"]


class BatchIteration(ABC):
    """State of an iterative method on a batch of problems, those that are still being solved.

    The base class of methods that :func:`solve_batch` runs. Subclasses name their attributes with
    one row per sample in ``per_sample``, a tuple of str.

    Parameters
    ----------
    problem : LassoProblem
        The problems at the start; later those that are still being solved.
    """

    per_sample = ()

    def __init__(self, problem):
        self.problem = problem

    @abstractmethod
    def advance(self):
        """Do one iteration."""

    @abstractmethod
    def solution(self):
        """Return the current primal point.

        Returns
        -------
        torch.Tensor, shape (n, *input_shape)
        """

    @abstractmethod
    def certify(self, tol):
        """Compute the primal objective and the dual bound of the current point.

        Parameters
        ----------
        tol : float
            Relative gap that ends a sample. For a bound that is nearly good enough, more may be
            done.

        Returns
        -------
        primal, dual : torch.Tensor of float64, shape (n,)
        """

    @abstractmethod
    def refresh(self):
        """Do the work between two checks, such as a restart."""

    def finished(self, rows, objective):
        """Return solutions and objectives of the samples that leave.

        Parameters
        ----------
        rows : torch.Tensor of bool, shape (n,)
            Those samples.
        objective : torch.Tensor of float64, shape (n,)
            Objectives of the current points of all samples.

        Returns
        -------
        z : torch.Tensor, shape (n_leaving, *input_shape)
        objective : torch.Tensor of float64, shape (n_leaving,)
            At most those of the current points.
        """
        return self.solution()[rows], objective[rows]

    def keep(self, rows):
        """Keep only `rows`."""
        self.problem = self.problem.select(rows)
        for name in self.per_sample:
            setattr(self, name, getattr(self, name)[rows])


def solve_batch(build, problem, start, *, callback=None, **limits):
    """Iterate until each problem of a batch is solved.

    A sample leaves the batch at the check at which it has finished, so its result does not depend
    on its neighbors. Problems are solved in lanes, or one by one if they are large.

    Parameters
    ----------
    build : callable
        ``build(problem, start)`` returns a :class:`BatchIteration` at its starting points.
    problem : LassoProblem
        The problems, n of them.
    start : torch.Tensor, shape (n, *input_shape), or None
        Starting points, which are passed to `build`.
    callback : callable, default=None
        Called as ``callback(n_iter, rows, z, objective, gap)`` at every check, with the rows that
        are still being solved.
    **limits
        ``tol``, the relative duality gap that ends a sample, ``max_iter`` and ``check_every``, the
        number of iterations between two checks.

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
    """A callback that is given the number of the row instead of 0."""
    if callback is None:
        return None
    return lambda n_iter, rows, *seen: callback(n_iter, rows + row, *seen)


def _run(iteration, n_samples, *, tol, max_iter, check_every, callback=None):
    """Result of an iteration, for whose limits see :func:`solve_batch`.

    Problems after the first `n_samples` are padding.
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
    """Problems and starting points with empty ones added, up to a multiple of the lanes."""
    n_missing = whole_lanes(len(problem)) - len(problem)
    b = torch.cat([problem.b, problem.b.new_zeros(n_missing, *problem.b.shape[1:])])
    if start is not None:
        start = torch.cat([start, start.new_zeros(n_missing, *start.shape[1:])])
    return LassoProblem(problem.operator, b, problem.lam), start
