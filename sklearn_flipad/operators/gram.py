"""Solving (ridge I + G G^T) t = r, the small system behind every exact projection.

The outputs of a final layer are 5 to 43 times fewer than its inputs, so the Gram matrix
is the small side. Which solver serves depends on its structure alone:
:func:`gram_solver` chooses.
"""

from abc import ABC, abstractmethod
from itertools import pairwise

import torch

__all__ = [
    "BlockTridiagonalGramSolver",
    "ConjugateGradientGramSolver",
    "DenseGramSolver",
    "GramSolver",
    "gram_solver",
]

#: Largest number of entries of a factor, 1 GB in single precision.
_MAX_ENTRIES = 2**28
#: Largest number of outputs whose Gram matrix is factored densely.
_MAX_DENSE = 8192


class GramSolver(ABC):
    """Solves ``(ridge I + G G^T) t = r`` for batches of r.

    Parameters
    ----------
    operator : LinearOperator
        G.
    ridge : float
        Added to the diagonal, > 0.
    """

    def __init__(self, operator, ridge):
        self.operator = operator
        self.ridge = ridge

    @abstractmethod
    def solve(self, r):
        """Solve the systems of a batch.

        Parameters
        ----------
        r : torch.Tensor, shape (n, *output_shape)
            Right-hand sides.

        Returns
        -------
        torch.Tensor, shape (n, *output_shape)
            The solutions.
        """


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
        matrix = operator.to(dtype=torch.float64).dense()
        gram = matrix @ matrix.T
        gram.diagonal().add_(ridge)
        self.inverse = _inverse(gram).to(operator.dtype)

    def solve(self, r):
        return (r.flatten(1) @ self.inverse).reshape(r.shape)


class BlockTridiagonalGramSolver(GramSolver):
    """Block Cholesky factorisation over groups of image rows.

    Outputs far apart have no input in common, so with the rows in groups the Gram matrix
    is block tridiagonal. Its blocks are found by applying the operator to unit vectors,
    a third of the groups at a time, and eliminated in float64 once. A solve is one sweep
    down and one up. In the interior of an image the eliminated blocks soon repeat;
    repeated ones are stored once.

    Parameters
    ----------
    operator : LinearOperator
        G, with outputs of shape ``(channels, rows, ...)``.
    ridge : float
        Added to the diagonal, > 0.
    row_groups : sequence of int
        Where the groups begin and end, from :func:`row_partition`.
    """

    def __init__(self, operator, ridge, row_groups):
        super().__init__(operator, ridge)
        width = operator.n_outputs // operator.output_shape[1]
        self.edges = [row * width for row in row_groups]
        diagonal, below = self._blocks(operator.to(dtype=torch.float64))
        self.inverses, self.couplings = [], []
        inverse = None
        for index, block in enumerate(diagonal):
            block.diagonal().add_(ridge)
            if index > 0:
                coupling = below[index - 1] @ inverse
                block -= coupling @ below[index - 1].T
                self._store(self.couplings, coupling)
            inverse = _inverse(block)
            self._store(self.inverses, inverse)

    def _store(self, blocks, block):
        block = block.to(self.operator.dtype)
        if blocks and blocks[-1].shape == block.shape:
            close = torch.finfo(block.dtype).eps * float(blocks[-1].abs().max())
            block = blocks[-1] if (blocks[-1] - block).abs().max() <= close else block
        blocks.append(block)

    def _blocks(self, operator):
        """Diagonal blocks and blocks below the diagonal, in the order of the rows."""
        groups = list(pairwise(self.edges))
        diagonal, below = [None] * len(groups), [None] * (len(groups) - 1)
        for colour in range(min(3, len(groups))):
            members = range(colour, len(groups), 3)
            response = self._responses(operator, [groups[i] for i in members])
            for i in members:
                start, stop = groups[i]
                columns = response[: stop - start]
                diagonal[i] = columns[:, start:stop].T.clone()
                if i + 1 < len(groups):
                    next_start, next_stop = groups[i + 1]
                    below[i] = columns[:, next_start:next_stop].T.clone()
        return diagonal, below

    def _responses(self, operator, groups, chunk=64):
        """Images under G G^T of the k-th unit vectors of all `groups` at once, for all k."""
        size = max(stop - start for start, stop in groups)
        probes = torch.zeros(size, operator.n_outputs, dtype=operator.dtype, device=operator.device)
        for start, stop in groups:
            index = torch.arange(stop - start, device=operator.device)
            probes[index, start + index] = 1
        for rows in probes.split(chunk):
            images = operator.forward(operator.adjoint(self._to_image(rows)))
            rows.copy_(self._to_rows(images))
        return probes

    def _to_rows(self, r):
        return r.transpose(1, 2).reshape(len(r), -1)

    def _to_image(self, flat):
        channels, rows, *rest = self.operator.output_shape
        return flat.reshape(len(flat), rows, channels, *rest).transpose(1, 2)

    def solve(self, r):
        flat = self._to_rows(r).clone()
        parts = [flat[:, start:stop] for start, stop in pairwise(self.edges)]
        for above, part, coupling in zip(parts, parts[1:], self.couplings, strict=False):
            part.addmm_(above, coupling.T, alpha=-1)
        for index in reversed(range(len(parts))):
            part = parts[index] @ self.inverses[index]
            if index + 1 < len(parts):
                part.addmm_(parts[index + 1], self.couplings[index], alpha=-1)
            parts[index].copy_(part)
        return self._to_image(flat).contiguous()


class ConjugateGradientGramSolver(GramSolver):
    """Conjugate gradients, for outputs that are too many to factor.

    Parameters
    ----------
    operator : LinearOperator
        G.
    ridge : float
        Added to the diagonal, > 0.
    tol : float, default=1e-5
        Relative residual at which a sample is solved.
    max_iter : int, default=300
        Largest number of iterations.
    """

    def __init__(self, operator, ridge, tol=1e-5, max_iter=300):
        super().__init__(operator, ridge)
        self.tol = tol
        self.max_iter = max_iter

    def solve(self, r):
        t = torch.zeros_like(r)
        residual, direction = r.clone(), r.clone()
        square = _inner(residual, residual)
        target = self.tol**2 * square
        for _ in range(self.max_iter):
            active = square > target
            if not active.any():
                break
            image = self.operator.forward(self.operator.adjoint(direction))
            image.add_(direction, alpha=self.ridge)
            # A solved sample stands still, so that its neighbours do not change it.
            step = torch.where(active, square / _inner(direction, image), 0)
            t.add_(_like(step, r) * direction)
            residual.sub_(_like(step, r) * image)
            previous, square = square, _inner(residual, residual)
            ratio = torch.where(active, square / previous, 0)
            direction = torch.where(
                _like(active, r), residual + _like(ratio, r) * direction, direction
            )
            square = torch.where(active, square, previous)
        return t


def row_partition(footprint):
    """Group image rows so that only neighbouring groups share inputs.

    Parameters
    ----------
    footprint : torch.Tensor of bool, shape (n_output_rows, n_input_rows)
        Which input rows an output row depends on.

    Returns
    -------
    list of int or None
        Where the groups begin and end, with the least sum of squared sizes among equal
        groups; None if there is no partition into three groups or more.
    """
    footprint = footprint.double()
    coupled = (footprint @ footprint.T) > 0
    n_rows = len(coupled)
    best = None
    for size in range(1, n_rows // 2 + 1):
        for offset in range(size):
            edges = [0, *range(offset or size, n_rows, size), n_rows]
            group = torch.bucketize(torch.arange(n_rows), torch.tensor(edges), right=True)
            distance = (group[:, None] - group[None]).abs()
            if bool((coupled & (distance > 1)).any()):
                continue
            cost = sum((b - a) ** 2 for a, b in pairwise(edges))
            if best is None or cost < best[0]:
                best = (cost, edges)
        if best is not None:
            break  # larger groups cost more
    return None if best is None or len(best[1]) < 4 else best[1]


def gram_solver(operator, ridge):
    """The solver that fits an operator's structure.

    Block tridiagonal where image rows allow it and that is less work than a dense
    product, dense for small outputs, conjugate gradients otherwise.

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
    footprint = operator.row_footprint()
    edges = None if footprint is None else row_partition(footprint)
    if edges is not None:
        width = operator.n_outputs // operator.output_shape[1]
        entries = 3 * sum(((b - a) * width) ** 2 for a, b in pairwise(edges))
        if entries < min(operator.n_outputs**2 / 2, _MAX_ENTRIES):
            return BlockTridiagonalGramSolver(operator, ridge, edges)
    if operator.n_outputs <= _MAX_DENSE:
        return DenseGramSolver(operator, ridge)
    return ConjugateGradientGramSolver(operator, ridge)


def _inverse(matrix):
    return torch.cholesky_inverse(torch.linalg.cholesky(matrix))


def _inner(x, y):
    return (x * y).flatten(1).sum(dim=1)


def _like(values, r):
    return values.reshape(-1, *[1] * (r.ndim - 1))
