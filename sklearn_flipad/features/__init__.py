"""Transformers that turn samples into features for an anomaly detector."""

from sklearn_flipad.features.images import DCTTransformer, RawTransformer
from sklearn_flipad.features.inliers import ChannelSelector, InlierScaler
from sklearn_flipad.features.inversion import FinalLayerInverter, InversionResult

__all__ = [
    "ChannelSelector",
    "DCTTransformer",
    "FinalLayerInverter",
    "InlierScaler",
    "InversionResult",
    "RawTransformer",
]
