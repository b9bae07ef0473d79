"""Batches of whole lanes, so that rounding does not depend on the number of samples."""

import torch

__all__ = ["LANES", "column", "fill_lanes", "in_lanes", "lanes_for", "whole_lanes"]

#: Batches are kept at multiples of this. Matrix products and convolutions take other
#: code paths for a few odd rows, on some processors for as many as 8, with other rounding, which
#: hundreds of iterations magnify: a sample would have other features alone than in a batch.
LANES = 16
#: Samples with so many elements are computed one at a time: lanes of them would not fit into the
#: caches, nor many of them into memory, and gain little.
_ALONE = 2**19


def whole_lanes(n):
    """Smallest multiple of :data:`LANES` that is at least `n`."""
    return -(-n // LANES) * LANES


def lanes_for(n_elements):
    """Samples that are computed side by side at least: 1 for samples of many elements."""
    return LANES if n_elements < _ALONE else 1


def fill_lanes(chosen):
    """Indices of the chosen rows, shape (n_kept,), then of others that fill up the last lane."""
    return torch.argsort(~chosen, stable=True)[: whole_lanes(int(chosen.sum()))]


def in_lanes(function, n_rows, *tensors):
    """Result, shape (n_rows, ...), of a function that is called with whole lanes of rows."""
    missing = -n_rows % LANES
    padded = [torch.cat([t, t[-1:].repeat(missing, *[1] * (t.ndim - 1))]) for t in tensors]
    return function(*padded)[:n_rows]


def column(values, like):
    """Values per sample as a column, shape (n, 1, ..., 1), in the type of `like`, to broadcast."""
    return values.to(like.dtype).reshape(-1, *[1] * (like.ndim - 1))
