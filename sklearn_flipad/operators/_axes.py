"""Maps along one axis, as sparse matrices that have the structure of an image layer."""

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as F

__all__ = ["padded_positions", "tap_matrix"]


def padded_positions(size, margins, mode):
    """Elements of an axis that those of the padded axis are copies of, -1 where of none.

    Shape ``(size + sum(margins),)``, int64; negative margins crop.
    """
    axis = torch.arange(size, dtype=torch.float64, device="cpu")[None, None]
    value = {"value": -1.0} if mode == "constant" else {}
    return F.pad(axis, list(margins), mode=mode, **value)[0, 0].long()


def tap_matrix(positions, size):
    """A map along an axis, csr_array of shape ``(n_outputs, size)``, with one weight per tap.

    ``positions[i, tap]`` is the input that a tap of output i multiplies; outside of 0 to `size`
    it is 0. The weights are in general position: sums and products of them are equal only where
    they are in any such layer.
    """
    n_outputs, n_taps = positions.shape
    weights = np.random.default_rng(n_taps).uniform(1, 2, n_taps)
    rows = np.repeat(np.arange(n_outputs), n_taps)
    columns, values = positions.numpy().ravel(), np.tile(weights, n_outputs)
    kept = (columns >= 0) & (columns < size)
    entries = values[kept], (rows[kept], columns[kept])
    return sparse.csr_array(entries, shape=(n_outputs, size))
