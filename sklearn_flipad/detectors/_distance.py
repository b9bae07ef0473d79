"""Distances of representations to the center of DeepSAD."""

import numpy as np
import torch

from sklearn_flipad.base.precision import full_precision

__all__ = ["SCORED_AT_ONCE", "distances", "squared_distance"]

#: Networks take other code paths, with other rounding, for batches of other sizes: unless all have
#: the same size, a sample would have another score alone than among others.
SCORED_AT_ONCE = 32


def distances(net, X):
    """Distances of samples to the center, float64 of shape (n,)."""
    n = len(X)
    X = np.pad(X, ((0, -n % SCORED_AT_ONCE), *[(0, 0)] * (X.ndim - 1)))
    center = net.criterion_.center.cpu()
    with torch.inference_mode(False), full_precision():
        found = [
            squared_distance(representation, center).double().sqrt()
            for representation in net.forward_iter(X)
        ]
    return torch.cat(found).numpy()[:n]


def squared_distance(representation, center):
    """Squared Euclidean distance of each representation to the center, shape (n,)."""
    return torch.square(representation - center).sum(dim=1)
