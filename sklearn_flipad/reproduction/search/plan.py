"""The plan of a search."""

from dataclasses import dataclass, field, replace

from sklearn_flipad.reproduction.options import SearchOptions
from sklearn_flipad.reproduction.search.metric import MAX_DENSE

__all__ = ["SearchPlan"]

#: Trials from a start by default.
_MAX_ITER = 200
#: Further starts by default. With encoders of 20 steps, 6 of 192 own samples of ebgan-0 are
#: rejected without any, and none with four; of 192 of the public 64x64 DCGAN 183 are reproduced
#: with four and 186 with eight (``python -m benchmarks constants``).
_N_RESTARTS = 8


@dataclass(frozen=True)
class SearchPlan:
    """Limits of a search for a generator and its samples.

    `max_iter` counts trials of the quasi-Newton method from each start, `n_newton` Jacobians of
    Gauss-Newton in the end, `n_restarts` further starts. `bounds` are the largest distances at the
    checkpoints and at the end of the trials; no start is given up if they are empty. Without
    `has_floor` the distance of a reproduced sample is not known, and the first round with a start
    that is not given up is the last one.
    """

    max_iter: int
    n_newton: int = 0
    n_restarts: int = 0
    n_conditions: int = 1
    bounds: tuple = ()
    has_floor: bool = True
    batch_size: int = 32
    options: SearchOptions = field(default_factory=SearchOptions)

    @classmethod
    def of(cls, process, options, *, max_iter, n_newton, n_restarts, bounds, batch_size):
        """The plan for a process, which decides what is possible and what ``"auto"`` means."""
        has_floor, n_conditions = process.processing.exact, len(process.space.conditions)
        if not has_floor and process.output_range is None:
            raise ValueError(
                "File formats and UnknownProcessing in processing= take gray levels: pass uint8 "
                "samples."
            )
        if max_iter == "auto":
            max_iter = _MAX_ITER
        if n_restarts == "auto":
            n_restarts = _N_RESTARTS + min(n_conditions, options.max_conditions) - 1
            if not has_floor and process.processing.unknown is None:
                n_restarts = options.n_restarts_without_floor
        if process.n_box:  # a wrong box misleads as a wrong condition does
            options = replace(options, n_chances=options.n_chances_with_conditions)
        n_noise = 0 if process.noise is None else process.noise.n_values
        # After unknown processing, Gauss-Newton reproduces no more samples.
        is_unknown = process.processing.unknown is not None and process.has_gradients and max_iter
        if process.n_features + n_noise > MAX_DENSE or is_unknown:
            n_newton = 0
        if not process.has_gradients:
            if not n_newton:
                raise ValueError(
                    "The generator's samples have no gradients with respect to its latents, and "
                    "Gauss-Newton is switched off or would need too many runs of the generator."
                )
            max_iter = 0
        plan = cls(
            max_iter=max_iter,
            n_newton=n_newton,
            n_restarts=n_restarts if max_iter else 0,
            n_conditions=n_conditions,
            has_floor=has_floor,
            batch_size=batch_size,
            options=options,
        )
        # Bounds of other checkpoints, as older versions learned them, reject nothing.
        return replace(plan, bounds=bounds) if len(bounds) == len(plan.checkpoints) + 1 else plan

    @property
    def checkpoints(self):
        """Numbers of trials after which a start may be given up."""
        return tuple(number for number in self.options.checkpoints if number < self.max_iter)

    @property
    def n_chances(self):
        """Number of starts given up in vain that reject a sample."""
        if self.n_conditions > 1:
            return self.options.n_chances_with_conditions
        return self.options.n_chances
