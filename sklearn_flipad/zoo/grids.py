"""A grid of generated images as one PNG file."""

import io

import numpy as np
from PIL import Image

from sklearn_flipad.persistence.arrays import write_atomically

__all__ = ["N_SAMPLES", "load_grid", "save_grid"]

_SIDE = 4

#: Samples in a grid.
N_SAMPLES = _SIDE**2


def save_grid(samples, path):
    """Write samples as a square grid; the file appears whole or not at all.

    Parameters
    ----------
    samples : ndarray of uint8, shape (N_SAMPLES, channels, height, width)
        Images of one or three channels.
    path : path-like
        PNG file to write.
    """
    channels, height, width = samples.shape[1:]
    tiles = samples.reshape(_SIDE, _SIDE, channels, height, width).transpose(0, 3, 1, 4, 2)
    image = tiles.reshape(_SIDE * height, _SIDE * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(2) if channels == 1 else image).save(buffer, "PNG", optimize=True)
    write_atomically(path, buffer.getvalue())


def load_grid(path):
    """Read a grid that :func:`save_grid` wrote.

    Parameters
    ----------
    path : path-like
        PNG file to read.

    Returns
    -------
    ndarray of uint8, shape (N_SAMPLES, channels, height, width)
    """
    with Image.open(path) as image:
        grid = np.atleast_3d(np.asarray(image))
    height, width, channels = grid.shape[0] // _SIDE, grid.shape[1] // _SIDE, grid.shape[2]
    tiles = grid.reshape(_SIDE, height, _SIDE, width, channels).transpose(0, 2, 4, 1, 3)
    return tiles.reshape(N_SAMPLES, channels, height, width)
