"""The final layer of a generator: all that its inversion needs."""

from sklearn_flipad.final_layer.column_activations import ColumnActivations
from sklearn_flipad.final_layer.diffusion import LatentDecoder
from sklearn_flipad.final_layer.layer import FinalLayer
from sklearn_flipad.final_layer.links import Link
from sklearn_flipad.final_layer.windows import WindowGeometry, window_geometry

__all__ = [
    "ColumnActivations",
    "FinalLayer",
    "LatentDecoder",
    "Link",
    "WindowGeometry",
    "window_geometry",
]
