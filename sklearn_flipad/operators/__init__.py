"""Batched linear operators on torch tensors: forward, adjoint and spectral norm."""

from sklearn_flipad.operators.base import LinearOperator
from sklearn_flipad.operators.convolution import ConvOperator, ConvTransposeOperator
from sklearn_flipad.operators.gram import (
    BandedGramSolver,
    BlockTridiagonalGramSolver,
    CirculantGramSolver,
    ConjugateGradientGramSolver,
    DenseGramSolver,
    GramSolver,
    gram_solver,
)
from sklearn_flipad.operators.image import ImageOperator
from sklearn_flipad.operators.linear import DenseOperator

__all__ = [
    "BandedGramSolver",
    "BlockTridiagonalGramSolver",
    "CirculantGramSolver",
    "ConjugateGradientGramSolver",
    "ConvOperator",
    "ConvTransposeOperator",
    "DenseGramSolver",
    "DenseOperator",
    "GramSolver",
    "ImageOperator",
    "LinearOperator",
    "gram_solver",
]
