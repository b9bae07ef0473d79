"""Near-copies among images and sounds."""

import numpy as np

__all__ = ["near_copies"]


def near_copies(X):
    """Number of the set of near-copies that each row belongs to, int of shape (n,)."""
    return np.arange(len(X))
