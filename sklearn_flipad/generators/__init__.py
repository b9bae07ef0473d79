"""A generator as a function: its latents, its samples, their range, and what is done to them."""

from sklearn_flipad.generators.activations import OutputActivation
from sklearn_flipad.generators.diffusion import (
    DiffusionSampler,
    DiffusionSchedule,
    NoiseInversionResult,
    TorchNoise,
)
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.generators.output_range import find_output_range
from sklearn_flipad.generators.sampling import sample, sample_batches

__all__ = [
    "DiffusionSampler",
    "DiffusionSchedule",
    "NoiseInversionResult",
    "OutputActivation",
    "TorchNoise",
    "find_output_range",
    "latent_batches",
    "sample",
    "sample_batches",
]
