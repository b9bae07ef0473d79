"""A torch module in the place of a LatentEncoder."""

import numpy as np
import torch

from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.base.modules import (
    check_returned,
    evaluating,
    float_type_of,
    moved_to,
    unwrap,
)
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.reproduction.search.metric import LatentMetric

__all__ = ["ModuleEncoder"]


class ModuleEncoder:
    """A module from samples to latents, with the attributes of a :class:`LatentEncoder` in use."""

    #: Unlike any processing, so that a metric is estimated.
    processing_ = None

    def __init__(self, module, space):
        self.module, self.space = unwrap(module, "encoder"), space
        self.latent_mean = np.zeros(space.n_features)
        self.metric_ = LatentMetric(None, np.ones(space.n_features))

    def guess(self, x):
        """Latents (n, n_features), and all conditions in their order, (n, n_conditions)."""
        module = moved_to(self.module, x.device)
        dtype = float_type_of(module) or x.dtype

        def run(rows):
            return check_returned(module(rows.to(dtype)), "encoder", "latents").to(x.dtype)

        # Seeded, because an encoder may draw from a distribution.
        with seeded(0, x.device), evaluating(module):
            latents = in_lanes(run, len(x), x).flatten(1)
        n_features, n_conditions = self.space.n_features, len(self.space.conditions)
        if latents.shape[1] != n_features:
            raise ValueError(
                f"The encoder returns {latents.shape[1]} numbers for a sample, but the generator "
                f"takes {n_features}."
            )
        every = torch.arange(n_conditions, device=latents.device)
        return latents, every.expand(len(latents), -1)
