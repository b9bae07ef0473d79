"""From an iterate to a vertex: exact points on its support, for layers with few outputs.

A solution of the lasso has about as many non-zeros as there are outputs. Once an iterate has the
right ones, the optimality conditions on them are small linear systems:
``2 G_A^T r = lam sign(z_A)`` gives the residual r, and ``G_A z_A = b - r`` then gives z. Linear
programming calls such a step a crossover. The results are a primal and a dual point like any
others, so a wrong support costs nothing but the time.
"""

import torch

from sklearn_flipad.base.products import aligned, product

__all__ = ["Crossover"]

#: Added to the systems, relative to their mean diagonal, for supports that are too small.
_RIDGE = 1e-7
#: Largest number of outputs for which a crossover is tried.
_MAX_OUTPUTS = 32


class Crossover:
    """Crossover for one dense layer, of rows to rows."""

    def __init__(self, operator):
        matrix = operator.dense().double()
        self._places = torch.triu_indices(*[len(matrix)] * 2)
        first, second = self._places
        # Products in the operator's own type, whose rows do not depend on the batch.
        self._pairs = aligned((matrix[first] * matrix[second]).to(operator.dtype))

    @classmethod
    def of(cls, operator):
        """The crossover of an operator, or None if there are too many outputs."""
        is_row = len(operator.input_shape) == len(operator.output_shape) == 1
        return cls(operator) if is_row and operator.n_outputs <= _MAX_OUTPUTS else None

    def points(self, problem, z):
        """Primal and dual points on the supports of iterates z, shape ``(n, n_inputs)``.

        The primal ones have the residual of the support, and are 0 outside of it; the dual ones are
        residuals for the dual bound, shape ``(n, n_outputs)``.
        """
        operator, signs = problem.operator, z.sign()
        factors, _ = torch.linalg.cholesky_ex(self._systems(signs.abs()))
        residual = _solved(factors, problem.lam / 2 * operator.forward(signs))
        step = operator.adjoint(_solved(factors, problem.residual(z) - residual))
        moved = z + signs.abs() * step
        moved = torch.where(moved.isfinite(), moved, z)
        return moved, torch.where(residual.isfinite(), residual, torch.zeros_like(residual))

    def _systems(self, support):
        """The Gram matrices of the columns in the support."""
        values = product(support, self._pairs).double()
        first, second = self._places
        n_outputs = int(second.max()) + 1
        systems = values.new_zeros(len(support), n_outputs, n_outputs)
        systems[:, first, second] = values
        systems[:, second, first] = values
        diagonal = systems.diagonal(dim1=1, dim2=2)
        diagonal += (_RIDGE * diagonal.mean(dim=1, keepdim=True)).clamp_min(1e-30)
        return systems


def _solved(factors, right):
    return torch.cholesky_solve(right.double()[:, :, None], factors)[:, :, 0].to(right.dtype)
