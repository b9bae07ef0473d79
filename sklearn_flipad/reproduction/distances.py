"""Distances between samples and their reconstructions."""

import torch

from sklearn_flipad.base.modules import (
    check_returned,
    device_of,
    evaluating,
    float_type_of,
    moved_to,
    unwrap,
)
from sklearn_flipad.reproduction.search.distances import euclidean_distance

__all__ = ["FeatureDistance"]


class FeatureDistance:
    """Euclidean distance between the features of a frozen network.

    Parameters
    ----------
    extractor : torch.nn.Module
        Maps samples ``(n, *sample_shape)`` to features ``(n, ...)``. It runs in eval
        mode.

    Examples
    --------
    >>> import torch
    >>> from sklearn_flipad.reproduction import FeatureDistance
    >>> distance = FeatureDistance(torch.nn.Flatten())
    >>> distance(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2))
    tensor([0.7071])
    """

    def __init__(self, extractor):
        extractor = unwrap(extractor, "extractor")
        self.extractor = moved_to(extractor, device_of(extractor))

    def __call__(self, x, reconstruction):
        """Distance of each pair, a tensor of shape (n,)."""
        extractor = self.extractor.to(x.device)
        dtype = float_type_of(extractor) or x.dtype
        with evaluating(extractor), torch.enable_grad():
            features, others = (
                check_returned(extractor(values.to(dtype)), "extractor", "features").to(x.dtype)
                for values in (x, reconstruction)
            )
        return euclidean_distance(features, others)
