"""Transformers that turn samples into features for an anomaly detector."""

from sklearn_flipad.features.denoiser import DenoiserTransformer
from sklearn_flipad.features.images import DCTTransformer, RawTransformer
from sklearn_flipad.features.inliers import ChannelSelector, InlierScaler
from sklearn_flipad.features.inversion import FinalLayerInverter
from sklearn_flipad.features.inversion_result import InversionResult
from sklearn_flipad.features.preactivation import PreactivationTransformer
from sklearn_flipad.features.residuals import ResidualTransformer
from sklearn_flipad.features.signals import SpectrogramTransformer
from sklearn_flipad.features.whitening import InlierWhitener

__all__ = [
    "ChannelSelector",
    "DCTTransformer",
    "DenoiserTransformer",
    "FinalLayerInverter",
    "InlierScaler",
    "InlierWhitener",
    "InversionResult",
    "PreactivationTransformer",
    "RawTransformer",
    "ResidualTransformer",
    "SpectrogramTransformer",
]
