"""Block Cholesky factorization of a Gram matrix over groups of image rows."""

from itertools import pairwise

import torch

from sklearn_flipad.operators.gram._cholesky import inverse
from sklearn_flipad.operators.gram._stencil import StencilGram, gram_product
from sklearn_flipad.operators.gram.base import GramSolver

__all__ = ["BlockTridiagonalGramSolver"]


class BlockTridiagonalGramSolver(GramSolver):
    """Block Cholesky factorization over groups of image rows.

    Outputs far apart have no input in common, so with the rows in groups the Gram matrix
    is block tridiagonal. Its blocks are those of the layer's stencil where it has one, else
    they are found by applying the operator to unit vectors, a third of the groups at a time.
    They are eliminated in float64 once. A solve is one sweep down and one up. In the interior
    of an image the eliminated blocks soon repeat; repeated ones are stored once.

    Parameters
    ----------
    operator : LinearOperator
        G, with outputs of shape ``(channels, rows, ...)``.
    ridge : float
        Added to the diagonal, > 0.
    row_groups : sequence of int
        First rows of the groups, and the number of rows; only neighboring groups share inputs.
    """

    def __init__(self, operator, ridge, row_groups):
        super().__init__(operator, ridge)
        width = operator.n_outputs // operator.output_shape[1]
        self.edges = [row * width for row in row_groups]
        diagonal, below = self._blocks(gram_product(operator.to(dtype=torch.float64)))
        self.inverses, self.couplings = [], []
        inverted = None
        for index, block in enumerate(diagonal):
            block.diagonal().add_(ridge)
            if index > 0:
                coupling = below[index - 1] @ inverted
                block -= coupling @ below[index - 1].T
                self._store(self.couplings, coupling)
            inverted = inverse(block)
            self._store(self.inverses, inverted)

    def _store(self, blocks, block):
        block = block.to(self.operator.dtype)
        if blocks and blocks[-1].shape == block.shape:
            close = torch.finfo(block.dtype).eps * float(blocks[-1].abs().max())
            block = blocks[-1] if (blocks[-1] - block).abs().max() <= close else block
        blocks.append(block)

    def _blocks(self, gram):
        """Diagonal blocks, and blocks below the diagonal, in the order of the rows."""
        if isinstance(gram, StencilGram):
            return self._blocks_of(gram.matrix())
        groups = list(pairwise(self.edges))
        diagonal, below = [None] * len(groups), [None] * (len(groups) - 1)
        for color in range(min(3, len(groups))):
            members = range(color, len(groups), 3)
            response = self._responses(gram, [groups[i] for i in members])
            for i in members:
                start, stop = groups[i]
                columns = response[: stop - start]
                diagonal[i] = columns[:, start:stop].T.clone()
                if i + 1 < len(groups):
                    next_start, next_stop = groups[i + 1]
                    below[i] = columns[:, next_start:next_stop].T.clone()
        return diagonal, below

    def _blocks_of(self, matrix):
        """The blocks of a sparse Gram matrix."""
        numbers = torch.arange(self.operator.n_outputs, device="cpu")
        order = self._to_rows(numbers.reshape(1, *self.operator.output_shape))[0].numpy()
        matrix = matrix[order][:, order]
        parts = [slice(start, stop) for start, stop in pairwise(self.edges)]

        def block(rows, columns):
            return torch.from_numpy(matrix[rows, columns].toarray()).to(self.operator.device)

        below = [block(rows, columns) for columns, rows in pairwise(parts)]
        return [block(part, part) for part in parts], below

    def _responses(self, gram, groups, chunk=64):
        """Images under G G^T of the k-th unit vectors of all `groups` at once, for all k."""
        size = max(stop - start for start, stop in groups)
        n_outputs, device = self.operator.n_outputs, self.operator.device
        probes = torch.zeros(size, n_outputs, dtype=torch.float64, device=device)
        for start, stop in groups:
            index = torch.arange(stop - start, device=device)
            probes[index, start + index] = 1
        for rows in probes.split(chunk):
            rows.copy_(self._to_rows(gram.apply(self._to_image(rows))))
        return probes

    def _to_rows(self, r):
        return r.transpose(1, 2).reshape(len(r), -1)

    def _to_image(self, flat):
        channels, rows, *rest = self.operator.output_shape
        return flat.reshape(len(flat), rows, channels, *rest).transpose(1, 2)

    @property
    def n_multiplications(self):
        return sum(b.numel() for b in self.inverses) + 2 * sum(b.numel() for b in self.couplings)

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
