"""Checks of seeds."""

import numpy as np


def checked_seeds(seeds):
    """Seeds as a range or an array of integers of one axis; ValueError if they are none."""
    if not isinstance(seeds, range):
        seeds = np.asarray(seeds)
        if seeds.ndim != 1 or (len(seeds) and seeds.dtype.kind not in "iu"):
            raise ValueError(
                f"seeds must be a range or integers of one axis, got {seeds.dtype} of shape "
                f"{seeds.shape}."
            )
    if not len(seeds):
        raise ValueError("There are no seeds.")
    return seeds
