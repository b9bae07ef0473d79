"""The Euclidean distance of the paper."""

import torch

__all__ = ["euclidean_distance"]


def euclidean_distance(x, reconstruction):
    """Euclidean distances over the number of elements, shape (n,)."""
    difference = (x - reconstruction).flatten(1)
    # The square root has no gradient at 0, where a sample is reconstructed exactly.
    square = torch.square(difference).sum(dim=1)
    return square.clamp_min(torch.finfo(square.dtype).tiny).sqrt() / difference.shape[1]
