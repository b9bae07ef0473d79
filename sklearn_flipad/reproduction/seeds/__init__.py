"""Seeds of noise: which of many explains a sample, and what the model makes of it."""

from sklearn_flipad.reproduction.seeds.candidates import SeedCandidates
from sklearn_flipad.reproduction.seeds.detector import SeedDetector
from sklearn_flipad.reproduction.seeds.matching import SeedMatches, match_seeds
from sklearn_flipad.reproduction.seeds.search import SeedSearch, SeedSearchResult

__all__ = [
    "SeedCandidates",
    "SeedDetector",
    "SeedMatches",
    "SeedSearch",
    "SeedSearchResult",
    "match_seeds",
]
