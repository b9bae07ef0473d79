"""Generated images as a grid in one PNG file, generated rows as CSV."""

import io

import numpy as np
from PIL import Image

from sklearn_flipad.storage.files import write_atomically
from sklearn_flipad.zoo.files.samples import N_SAMPLES, SIDE

__all__ = ["save_grid", "save_rows"]


def save_grid(samples, path):
    """Write images, uint8 of shape (N_SAMPLES, 1 or 3, height, width), as a square grid."""
    samples = np.asarray(samples)
    if samples.dtype != np.uint8 or samples.ndim != 4 or samples.shape[0] != N_SAMPLES:
        raise ValueError(
            f"A grid takes {N_SAMPLES} images of shape (channels, height, width) and type uint8, "
            f"got an array of shape {samples.shape} and type {samples.dtype}."
        )
    if samples.shape[1] not in (1, 3):
        raise ValueError(f"A grid takes images of 1 or 3 channels, got {samples.shape[1]}.")
    channels, height, width = samples.shape[1:]
    tiles = samples.reshape(SIDE, SIDE, channels, height, width).transpose(0, 3, 1, 4, 2)
    image = tiles.reshape(SIDE * height, SIDE * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(2) if channels == 1 else image).save(buffer, "PNG", optimize=True)
    write_atomically(path, buffer.getvalue())


def save_rows(rows, path):
    """Write rows, float32 of shape (N_SAMPLES, n_columns), as CSV with digits for each bit."""
    lines = (",".join(f"{value:.9g}" for value in row) for row in rows.tolist())
    write_atomically(path, ("\n".join(lines) + "\n").encode())
