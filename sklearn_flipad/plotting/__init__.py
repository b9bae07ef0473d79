"""Plots as scikit-learn's Display classes; they need the extra ``[plot]``."""

from sklearn_flipad.plotting.cross_entropy import ECEDisplay
from sklearn_flipad.plotting.distances import DistanceHistogramDisplay
from sklearn_flipad.plotting.features import FeatureMapDisplay
from sklearn_flipad.plotting.inversion import InversionDisplay
from sklearn_flipad.plotting.lr_histograms import LRHistogramDisplay
from sklearn_flipad.plotting.p_values import PValueDisplay
from sklearn_flipad.plotting.pav import PAVDisplay
from sklearn_flipad.plotting.prediction_sets import PredictionSetDisplay
from sklearn_flipad.plotting.reproduction import ReproductionDisplay
from sklearn_flipad.plotting.robustness import RobustnessDisplay
from sklearn_flipad.plotting.samples import PerturbationDisplay, SampleGridDisplay
from sklearn_flipad.plotting.scores import ScoreHistogramDisplay
from sklearn_flipad.plotting.tippett import TippettDisplay

__all__ = [
    "DistanceHistogramDisplay",
    "ECEDisplay",
    "FeatureMapDisplay",
    "InversionDisplay",
    "LRHistogramDisplay",
    "PAVDisplay",
    "PValueDisplay",
    "PerturbationDisplay",
    "PredictionSetDisplay",
    "ReproductionDisplay",
    "RobustnessDisplay",
    "SampleGridDisplay",
    "ScoreHistogramDisplay",
    "TippettDisplay",
]
