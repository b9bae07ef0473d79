"""The constants, their values, and the measurement that is made with each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.constants import other_measures, searches
from benchmarks.data.generators import PUBLIC
from sklearn_flipad.reproduction import SearchOptions
from sklearn_flipad.reproduction.search.guided import GuidedSearch
from sklearn_flipad.reproduction.search.plan import SearchPlan

__all__ = ["CONSTANTS", "Constant"]


@dataclass(frozen=True)
class Constant:
    """Values of a constant by their names, the first of which ships, and a function of options."""

    values: dict
    measure: Callable


def constant(measure, *values):
    """A constant whose values are named by themselves."""
    return Constant({str(value): value for value in values}, measure)


def search_options(*others):
    """The options of a search, and those of which one has another value, given by its name."""
    changed = {f"{name}={value}": partial(SearchOptions, **{name: value}) for name, value in others}
    return {"default": SearchOptions, **changed}


def with_newton(_, process, options, **limits):
    """The plan of a search that ends by Gauss-Newton whatever is known of the processing."""
    plan = _PLAN_OF(process, options, **limits)
    return replace(plan, n_newton=limits["n_newton"])


#: Other values of the options of a search; no condition where a value cannot be reached.
_OTHER_OPTIONS = (
    ("checkpoints", (20, 40, 60, 80)),
    ("quantile", 1.0),
    ("margin", 2.0),
    ("end_margin", 3.0),
    ("slow", 1.0),
    ("n_chances", 3),
    ("nearer", 0.0),
    ("n_corrections", 0),
    ("moves", ((1.0, 0.35),)),
    ("moves", ((1.0, 0.5),)),
    ("same", 0.0),
    ("close", 1.0),
    ("progress", 0.002),
    ("settled", 0.0),
    ("curvature", 2.0),
)
_PLAN_OF = SearchPlan.of
_IN_BOXES = partial(searches.measure, processing="UnknownGeometry", sources=("own",))
_RESIZED = partial(searches.measure, processing="UnknownProcessing")
#: By the names of what is set in the package, and of what is measured where that is not all.
CONSTANTS = {
    "reproduction.detector.SearchOptions": Constant(
        search_options(*_OTHER_OPTIONS),
        partial(searches.measure_guess, owner="fashion/ebgan-0"),
    ),
    "reproduction.detector.SearchOptions, first starts": Constant(
        search_options(("curvature", 2.0)),
        partial(searches.measure_guess, owner=PUBLIC, n_restarts=0),
    ),
    "reproduction.search.plan._N_RESTARTS": constant(
        partial(searches.measure_guess, owner="fashion/ebgan-0"), 8, 0, 4
    ),
    "reproduction.search.plan._N_RESTARTS, public": constant(
        partial(searches.measure_guess, owner=PUBLIC), 8, 4
    ),
    "reproduction.search.plan.SearchPlan.of": Constant(
        {"default": vars(SearchPlan)["of"], "Gauss-Newton": classmethod(with_newton)}, _RESIZED
    ),
    "reproduction.search.resizings._N_ROUNDS": constant(_RESIZED, 2, 0, 1),
    "reproduction.search.resizings._N_ROUNDS, boxes": constant(
        partial(_IN_BOXES, owner="fashion/lsgan-0"), 2, 1
    ),
    "reproduction.search.resizings._N_LIKELY": constant(_RESIZED, 3, 1),
    "reproduction.search.guided.GuidedSearch._search_failed": Constant(
        {"default": GuidedSearch._search_failed, "none": lambda *_: None},
        partial(_IN_BOXES, owner="fashion/lsgan-0"),
    ),
    "generators.process.framing._SLACK": constant(
        partial(_IN_BOXES, sources=("own", "copy, 10 % earlier")), 0.01, 0.003, 0.03
    ),
    "generators.process.framing._MULTIPLE": constant(_IN_BOXES, 4, 1),
    "reproduction.search.reasons._OF_FILE": constant(
        partial(_RESIZED, processing="UnknownProcessing, JPEG 75 to 95", sources=("own",)), 1.2
    ),
    "reproduction.seeds._targets.DEVIATIONS": constant(
        other_measures.noise_of_processed, (0.05, 0.2), (0.05,), (0.1,), (0.2,), (0.4,)
    ),
    "generators.diffusion._anderson._MEMORY": constant(other_measures.fixed_points, 5, 0, 2, 10),
    "generators.diffusion._schedulers._ROUNDING": constant(
        other_measures.refused_schedulers, 1e-4, 1e-6, 1e-7, 1e-8
    ),
    "reproduction.seeds.matching._BLOCK": constant(other_measures.time_of_seeds, 64, 16, 256),
    "calibration.likelihood_ratios.kernel_density._PRECISION": constant(
        other_measures.time_of_densities, 1e-6, 0.0
    ),
    "evaluation._earlier_jpeg._SMALL": constant(other_measures.seen_before, 0.8, 0.7, 0.9),
}
