"""Solvers of the lasso problem (8) on batches of torch tensors."""

from sklearn_flipad.solvers._batch import BatchIteration, solve_batch
from sklearn_flipad.solvers.douglas_rachford import DouglasRachford, Splitting
from sklearn_flipad.solvers.fista import FISTA
from sklearn_flipad.solvers.problem import LassoProblem, LassoResult

__all__ = [
    "FISTA",
    "BatchIteration",
    "DouglasRachford",
    "LassoProblem",
    "LassoResult",
    "Splitting",
    "solve_batch",
]
