"""Thresholds with a chosen false-negative rate."""

from sklearn_flipad.calibration.rules import PAC, Conformal, Quantile, ThresholdRule
from sklearn_flipad.calibration.threshold import FNRThresholdCalibrator

__all__ = ["PAC", "Conformal", "FNRThresholdCalibrator", "Quantile", "ThresholdRule"]
