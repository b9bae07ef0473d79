"""Selection of the solver that fits the structure of a layer's Gram matrix.

The outputs of a final layer are 5 to 43 times fewer than its inputs, so the Gram matrix is the
small side.
"""

from itertools import pairwise

from sklearn_flipad.operators.gram._periodic_extension import PeriodicExtension
from sklearn_flipad.operators.gram._structure import band_of, row_partition
from sklearn_flipad.operators.gram.banded import BandedGramSolver
from sklearn_flipad.operators.gram.block_tridiagonal import BlockTridiagonalGramSolver
from sklearn_flipad.operators.gram.circulant import CirculantGramSolver
from sklearn_flipad.operators.gram.conjugate_gradient import ConjugateGradientGramSolver
from sklearn_flipad.operators.gram.dense import DenseGramSolver

__all__ = ["gram_solver"]

#: Largest number of entries of a factor, 1 GB in single precision.
_MAX_ENTRIES = 2**28
#: The matrices of the circulant solver are smaller: a multiplication takes up to twice as long.
#: With this factor, the inversion of an image takes, in CPU seconds
#: (``python -m benchmarks gram``):
#: ==============================  =================  ==========  ======  ===================
#: Layer                           block tridiagonal  circulant   dense   conjugate gradients
#: ==============================  =================  ==========  ======  ===================
#: shipped DCGAN, 32x32 gray       0.016 (chosen)     0.020       0.023   0.165
#: shipped LSGAN, 32x32 gray       0.054 (chosen)     0.083       0.077   0.204
#: 64 to 3 channels, k4 s2, 64x64  0.264              0.202 (ch.) -       2.228
#: ==============================  =================  ==========  ======  ===================
_CIRCULANT_COST = 2
#: Largest border whose correction is written out.
_MAX_BORDER = 2048
#: Largest number of outputs whose Gram matrix is factored densely.
_MAX_DENSE = 8192
#: Widest band that LAPACK's banded solver takes; wider ones go by blocks.
_MAX_BAND = 64
#: Outputs of a block where positions have one or a few.
_LEAST_BLOCK = 64


def gram_solver(operator, ridge):
    """Build the solver that fits an operator's structure.

    Banded for long signals. For images, block tridiagonal or circulant with a border if that is
    less work than a dense product; dense for small outputs; conjugate gradients otherwise,
    preconditioned if the layer has a stencil.

    Parameters
    ----------
    operator : LinearOperator
        G.
    ridge : float
        Added to the diagonal of ``G G^T``, > 0.

    Returns
    -------
    GramSolver
    """
    edges = extension = None
    width = operator.n_outputs // operator.output_shape[1] if operator.image is not None else 1
    if operator.image is not None:
        band = band_of(operator)
        half = float("inf") if band is None else width * (band + 1)
        by_band = half <= min(_MAX_BAND, operator.n_outputs / 4)
        if by_band and operator.device.type == "cpu":
            return BandedGramSolver(operator, ridge, band)
        least = 1 if band is None else -(-_LEAST_BLOCK // width)
        edges = row_partition(operator.image.axis_maps()[0], least)
        if operator.n_inputs >= operator.n_outputs:
            extension = PeriodicExtension.smallest(operator.image)
    by_rows = float("inf")
    if edges is not None:
        by_rows = 3 * sum(((b - a) * width) ** 2 for a, b in pairwise(edges))
    by_frequencies = float("inf")
    if extension is not None and extension.n_border <= _MAX_BORDER:
        by_frequencies = _CIRCULANT_COST * extension.n_multiplications
    if min(by_rows, by_frequencies) < min(operator.n_outputs**2 / 2, _MAX_ENTRIES):
        if by_rows <= by_frequencies:
            return BlockTridiagonalGramSolver(operator, ridge, edges)
        return CirculantGramSolver(operator, ridge, extension)
    if operator.n_outputs <= _MAX_DENSE:
        return DenseGramSolver(operator, ridge)
    return ConjugateGradientGramSolver(operator, ridge)
