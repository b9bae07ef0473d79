"""Reproducing a sample with the whole generator: latent search and its distances."""

from sklearn_flipad.reproduction.copies import (
    near_copies,
    noisy_copy,
    pruned_copy,
    rounded_copy,
)
from sklearn_flipad.reproduction.distances import FeatureDistance
from sklearn_flipad.reproduction.encoder import LatentEncoder
from sklearn_flipad.reproduction.posterior import (
    LatentPosteriorDetector,
    LatentPosteriorResult,
)
from sklearn_flipad.reproduction.reconstruction import ReconstructionDetector
from sklearn_flipad.reproduction.result import ReconstructionResult
from sklearn_flipad.reproduction.trained_copies import distilled_copy, fine_tuned_copy

__all__ = [
    "FeatureDistance",
    "LatentEncoder",
    "LatentPosteriorDetector",
    "LatentPosteriorResult",
    "ReconstructionDetector",
    "ReconstructionResult",
    "distilled_copy",
    "fine_tuned_copy",
    "near_copies",
    "noisy_copy",
    "pruned_copy",
    "rounded_copy",
]
