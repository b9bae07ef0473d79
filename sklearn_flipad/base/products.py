"""Matrix products in which a row of the result does not depend on its place in the batch."""

from torch.nn import functional as F

__all__ = ["aligned", "product"]

#: Kernels for products with a length that is no multiple of this take other paths, with
#: other rounding, for other rows.
_ALIGNMENT = 4


def aligned(matrix):
    """A matrix laid out for :func:`product`, shape ``(n_rows, n_columns or up to 3 more)``."""
    return F.pad(matrix, (0, -matrix.shape[1] % _ALIGNMENT)).contiguous()


def product(x, matrix):
    """Product of rows ``(..., n_columns)`` with an aligned matrix, shape ``(..., n_rows)``."""
    missing = matrix.shape[1] - x.shape[-1]
    return F.linear(F.pad(x, (0, missing)) if missing else x, matrix)
