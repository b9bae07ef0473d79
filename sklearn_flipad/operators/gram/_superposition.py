"""Unit images that share an image because their images under a matrix do not overlap."""

import numpy as np
import torch

__all__ = ["Superposition"]


class Superposition:
    """Columns of a matrix of short reach, many from one product.

    Elements are pixels of cells on a grid that closes in a ring along each axis, given by the
    cells' places along both axes and their numbers in a cell. Those of the same pixel whose cells
    are more than twice the reach apart go into one product, their group, and each row belongs to
    the nearest of them.
    """

    def __init__(self, rows, columns, pixels, cells, reach):
        self._cells = rows, columns
        axes = [_shared(n, r) for n, r in zip(cells, reach, strict=True)]
        self._owners = [owners for _, owners in axes]
        colors = [color[place] for (color, _), place in zip(axes, self._cells, strict=True)]
        keys = np.stack([*colors, pixels], axis=1)
        self._keys, groups = np.unique(keys, axis=0, return_inverse=True)
        self.groups = groups.ravel()  # of numpy 2.0, it has two axes
        self.n_groups = len(self._keys)
        self._element = np.full((pixels.max() + 1, *cells), -1)
        self._element[pixels, rows, columns] = np.arange(len(pixels))

    def probes(self):
        """The sums of unit vectors, shape ``(n_elements, n_groups)``, float64."""
        probes = torch.zeros(len(self.groups), self.n_groups, dtype=torch.float64, device="cpu")
        probes[np.arange(len(self.groups)), self.groups] = 1
        return probes

    def columns(self, products):
        """The matrix, shape ``(n_elements, n_elements)``, from its products with the probes.

        The products have shape ``(n_elements, n_groups)``.
        """
        n = len(self.groups)
        matrix = products.new_zeros(n, n)
        for group, (*colors, pixel) in enumerate(self._keys):
            row, column = (
                owners[color][place]
                for owners, color, place in zip(self._owners, colors, self._cells, strict=True)
            )
            found = np.where((row >= 0) & (column >= 0), self._element[pixel, row, column], -1)
            reached = (found >= 0).nonzero()[0]
            matrix[reached, found[reached]] = products[reached, group]
        return matrix


def _shared(n_cells, reach):
    """Color of each cell of a ring; by color, the cell that reaches each cell, or -1."""
    starts = np.linspace(0, n_cells, max(n_cells // (2 * reach + 1), 1) + 1).astype(int)
    lengths = np.diff(starts)
    color = np.arange(n_cells) - np.repeat(starts[:-1], lengths)
    owners = np.full((lengths.max(), n_cells), -1)
    for offset in range(-reach, reach + 1):
        owners[color, (np.arange(n_cells) + offset) % n_cells] = np.arange(n_cells)
    return color, owners
