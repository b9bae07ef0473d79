"""Likelihood ratios: from anomaly scores of two populations to the strength of evidence."""

from sklearn_flipad.calibration.likelihood_ratios.base import LRCalibrator
from sklearn_flipad.calibration.likelihood_ratios.bounds import ELUB, CountBounds, LRBounds
from sklearn_flipad.calibration.likelihood_ratios.gaussian import GaussianLR
from sklearn_flipad.calibration.likelihood_ratios.isotonic import IsotonicLR
from sklearn_flipad.calibration.likelihood_ratios.kernel_density import KernelDensityLR
from sklearn_flipad.calibration.likelihood_ratios.logistic import LogisticLR
from sklearn_flipad.calibration.likelihood_ratios.system import (
    LR_CALIBRATORS,
    LikelihoodRatios,
    LRSystem,
    as_lr_system,
)
from sklearn_flipad.calibration.likelihood_ratios.verbal import ENFSI_SCALE, VerbalScale

__all__ = [
    "ELUB",
    "ENFSI_SCALE",
    "LR_CALIBRATORS",
    "CountBounds",
    "GaussianLR",
    "IsotonicLR",
    "KernelDensityLR",
    "LRBounds",
    "LRCalibrator",
    "LRSystem",
    "LikelihoodRatios",
    "LogisticLR",
    "VerbalScale",
    "as_lr_system",
]
