"""A diffusion model as a function from noise to samples, its inverse, and noise from seeds."""

from sklearn_flipad.generators.diffusion.inversion import NoiseInversionResult
from sklearn_flipad.generators.diffusion.noise import TorchNoise
from sklearn_flipad.generators.diffusion.sampler import DiffusionSampler
from sklearn_flipad.generators.diffusion.schedule import DiffusionSchedule

__all__ = ["DiffusionSampler", "DiffusionSchedule", "NoiseInversionResult", "TorchNoise"]
