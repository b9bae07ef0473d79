"""Plots as scikit-learn's Display classes; they need the extra ``[plot]``."""

from sklearn_flipad.plotting.distances import DistanceHistogramDisplay
from sklearn_flipad.plotting.features import FeatureMapDisplay
from sklearn_flipad.plotting.inversion import InversionDisplay
from sklearn_flipad.plotting.p_values import PValueDisplay
from sklearn_flipad.plotting.prediction_sets import PredictionSetDisplay
from sklearn_flipad.plotting.reproduction import ReproductionDisplay
from sklearn_flipad.plotting.robustness import RobustnessDisplay
from sklearn_flipad.plotting.samples import PerturbationDisplay, SampleGridDisplay
from sklearn_flipad.plotting.scores import ScoreHistogramDisplay

__all__ = [
    "DistanceHistogramDisplay",
    "FeatureMapDisplay",
    "InversionDisplay",
    "PValueDisplay",
    "PerturbationDisplay",
    "PredictionSetDisplay",
    "ReproductionDisplay",
    "RobustnessDisplay",
    "SampleGridDisplay",
    "ScoreHistogramDisplay",
]
