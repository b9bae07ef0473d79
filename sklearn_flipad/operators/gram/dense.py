"""The inverse of a Gram matrix, written out."""

import torch
from torch.nn import functional as F

from sklearn_flipad.base.products import aligned, product
from sklearn_flipad.operators.gram._cholesky import inverse
from sklearn_flipad.operators.gram.base import GramSolver

__all__ = ["DenseGramSolver"]

#: Outputs up to which a product with the inverse is the same for a row in any batch.
_MAX_WHOLE = 64
#: Rows of one product beyond.
_CHUNK = 16
#: Largest number of entries of G that is written out, 0.5 GB in double precision.
_MAX_ENTRIES = 2**26
#: Unit outputs that go through an operator at once otherwise.
_N_UNITS = 32


class DenseGramSolver(GramSolver):
    """The inverse as a matrix: one product a solve.

    Factored in float64 once; the products are in the operator's type.

    Parameters
    ----------
    operator : LinearOperator
        G.
    ridge : float
        Added to the diagonal, > 0.
    """

    def __init__(self, operator, ridge):
        super().__init__(operator, ridge)
        gram = _gram(operator.to(dtype=torch.float64))
        gram.diagonal().add_(ridge)
        self.inverse = aligned(inverse(gram).to(operator.dtype))

    @property
    def n_multiplications(self):
        return self.inverse.numel()

    def solve(self, r):
        rows = r.flatten(1)
        if self.inverse.shape[0] <= _MAX_WHOLE:
            return product(rows, self.inverse).reshape(r.shape)
        # Larger products round otherwise in batches of another size, so all have one size.
        padded = F.pad(rows, (0, 0, 0, -len(rows) % _CHUNK))
        solved = torch.cat([product(part, self.inverse) for part in padded.split(_CHUNK)])
        return solved[: len(rows)].reshape(r.shape)


def _gram(operator):
    if operator.n_outputs * operator.n_inputs <= _MAX_ENTRIES:
        matrix = operator.dense()
        return matrix @ matrix.T
    units = torch.eye(operator.n_outputs, dtype=operator.dtype, device=operator.device)
    rows = [
        operator.forward(operator.adjoint(part.reshape(-1, *operator.output_shape))).flatten(1)
        for part in units.split(_N_UNITS)
    ]
    gram = torch.cat(rows)
    return (gram + gram.T) / 2
