"""Generated images as a grid in one PNG file, generated rows as CSV."""

import io

import numpy as np
from PIL import Image

from sklearn_flipad.storage.arrays import write_atomically

__all__ = ["N_SAMPLES", "load_grid", "load_rows", "save_grid", "save_rows"]

_SIDE = 4

#: Samples in a grid, or rows.
N_SAMPLES = _SIDE**2


def save_grid(samples, path):
    """Write samples as a square grid; the file appears whole or not at all.

    Parameters
    ----------
    samples : ndarray of uint8, shape (N_SAMPLES, channels, height, width)
        Images of one or three channels.
    path : path-like
        PNG file to write.

    Raises
    ------
    ValueError
        If the samples have another number, type or shape.
    """
    samples = np.asarray(samples)
    if samples.dtype != np.uint8 or samples.ndim != 4 or samples.shape[0] != N_SAMPLES:
        raise ValueError(
            f"A grid takes {N_SAMPLES} images of shape (channels, height, width) and type uint8, "
            f"got an array of shape {samples.shape} and type {samples.dtype}."
        )
    if samples.shape[1] not in (1, 3):
        raise ValueError(f"A grid takes images of 1 or 3 channels, got {samples.shape[1]}.")
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

    Raises
    ------
    ValueError
        If the image cannot be such a grid.
    """
    with Image.open(path) as image:
        grid = np.atleast_3d(np.asarray(image))
    if grid.dtype != np.uint8 or grid.shape[0] % _SIDE or grid.shape[1] % _SIDE:
        raise ValueError(
            f"{path} is not a grid of {_SIDE} by {_SIDE} samples: it has shape {grid.shape} and "
            f"type {grid.dtype}."
        )
    height, width, channels = grid.shape[0] // _SIDE, grid.shape[1] // _SIDE, grid.shape[2]
    tiles = grid.reshape(_SIDE, height, _SIDE, width, channels).transpose(0, 2, 4, 1, 3)
    return tiles.reshape(N_SAMPLES, channels, height, width)


def save_rows(rows, path):
    """Write rows as CSV, with digits for each bit; the file appears whole or not at all.

    Parameters
    ----------
    rows : ndarray of float32, shape (N_SAMPLES, n_columns)
        Rows of a table.
    path : path-like
        File to write.
    """
    lines = (",".join(f"{value:.9g}" for value in row) for row in rows.tolist())
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def load_rows(path):
    """Read rows that :func:`save_rows` wrote.

    Parameters
    ----------
    path : path-like
        File to read.

    Returns
    -------
    ndarray of float32, shape (N_SAMPLES, n_columns)
    """
    return np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
