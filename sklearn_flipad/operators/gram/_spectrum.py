"""The largest eigenvalue of a Gram matrix."""

import numpy as np
import torch
from scipy.sparse import linalg

from sklearn_flipad.operators.gram._stencil import GramProduct, stencil_gram

__all__ = ["largest_eigenvalue", "symbol"]

#: Cells along an axis beyond which the top eigenvalues are too close for an iteration, and
#: cells of the smaller layer that takes its place.
_LONG, _SHORT = 128, 32
#: Frequencies along each axis at which a stencil's eigenvalues are computed.
_N_FREQUENCIES = {1: 4096, 2: 256, 3: 32}
#: Largest relative error between them.
_BETWEEN = 1e-3
#: Residual of the iteration, relative. The error of the eigenvalue is far smaller.
_TOL = 1e-5


def largest_eigenvalue(operator):
    """The largest eigenvalue of ``G G^T``, for an operator in float64 on the CPU.

    That of a large image is between that of a smaller image, whose border is the same, and the
    largest of a grid without end, a maximum over frequencies.
    """
    stencil = stencil_gram(operator)
    if stencil is None or max(stencil.cells) <= _LONG:
        return _by_lanczos(operator, stencil)
    small = operator.image
    if min(stencil.cells) >= _SHORT:
        missing = [n - _SHORT for n in stencil.cells]
        sides = zip(operator.input_shape[1:], missing, operator.image.input_period, strict=True)
        small = small.resized(tuple(side - n * period for side, n, period in sides))
    n_frequencies = [_N_FREQUENCIES[len(stencil.cells)]] * len(stencil.cells)
    blocks = symbol(stencil, n_frequencies).flatten(2).movedim(-1, 0)
    endless = float(torch.linalg.eigvalsh(blocks).max()) * (1 + _BETWEEN)
    return max(_by_lanczos(small, stencil_gram(small)), endless)


def symbol(stencil, n_frequencies):
    """Blocks of a stencil in the frequency domain, complex128.

    Shape ``(in_cell, in_cell, *n_frequencies)``; of the last axis, the half that
    :func:`torch.fft.rfftn` keeps.
    """
    weight = stencil.stencil.double()
    axes = tuple(range(2, weight.ndim))
    grid = weight.new_zeros(*weight.shape[:2], *n_frequencies)
    grid[(..., *(slice(width) for width in weight.shape[2:]))] = weight
    grid = grid.roll([-(width // 2) for width in weight.shape[2:]], axes)
    # A convolution takes the neighbor at +k with the weight k: the transform's -k.
    return torch.fft.rfftn(grid, dim=axes).conj()


def _by_lanczos(operator, stencil):
    by_output = operator.n_outputs <= operator.n_inputs
    shape = operator.output_shape if by_output else operator.input_shape
    products = [GramProduct(operator)] + ([] if stencil is None else [stencil])
    gram = min(products, key=lambda product: product.n_multiplications)

    def apply(vector):
        vector = torch.from_numpy(np.array(vector, dtype=np.float64).reshape(1, *shape))
        image = gram.apply(vector) if by_output else operator.adjoint(operator.forward(vector))
        return image.reshape(-1).numpy()

    n = min(operator.n_outputs, operator.n_inputs)
    start = np.random.default_rng(0).standard_normal(n)
    if not apply(start).any():
        return 0.0  # the iteration cannot start from the image of the zero map
    matrix = linalg.LinearOperator((n, n), matvec=apply, dtype=np.float64)
    (value,) = linalg.eigsh(matrix, k=1, which="LA", v0=start, tol=_TOL, return_eigenvectors=False)
    return float(value)
