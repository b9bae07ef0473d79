"""Samples that are stored with a generator: images as a grid in a PNG file, rows as CSV."""

import numpy as np
from PIL import Image

__all__ = ["N_SAMPLES", "SIDE", "load_grid", "load_rows"]

#: Samples per row and column of a grid.
SIDE = 4
#: Samples in a grid, or rows.
N_SAMPLES = SIDE**2


def load_grid(path):
    """Images of a grid, uint8 of shape (N_SAMPLES, channels, height, width)."""
    with Image.open(path) as image:
        grid = np.atleast_3d(np.asarray(image))
    if grid.dtype != np.uint8 or grid.shape[0] % SIDE or grid.shape[1] % SIDE:
        raise ValueError(
            f"{path} is not a grid of {SIDE} by {SIDE} samples: it has shape {grid.shape} and "
            f"type {grid.dtype}."
        )
    height, width, channels = grid.shape[0] // SIDE, grid.shape[1] // SIDE, grid.shape[2]
    tiles = grid.reshape(SIDE, height, SIDE, width, channels).transpose(0, 2, 4, 1, 3)
    return tiles.reshape(N_SAMPLES, channels, height, width)


def load_rows(path):
    """Rows of a table, float32 of shape (N_SAMPLES, n_columns)."""
    return np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
