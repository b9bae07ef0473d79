"""Reproducing a sample with the whole generator: latent search and its distances."""

from sklearn_flipad.reproduction.detector import ReproductionDetector
from sklearn_flipad.reproduction.distances import FeatureDistance
from sklearn_flipad.reproduction.encoder import LatentEncoder
from sklearn_flipad.reproduction.options import SearchOptions
from sklearn_flipad.reproduction.posterior import (
    LatentPosteriorDetector,
    LatentPosteriorResult,
)
from sklearn_flipad.reproduction.result import ReconstructionResult
from sklearn_flipad.reproduction.seeds import (
    SeedCandidates,
    SeedDetector,
    SeedMatches,
    SeedSearch,
    SeedSearchResult,
    match_seeds,
)
from sklearn_flipad.reproduction.sminv import SMInvDetector

__all__ = [
    "FeatureDistance",
    "LatentEncoder",
    "LatentPosteriorDetector",
    "LatentPosteriorResult",
    "ReconstructionResult",
    "ReproductionDetector",
    "SMInvDetector",
    "SearchOptions",
    "SeedCandidates",
    "SeedDetector",
    "SeedMatches",
    "SeedSearch",
    "SeedSearchResult",
    "match_seeds",
]
