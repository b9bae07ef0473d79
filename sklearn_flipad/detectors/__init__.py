"""Anomaly detectors that separate a model's samples from all others."""

from sklearn_flipad.detectors._deep_sad import DeepSADDetector
from sklearn_flipad.detectors.loss import DeepSADLoss
from sklearn_flipad.detectors.networks import MLP, LeNet

__all__ = ["MLP", "DeepSADDetector", "DeepSADLoss", "LeNet"]
