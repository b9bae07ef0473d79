"""Douglas-Rachford splitting with exact projections, the default solver."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.operators import GramSolver, LinearOperator, gram_solver
from sklearn_flipad.solvers._batch import solve_batch
from sklearn_flipad.solvers._channel_scales import channel_scales
from sklearn_flipad.solvers._crossover import Crossover
from sklearn_flipad.solvers._halpern import HalpernIteration

__all__ = ["DouglasRachford", "Splitting"]

#: The ridge of the projections, relative to ||G||². The iteration is indifferent to it
#: over orders of magnitude; it bounds the condition number of the Gram matrix.
_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Splitting:
    """All that the iteration needs of a layer: scaled operators and a factored system.

    With D the channels' factors, the splitting is that of the problem in ``D^-1 z``.

    Parameters
    ----------
    operator : LinearOperator
        G.
    scales : torch.Tensor
        D, shaped to broadcast over activations.
    forward : callable
        ``G D²`` on batches.
    norm_squared : float
        Squared spectral norm of ``G D``.
    gram : GramSolver
        Solves ``(ridge I + G D² G^T) t = r``; its ``ridge`` is that of the problem.
    polish_step : float
        Step of the FISTA iterations that end each sample.
    crossover : Crossover or None
        Exact points on the support of an iterate, for layers with few outputs.
    """

    operator: LinearOperator
    scales: torch.Tensor
    forward: Callable
    norm_squared: float
    gram: GramSolver
    polish_step: float
    crossover: Crossover | None = None


@dataclass(frozen=True)
class DouglasRachford:
    """Restarted, reflected Halpern iteration of the Douglas-Rachford operator.

    The residual is made a variable of its own: with ``r = sqrt(ridge) u`` the problem is
    to minimize ``lam/2 ||z||₁ + ridge/2 ||u||²`` subject to ``G z + sqrt(ridge) u = b``.
    The projection onto the constraint is exact and needs ``(ridge I + G G^T)^-1``, which
    depends neither on lam nor on the step size. So it is factored once for a layer, and
    every sample can have a step size of its own, balanced at its restarts so that primal
    and dual points move equally far. Channels of image layers have factors to it, which
    are found once for a layer, on a small trial image.

    Parameters
    ----------
    check_every : int, default=20
        Iterations between two looks at the duality gap and the restart criterion.
    scaled : bool, default=True
        Whether the channels of image layers have step sizes of their own.
    polish : int, default=10
        Steps of FISTA that a finished sample gets. What its objective is above the
        minimum comes from its residual for the most part, which a few such steps mend:
        they more than halve the excess.

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
    scaled: bool = True
    polish: int = 10

    @full_precision()
    def prepare(self, operator):
        """Compute all that depends on the layer alone.

        Parameters
        ----------
        operator : LinearOperator
            G.

        Returns
        -------
        Splitting
        """
        scales = channel_scales(operator, DouglasRachford(scaled=False)) if self.scaled else None
        norm_squared = operator.norm_squared or 1.0
        if scales is None:
            inner, forward = operator, operator.forward
            column_of_scales = torch.ones((), dtype=operator.dtype, device=operator.device)
        else:
            inner = operator.image.weighted(scales)
            forward = operator.image.weighted(scales**2).forward
            shape = -1, *[1] * (len(operator.input_shape) - 1)
            column_of_scales = scales.to(operator.weight).reshape(shape)
        inner_norm_squared = inner.norm_squared or 1.0
        return Splitting(
            operator=operator,
            scales=column_of_scales,
            forward=forward,
            norm_squared=inner_norm_squared,
            gram=gram_solver(inner, _RIDGE * inner_norm_squared),
            polish_step=1 / (2 * norm_squared),
            crossover=Crossover.of(operator),
        )

    @full_precision()
    def solve(self, problem, *, state=None, start=None, tol=1e-2, max_iter=2000, callback=None):
        """Solve a batch of lasso problems.

        Parameters
        ----------
        problem : LassoProblem
            The problems.
        state : Splitting, default=None
            What :meth:`prepare` returned for the problem's operator; computed by default.
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

        Raises
        ------
        ValueError
            If targets are NaN or too large for single precision.
        """
        problem.check_targets()
        if state is None:
            state = self.prepare(problem.operator)
        return solve_batch(
            lambda problem, start: HalpernIteration(problem, start, self, state),
            problem,
            start,
            tol=tol,
            max_iter=max_iter,
            check_every=self.check_every,
            callback=callback,
        )
