"""Transformers that turn samples into features for an anomaly detector."""

from sklearn_flipad.features._images import DCTTransformer, RawTransformer
from sklearn_flipad.features._inliers import ChannelSelector, InlierScaler
from sklearn_flipad.features._inversion import FinalLayerInverter, InversionResult

__all__ = [
    "ChannelSelector",
    "DCTTransformer",
    "FinalLayerInverter",
    "InlierScaler",
    "InversionResult",
    "RawTransformer",
]
