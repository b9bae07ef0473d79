"""Pictures in the manner of scikit-learn's Display classes; they need ``[plot]``."""

from sklearn_flipad.plotting._features import FeatureMapDisplay
from sklearn_flipad.plotting._inversion import InversionDisplay
from sklearn_flipad.plotting._robustness import RobustnessDisplay
from sklearn_flipad.plotting._samples import PerturbationDisplay, SampleGridDisplay
from sklearn_flipad.plotting._scores import ScoreHistogramDisplay

__all__ = [
    "FeatureMapDisplay",
    "InversionDisplay",
    "PerturbationDisplay",
    "RobustnessDisplay",
    "SampleGridDisplay",
    "ScoreHistogramDisplay",
]
