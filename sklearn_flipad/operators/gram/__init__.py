"""Solvers of (ridge I + G G^T) t = r, the small system behind every exact projection."""

from sklearn_flipad.operators.gram.banded import BandedGramSolver
from sklearn_flipad.operators.gram.base import GramSolver
from sklearn_flipad.operators.gram.block_tridiagonal import BlockTridiagonalGramSolver
from sklearn_flipad.operators.gram.circulant import CirculantGramSolver
from sklearn_flipad.operators.gram.conjugate_gradient import ConjugateGradientGramSolver
from sklearn_flipad.operators.gram.dense import DenseGramSolver
from sklearn_flipad.operators.gram.selection import gram_solver

__all__ = [
    "BandedGramSolver",
    "BlockTridiagonalGramSolver",
    "CirculantGramSolver",
    "ConjugateGradientGramSolver",
    "DenseGramSolver",
    "GramSolver",
    "gram_solver",
]
