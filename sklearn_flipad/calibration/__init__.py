"""Thresholds with a chosen false-negative rate."""

from sklearn_flipad.calibration.rules import (
    conformal_threshold,
    min_calibration_size,
    pac_threshold,
    quantile_threshold,
)
from sklearn_flipad.calibration.threshold import FNRThresholdCalibrator

__all__ = [
    "FNRThresholdCalibrator",
    "conformal_threshold",
    "min_calibration_size",
    "pac_threshold",
    "quantile_threshold",
]
