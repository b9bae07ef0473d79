"""The reflected Halpern iteration of Douglas-Rachford splitting.

In the form of the textbook, with f the penalties, g the constraint, T the operator of the
splitting and w0 the anchor, one iteration is::

    x = prox_f(w),  y = prox_g(2 x - w),  T w = w + y - x
    w <- (1 - 1/k) (2 T w - w) + w0 / k

=====================  ==========================================  ========================
Textbook               Here                                        Attribute
=====================  ==========================================  ========================
G, b                   the layer and a sample's target             ``problem``
lam                    penalty, of the paper's equation (8)        ``problem.lam``
z                      activations, the primal point x             ``v + clipped``
u                      residual over ``sqrt(ridge)``               not kept; shrunken s
w = (w, s)             the iterate, its parts for z and for u      ``v + 2 clipped``, ``s``
prox_f                 soft threshold of w, shrinkage of s         ``clipped``, ``_shrinkage``
2 x - w                the reflection                              ``v``
t                      solution of ``(ridge I + G D² G^T) t = r``  ``t``, and ``G^T t`` in ``q``
w0                     the anchor                                  ``anchor``, ``anchor_s``
k                      steps since the anchor, plus a delay        ``age``
tau                    the step, one per sample                    ``step``
D                      the channels' factors                       ``scales``
rho                    the ridge                                   ``ridge``
=====================  ==========================================  ========================
"""

import torch

from sklearn_flipad.base.lanes import column, fill_lanes
from sklearn_flipad.solvers._batch import BatchIteration
from sklearn_flipad.solvers.fista import FISTA

__all__ = ["HalpernIteration"]

#: The first threshold, relative to the root mean square of the least-norm solution.
_FIRST_THRESHOLD = 8.0
#: The least first step, relative to 1/||G||²; it takes over where lam is large.
_LEAST_STEP = 60.0
#: A restart happens when the fixed-point residual has shrunk to this fraction.
_RESTART = 0.45
#: An iterate k steps after a restart is drawn to the anchor by 1/(k + _DELAY). Halpern's
#: own delay, 2, is the safest; a longer one lets an iteration that goes well run on.
_DELAY = 25
#: The dual point is mended if the relative gap is at most this many times too large: by so many
#: steps, of at most this length. Excesses are sparse, so the steps that remove them are too short
#: by about the ratio of inputs to outputs.
_NEAR = 3.0
_N_MENDING = 6
_LONGEST_MENDING = 6.0
#: First iteration whose supports are those of solutions.
_FIRST_CROSSOVER = 40


class HalpernIteration(BatchIteration):
    """The iterate ``(w, s)`` that belongs to the variables ``(z, u)``, and its anchor.

    Everything is divided by the thresholds, ``lam/2`` times the sample's step and times
    ``D²`` for w, so that all are clipped at 1. ``clipped`` is w clipped to [-1, 1], so
    ``w - clipped`` is the soft-thresholded, primal point. ``v`` is the reflection of w at
    that point and stands for w, which is ``v + 2 clipped``; ``t`` solves the projection's
    small system, and ``q`` is ``G^T t``.
    """

    per_sample = (
        "b", "step", "by_residual", "anchor", "anchor_s", "age", "first_residual",
        "v", "clipped", "s", "t", "q",
    )  # fmt: skip

    def __init__(self, problem, start, settings, splitting):
        super().__init__(problem)
        operator = problem.operator
        self.splitting = splitting
        self.n_polish, self.n_advanced = settings.polish, 0
        self.scales, self.ridge = splitting.scales, splitting.gram.ridge
        self.root = self.ridge**0.5
        least_norm = self.scales * operator.adjoint(self.splitting.gram.solve(problem.b))
        size = _norm(least_norm) / operator.n_inputs**0.5
        step = 2 * _FIRST_THRESHOLD * size / problem.lam
        least_step = _LEAST_STEP / self.splitting.norm_squared
        # If lam is large, the residual is the better dual point.
        self.by_residual = step < 10 * least_step
        self.step = step + least_step
        self.b = problem.b / self._threshold(problem.b)
        if start is None:
            self.anchor, self.anchor_s = torch.zeros_like(least_norm), torch.zeros_like(self.b)
        else:
            self.anchor = start / self._thresholds(start) + start.sign()
            residual = problem.residual(start) / self._threshold(self.b)
            self.anchor_s = residual * column((1 + self.ridge * self.step) / self.root, self.b)
        self.v, self.s = self.anchor.clone(), self.anchor_s.clone()
        self.clipped = torch.empty_like(self.v)
        self.age = torch.full_like(self.step, _DELAY)
        self._reflect()
        self.first_residual = self._fixed_point_residual()

    def _threshold(self, like):
        return column(self.step * (self.problem.lam / 2), like)

    def _thresholds(self, like):
        return self._threshold(like) * self.scales.square()

    def _shrinkage(self, rows=slice(None)):
        """The factor by which the prox of u shrinks s."""
        return column(1 / (1 + self.ridge * self.step[rows]), self.s)

    def _reflect(self):
        """Replace w, which is in v, by its reflection, and solve the projection's system for it."""
        torch.clamp(self.v, -1, 1, out=self.clipped)
        self.v.sub_(self.clipped, alpha=2)
        small = self.b - self.splitting.forward(self.v)
        small.addcmul_(self.s, 2 * self._shrinkage() - 1, value=-self.root)
        self.t = self.splitting.gram.solve(small)
        self.q = self.problem.operator.adjoint(self.t)

    def advance(self):
        self.n_advanced += 1
        weight = 1 / self.age
        self.age = (self.age + 1).clamp_min(_DELAY)
        self.v.add_(self.q, alpha=2)
        self.v.lerp_(self.anchor, column(weight, self.v))
        self.s.mul_(2 * self._shrinkage() - 1).add_(self.t, alpha=2 * self.root)
        self.s.lerp_(self.anchor_s, column(weight, self.s))
        self._reflect()

    def solution(self):
        return (self.v + self.clipped).mul_(self._thresholds(self.v))

    def finished(self, rows, objective):
        if self.splitting.crossover is None:
            z, objective = super().finished(rows, objective)
            is_rough = torch.ones_like(objective, dtype=torch.bool)
        else:
            z, objective, is_rough = self.crossed[rows], objective[rows], self.is_rough[rows]
        if not (self.n_polish and self.n_advanced and is_rough.any()):
            return z, objective
        fista = FISTA(check_every=self.n_polish, step=self.splitting.polish_step)
        polished = fista.solve(self.problem.select(rows), start=z, tol=0.0, max_iter=self.n_polish)
        better = is_rough & (polished.objective < objective)
        z[better] = polished.z[better]
        return z, torch.where(better, polished.objective, objective)

    def certify(self, tol):
        z = self.solution()
        residual = self.problem.residual(z)
        bound = self.problem.dual(self.t, self.q)
        if self.by_residual.any():
            # Where lam is large, the residual is the better dual point.
            other = self.problem.dual(residual, self.problem.operator.adjoint(residual))
            bound = torch.where(self.by_residual, torch.maximum(bound, other), bound)
        value = self.problem.primal(z, residual)
        if self.splitting.crossover is None:
            return value, self._mended(value, bound, tol)
        self.crossed = z
        if not 0 < self.n_advanced < _FIRST_CROSSOVER:
            value, bound = self._cross(z, value, bound)
        self.is_rough = self.problem.relative_gap(value, bound) > tol
        return value, bound

    def _mended(self, value, bound, tol):
        """Dual bounds, mended where that may be enough."""
        gap = self.problem.relative_gap(value, bound)
        near = (gap > tol) & (gap <= _NEAR * tol)
        if near.any():
            rows = fill_lanes(near)
            better = torch.maximum(bound[rows], self._mended_bound(rows))
            bound[rows] = torch.where(near[rows], better, bound[rows])
        return bound

    def _mended_bound(self, rows):
        """Dual bounds after violations of the constraints have been moved away.

        The bound scales a dual point by its largest violation, of one activation among
        thousands. A few accelerated steps move ``G^T t`` towards its clipped values, in the
        least-squares sense in which the small system is solved.
        """
        problem, operator = self.problem.select(rows), self.problem.operator
        t, q = self.t[rows], self.q[rows]
        length = min(max(operator.n_inputs / operator.n_outputs, 1.0), _LONGEST_MENDING)
        at_t, at_q = t, q
        bounds = []
        for step in range(_N_MENDING):
            excess = at_q - at_q.clamp(-1, 1)
            change = self.splitting.gram.solve(self.splitting.forward(excess))
            previous_t, previous_q = t, q
            t = at_t - length * change
            q = operator.adjoint(t)
            bounds.append(problem.dual(t, q))
            momentum = step / (step + 3)
            at_t, at_q = torch.lerp(t, previous_t, -momentum), torch.lerp(q, previous_q, -momentum)
        return torch.stack(bounds).amax(dim=0)

    def _cross(self, z, value, bound):
        """Objectives and bounds with exact points on the support where they are better."""
        moved, dual = self.splitting.crossover.points(self.problem, z)
        other = self.problem.primal(moved, self.problem.residual(moved))
        bound = torch.maximum(bound, self.problem.dual(dual, self.problem.operator.adjoint(dual)))
        better = other < value
        self.crossed = torch.where(better[:, None], moved, z)
        return torch.where(better, other, value), bound

    def _fixed_point_residual(self):
        in_u = (self._shrinkage() - 1) * self.s + self.root * self.t
        scale = self.step * (self.problem.lam / 2)
        in_z = (self.q - self.clipped).mul_(self.scales)
        return torch.hypot(_norm(in_z), _norm(in_u)) * scale

    def refresh(self):
        """Restart the samples whose fixed-point residual has shrunk enough."""
        residual = self._fixed_point_residual()
        rows = (residual <= _RESTART * self.first_residual).nonzero().flatten()
        if len(rows):
            self.first_residual[rows] = residual[rows]
            self._restart(rows)

    def _restart(self, rows):
        """Anchor samples at their next plain iterate, with a balanced step."""
        clipped, primal, anchor = self.clipped[rows], self.v[rows], self.anchor[rows]
        primal += clipped
        ratio = self._balance(rows, primal, clipped, anchor)
        w = primal.add_(self.q[rows])
        torch.clamp(w, -1, 1, out=clipped)
        # The prox keeps its point and its subgradient when the step changes.
        self.anchor[rows] = w.sub_(clipped).div_(column(ratio, w)).add_(clipped)
        shrinkage = self._shrinkage(rows)
        s = shrinkage * self.s[rows] + self.root * self.t[rows]
        self.anchor_s[rows] = shrinkage * s / column(ratio, s) + (1 - shrinkage) * s
        self.step[rows] *= ratio
        self.b[rows] /= column(ratio, s)
        self.age[rows] = 1  # the next iterate is the anchor itself

    def _balance(self, rows, primal, clipped, anchor):
        """Factors of the step with which primal and dual points would have moved equally far."""
        dual_move = clipped - anchor.clamp(-1, 1)
        primal_move = (primal - anchor).sub_(dual_move).add_(clipped)
        dual_size = _norm(dual_move.mul_(self.scales))
        primal_size = _norm(primal_move.mul_(self.scales))
        # If lam is large, the step could change forever.
        balanced = (primal_size > 0) & (dual_size > 0) & ~self.by_residual[rows]
        ratio = (primal_size / dual_size).sqrt()
        return torch.where(balanced, ratio, torch.ones_like(ratio))


def _norm(x):
    return torch.linalg.vector_norm(x.flatten(1), dim=1)
