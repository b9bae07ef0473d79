"""Batched linear operators on torch tensors: forward, adjoint and spectral norm."""

from sklearn_flipad.operators.base import LinearOperator
from sklearn_flipad.operators.composition import (
    BranchesOperator,
    ChainOperator,
    FunctionOperator,
    SumOperator,
)
from sklearn_flipad.operators.convolution import ConvOperator
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
from sklearn_flipad.operators.rearrangement import (
    PermuteOperator,
    ReshapeOperator,
    ScaleOperator,
)
from sklearn_flipad.operators.resizing import (
    CropOperator,
    PadOperator,
    PixelShuffleOperator,
    PixelUnshuffleOperator,
    ResizeOperator,
)
from sklearn_flipad.operators.transposed_convolution import ConvTransposeOperator

__all__ = [
    "BandedGramSolver",
    "BlockTridiagonalGramSolver",
    "BranchesOperator",
    "ChainOperator",
    "CirculantGramSolver",
    "ConjugateGradientGramSolver",
    "ConvOperator",
    "ConvTransposeOperator",
    "CropOperator",
    "DenseGramSolver",
    "DenseOperator",
    "FunctionOperator",
    "GramSolver",
    "ImageOperator",
    "LinearOperator",
    "PadOperator",
    "PermuteOperator",
    "PixelShuffleOperator",
    "PixelUnshuffleOperator",
    "ReshapeOperator",
    "ResizeOperator",
    "ScaleOperator",
    "SumOperator",
    "gram_solver",
]
