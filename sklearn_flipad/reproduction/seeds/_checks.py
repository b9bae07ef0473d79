"""Checks of seeds, and of how many are returned."""

from numbers import Integral

import numpy as np

#: Largest p-value of a seed that counts as found, the default of :class:`SeedDetector`.
FOUND = 1e-6


def checked_seeds(seeds):
    """Seeds as a range or an array of integers of one axis; ValueError if they are none."""
    if isinstance(seeds, tuple) and len(seeds) == 2:
        pair = ", ".join(map(str, seeds))
        raise ValueError(
            f"seeds=({pair}) may be a range or two seeds: pass range({pair}) or [{pair}]."
        )
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


def check_n_best(n_best):
    """Raise ValueError unless it is a positive whole number."""
    if not isinstance(n_best, Integral) or n_best < 1:
        raise ValueError(f"n_best must be an integer of at least 1, got {n_best!r}.")
