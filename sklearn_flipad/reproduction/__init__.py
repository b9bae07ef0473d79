"""Reproducing a sample with the whole generator: latent search and its distances."""

from sklearn_flipad.reproduction.distances import FeatureDistance
from sklearn_flipad.reproduction.reconstruction import ReconstructionDetector

__all__ = ["FeatureDistance", "ReconstructionDetector"]
