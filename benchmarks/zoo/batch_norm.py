"""Batch-norm statistics of a trained generator."""

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from sklearn_flipad.base.modules import device_of
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.latents import latent_batches

__all__ = ["recalibrate_batch_norm"]


def recalibrate_batch_norm(generator, n_batches=100, batch_size=128, random_state=0):
    """Replace running batch-norm statistics by averages over fresh latents, in place.

    The exponential averages of training lag behind the last weights.
    """
    if n_batches < 1 or batch_size < 2:
        raise ValueError(
            "n_batches must be at least 1 and batch_size at least 2, got "
            f"{n_batches} and {batch_size}."
        )
    batches = _latents(generator, n_batches, batch_size, random_state)
    norms = [module for module in generator.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return generator.eval()
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a cumulative average
        generator.train()
        with torch.no_grad(), seeded(random_state, device_of(generator)):
            for inputs in batches:
                generator(*inputs)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    return generator.eval()


def _latents(generator, n_batches, batch_size, random_state):
    if hasattr(type(generator), "sampler"):
        return latent_batches(
            generator, n_batches * batch_size, batch_size=batch_size, random_state=random_state
        )
    if not hasattr(generator, "latent_shape"):
        raise ValueError(
            "The generator has no attribute latent_shape. Set it to the shape of one latent, as "
            "generator.latent_shape = (100, 1, 1)."
        )
    rng = torch.Generator().manual_seed(random_state)
    shape = (batch_size, *generator.latent_shape)
    device = device_of(generator)
    return ((torch.randn(shape, generator=rng).to(device),) for _ in range(n_batches))
