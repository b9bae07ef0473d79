"""Outputs of a layer that share inputs, along one axis."""

from itertools import pairwise

import numpy as np

__all__ = ["band_of", "row_partition"]


def band_of(operator):
    """Distance from the diagonal that the Gram matrix of a one-dimensional layer reaches.

    In positions of the output, whatever the number of channels; None for other layers.
    """
    if operator.image is None or len(operator.output_shape) != 2:
        return None
    (matrix,) = operator.image.axis_maps()
    gram = (matrix @ matrix.T).tocoo()
    return int(np.abs(gram.row - gram.col).max(initial=0))


def row_partition(matrix, least=1):
    """Ends of groups of image rows of which only neighboring ones share inputs, a list of int.

    The matrix is an axis map, shape ``(n_output_rows, n_input_rows)``; groups have at least
    `least` rows. Of groups of the same largest size, those with the least sum of squared sizes;
    None if there are no three groups.
    """
    gram = (matrix @ matrix.T).tocoo()
    n_rows = gram.shape[0]
    last = np.arange(n_rows)  # the last row that a row shares inputs with
    np.maximum.at(last, gram.row, gram.col)
    distance = int((last - np.arange(n_rows)).max())
    best = None
    for size in range(max(distance // 2 + 1, least), n_rows // 2 + 1):
        for offset in range(size):
            edges = [0, *range(offset or size, n_rows, size), n_rows]
            group = np.searchsorted(edges, np.arange(n_rows), side="right")
            if (group[last] - group > 1).any():
                continue
            cost = sum((b - a) ** 2 for a, b in pairwise(edges))
            if best is None or cost < best[0]:
                best = (cost, edges)
        if best is not None:
            break  # larger groups cost more
    return None if best is None or len(best[1]) < 4 else best[1]
