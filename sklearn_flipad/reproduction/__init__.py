"""Reproducing a sample with the whole generator: latent search and its distances."""

from sklearn_flipad.reproduction.distances import FeatureDistance
from sklearn_flipad.reproduction.encoder import LatentEncoder
from sklearn_flipad.reproduction.posterior import (
    LatentPosteriorDetector,
    LatentPosteriorResult,
)
from sklearn_flipad.reproduction.reconstruction import ReconstructionDetector
from sklearn_flipad.reproduction.result import ReconstructionResult

__all__ = [
    "FeatureDistance",
    "LatentEncoder",
    "LatentPosteriorDetector",
    "LatentPosteriorResult",
    "ReconstructionDetector",
    "ReconstructionResult",
]
