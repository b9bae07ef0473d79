"""Douglas-Rachford splitting with exact projections, the default solver."""

from dataclasses import dataclass

import torch

from sklearn_flipad.solvers.batch import BatchIteration, column, pad_to_lanes, run

__all__ = ["DouglasRachford"]

#: The ridge of the projections, relative to ||G||². The iteration is indifferent to it
#: over orders of magnitude; it bounds the condition number of the Gram matrix.
_RIDGE = 1e-3
#: The first threshold, relative to the root mean square of the least-norm solution.
_FIRST_THRESHOLD = 8.0
#: The least first step, relative to 1/||G||²; it takes over where lam is large.
_LEAST_STEP = 60.0
#: A restart happens when the fixed-point residual has shrunk to this fraction.
_RESTART = 0.3


@dataclass(frozen=True)
class DouglasRachford:
    """Restarted, reflected Halpern iteration of the Douglas-Rachford operator.

    The residual is made a variable of its own: with ``r = sqrt(ridge) u`` the problem is
    to minimise ``lam/2 ||z||₁ + ridge/2 ||u||²`` subject to ``G z + sqrt(ridge) u = b``.
    The projection onto the constraint is exact and needs ``(ridge I + G G^T)^-1``, which
    depends neither on lam nor on the step size. So it is factored once for a layer, and
    every sample can have a step size of its own, balanced at its restarts so that primal
    and dual points move equally far.

    Parameters
    ----------
    check_every : int, default=20
        Iterations between two looks at the duality gap and the restart criterion.

    Notes
    -----
    With ``t`` the solution of the small system, ``t / step`` is a dual point.

    Made for the small penalties of final-layer inversion. Above a tenth of the penalty
    that makes the solution 0, ``2 max |G^T b|``, ``FISTA(restart=True)`` needs fewer
    iterations.

    References
    ----------
    Douglas and Rachford, Trans. Amer. Math. Soc. 1956; Lu and Yang, "Restarted Halpern
    PDHG for Linear Programming", arXiv:2407.16144, for the restarts and the reflection.
    """

    check_every: int = 20

    def solve(self, problem, *, start=None, tol=1e-2, max_iter=2000, callback=None):
        """Solve a batch of lasso problems.

        Parameters
        ----------
        problem : LassoProblem
            The problems.
        start : torch.Tensor, shape (n, *operator.input_shape), default=None
            Starting point; 0 by default.
        tol : float, default=1e-2
            Relative duality gap at which a sample is finished.
        max_iter : int, default=2000
            Largest number of iterations.
        callback : callable, default=None
            Called at every check as ``callback(n_iter, rows, z, objective, gap)``.

        Returns
        -------
        LassoResult
        """
        iteration = _DouglasRachfordIteration(*pad_to_lanes(problem, start))
        return run(
            iteration,
            len(problem),
            tol=tol,
            max_iter=max_iter,
            check_every=self.check_every,
            callback=callback,
        )


class _DouglasRachfordIteration(BatchIteration):
    """The iterate ``(w, s)`` that belongs to the variables ``(z, u)``, and its anchor.

    At the current iterate, ``clamped`` is w clipped to the threshold, so that
    ``w - clamped`` is the soft-thresholded, primal point; ``(v, vs)`` is its reflection,
    ``t`` solves the projection's small system, and ``q = G^T t``.
    """

    per_sample = (
        "w", "s", "anchor", "anchor_s", "step", "since_restart", "first_residual",
        "clamped", "v", "vs", "t", "q",
    )  # fmt: skip

    def __init__(self, problem, start):
        super().__init__(problem)
        operator, b = problem.operator, problem.b
        self.ridge = _RIDGE * operator.norm_squared or 1.0
        self.root = self.ridge**0.5
        self.gram = operator.gram_solver(self.ridge)
        least_norm = operator.adjoint(self.gram.solve(b))
        size = _norm(least_norm) / operator.n_inputs**0.5
        self.step = 2 * _FIRST_THRESHOLD * size / problem.lam
        self.step += _LEAST_STEP / (operator.norm_squared or 1.0)
        if start is None:
            self.w, self.s = torch.zeros_like(least_norm), torch.zeros_like(b)
        else:
            step = column(self.step, b)
            self.w = start + step * (problem.lam / 2) * start.sign()
            self.s = problem.residual(start) * ((1 + self.ridge * step) / self.root)
        self.anchor, self.anchor_s = self.w, self.s
        self.since_restart = torch.zeros_like(self.step)
        self._evaluate()
        self.first_residual = self._fixed_point_residual()

    def _clamp(self, w, step):
        threshold = column(step * (self.problem.lam / 2), w)
        return w.clamp(-threshold, threshold)

    def _shrink(self, s, step):
        return s / (1 + self.ridge * column(step, s))

    def _evaluate(self):
        self.clamped = self._clamp(self.w, self.step)
        self.v = torch.sub(self.w, self.clamped, alpha=2)
        self.vs = 2 * self._shrink(self.s, self.step) - self.s
        small = self.problem.residual(self.v).sub_(self.vs, alpha=self.root)
        self.t = self.gram.solve(small)
        self.q = self.problem.operator.adjoint(self.t)

    def advance(self):
        weight = (self.since_restart + 1) / (self.since_restart + 2)
        reflected = self.v.add_(self.q, alpha=2)
        self.w = torch.lerp(self.anchor, reflected, column(weight, reflected))
        reflected = self.vs.add_(self.t, alpha=2 * self.root)
        self.s = torch.lerp(self.anchor_s, reflected, column(weight, reflected))
        self.since_restart = self.since_restart + 1
        self._evaluate()

    def solution(self):
        return self.w - self.clamped

    def certify(self):
        z = self.solution()
        residual = self.problem.residual(z)
        step = column(self.step, z)
        bound = self.problem.dual(self.t / step, self.q / step)
        # The residual is the better dual point where lam is large.
        other = self.problem.dual(residual, self.problem.operator.adjoint(residual))
        return self.problem.primal(z, residual), torch.maximum(bound, other)

    def _fixed_point_residual(self):
        in_u = self._shrink(self.s, self.step) - self.s + self.root * self.t
        return torch.hypot(_norm(self.q - self.clamped), _norm(in_u))

    def refresh(self):
        """Restart the samples whose fixed-point residual has shrunk enough."""
        residual = self._fixed_point_residual()
        rows = (residual <= _RESTART * self.first_residual).nonzero().flatten()
        if len(rows):
            self.first_residual[rows] = residual[rows]
            self._restart(rows)

    def _restart(self, rows):
        """Anchor samples at their next plain iterate, with a balanced step."""
        step, balanced = self.step[rows], self._balanced_step(rows)
        w = self.v[rows] + self.q[rows] + self.clamped[rows]
        s = self._shrink(self.s[rows], step) + self.root * self.t[rows]
        # The prox keeps its point and its subgradient when the step changes.
        ratio = column(balanced / step, w)
        self.anchor, self.anchor_s = self.anchor.clone(), self.anchor_s.clone()
        self.anchor[rows] = w + (ratio - 1) * self._clamp(w, step)
        shrunk = self._shrink(s, step)
        self.anchor_s[rows] = shrunk + ratio * (s - shrunk)
        self.step[rows] = balanced
        # The next iterate is the anchor itself: its weight is (-1 + 1) / (-1 + 2) = 0.
        self.since_restart[rows] = -1

    def _balanced_step(self, rows):
        """Geometric mean of the step and of how far z moved relative to the dual."""
        step, anchor = self.step[rows], self.anchor[rows]
        clamped = self._clamp(anchor, step)
        dual_move = _norm(self.clamped[rows] - clamped) / step
        primal_move = _norm(self.w[rows] - self.clamped[rows] - anchor + clamped)
        moved = (primal_move > 0) & (dual_move > 0)
        return torch.where(moved, (step * primal_move / dual_move).sqrt(), step)


def _norm(x):
    return torch.linalg.vector_norm(x.flatten(1), dim=1)
