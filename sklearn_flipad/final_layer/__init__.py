"""The final layer of a generator: all that its inversion needs."""

from sklearn_flipad.final_layer.column_activations import ColumnActivations
from sklearn_flipad.final_layer.diffusion import LatentDecoder, LatentGuess
from sklearn_flipad.final_layer.layer import FinalLayer
from sklearn_flipad.final_layer.windows import WindowGeometry, window_geometry
from sklearn_flipad.operators.links.kinds import LinkKind, Operation, register_link_kind
from sklearn_flipad.operators.links.link import Link

__all__ = [
    "ColumnActivations",
    "FinalLayer",
    "LatentDecoder",
    "LatentGuess",
    "Link",
    "LinkKind",
    "Operation",
    "WindowGeometry",
    "register_link_kind",
    "window_geometry",
]
