"""Anomaly detectors that separate a model's samples from all others."""

from sklearn_flipad.detectors._combined import CombinedDetector
from sklearn_flipad.detectors._deep_sad import DeepSADDetector
from sklearn_flipad.detectors._fingerprint import FingerprintDetector
from sklearn_flipad.detectors._reconstruction import ReconstructionDetector
from sklearn_flipad.detectors.distances import FeatureDistance
from sklearn_flipad.detectors.loss import DeepSADLoss
from sklearn_flipad.detectors.networks import MLP, LeNet

__all__ = [
    "MLP",
    "CombinedDetector",
    "DeepSADDetector",
    "DeepSADLoss",
    "FeatureDistance",
    "FingerprintDetector",
    "LeNet",
    "ReconstructionDetector",
]
