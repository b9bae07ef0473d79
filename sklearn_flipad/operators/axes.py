"""Maps along one axis, as sparse matrices that tell the structure of an image layer."""

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional as F

__all__ = ["padded_positions", "tap_matrix"]


def padded_positions(size, margins, mode):
    """The element of an axis that each element of the padded axis is a copy of.

    Parameters
    ----------
    size : int
        Length of the axis.
    margins : pair of int
        What is added before and after; negative numbers crop.
    mode : {"constant", "reflect", "replicate", "circular"}
        As :func:`torch.nn.functional.pad` has it.

    Returns
    -------
    torch.Tensor of int64, shape (size + sum(margins),)
        -1 where it is no copy.
    """
    axis = torch.arange(size, dtype=torch.float64)[None, None]
    value = {"value": -1.0} if mode == "constant" else {}
    return F.pad(axis, list(margins), mode=mode, **value)[0, 0].long()


def tap_matrix(positions, size):
    """A map with one weight for each tap, the weights in general position.

    Parameters
    ----------
    positions : torch.Tensor of int64, shape (n_outputs, n_taps)
        Where each output takes what its taps multiply; outside of 0 to `size` is 0.
    size : int
        Number of inputs.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_outputs, size)
    """
    n_outputs, n_taps = positions.shape
    # Any sums and products of such numbers are equal where they must be, and nowhere else.
    weights = np.random.default_rng(n_taps).uniform(1, 2, n_taps)
    rows = np.repeat(np.arange(n_outputs), n_taps)
    columns, values = positions.numpy().ravel(), np.tile(weights, n_outputs)
    kept = (columns >= 0) & (columns < size)
    entries = values[kept], (rows[kept], columns[kept])
    return sparse.csr_array(entries, shape=(n_outputs, size))
