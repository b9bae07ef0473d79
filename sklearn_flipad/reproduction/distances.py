"""Distances between samples and their reconstructions."""

import torch

from sklearn_flipad.base.modules import evaluating
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
        self.extractor = extractor

    def __call__(self, x, reconstruction):
        """Distance of each pair, a tensor of shape (n,)."""
        extractor = self.extractor.to(x.device)
        with evaluating(extractor), torch.enable_grad():
            features, others = extractor(x), extractor(reconstruction)
        return euclidean_distance(features, others)
