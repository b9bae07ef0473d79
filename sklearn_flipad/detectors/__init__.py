"""Anomaly detectors that separate a model's samples from all others."""

from sklearn_flipad.detectors.combined import CombinedDetector
from sklearn_flipad.detectors.deep_sad import DeepSADDetector
from sklearn_flipad.detectors.external import ExternalDetector
from sklearn_flipad.detectors.fingerprint import FingerprintDetector
from sklearn_flipad.detectors.loss import DeepSADLoss
from sklearn_flipad.detectors.networks import MLP, LeNet
from sklearn_flipad.detectors.windowed import WindowedDetector, WindowScores

__all__ = [
    "MLP",
    "CombinedDetector",
    "DeepSADDetector",
    "DeepSADLoss",
    "ExternalDetector",
    "FingerprintDetector",
    "LeNet",
    "WindowScores",
    "WindowedDetector",
]
