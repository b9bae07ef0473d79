"""Unit images that share an image, where what a matrix makes of them stays apart."""

import numpy as np
import torch

__all__ = ["Superposition"]


class Superposition:
    """Columns of a matrix of short reach, many from one product.

    Elements are pixels of cells on a grid that closes in a ring along each axis. Those of the
    same pixel whose cells are more than twice the reach apart go into one product, and each
    row belongs to the nearest of them.

    Parameters
    ----------
    rows, columns, pixels : ndarray of int, shape (n_elements,)
        Cells of the elements along both axes, and their numbers in a cell.
    cells : pair of int
        Cells of the grid.
    reach : pair of int
        How many cells apart coupled elements are at most.

    Attributes
    ----------
    groups : ndarray of int, shape (n_elements,)
        The product that each element takes part in.
    n_groups : int
        Number of products.
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
        probes = torch.zeros(len(self.groups), self.n_groups, dtype=torch.float64)
        probes[np.arange(len(self.groups)), self.groups] = 1
        return probes

    def columns(self, products):
        """The matrix, from its products with the probes.

        Parameters
        ----------
        products : torch.Tensor, shape (n_elements, n_groups)
            The rows of the elements.

        Returns
        -------
        torch.Tensor, shape (n_elements, n_elements)
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
    """The color of each cell of a ring; and by color, the cell that reaches each cell, or -1."""
    starts = np.linspace(0, n_cells, max(n_cells // (2 * reach + 1), 1) + 1).astype(int)
    lengths = np.diff(starts)
    color = np.arange(n_cells) - np.repeat(starts[:-1], lengths)
    owners = np.full((lengths.max(), n_cells), -1)
    for offset in range(-reach, reach + 1):
        owners[color, (np.arange(n_cells) + offset) % n_cells] = np.arange(n_cells)
    return color, owners
