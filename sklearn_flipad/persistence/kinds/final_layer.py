"""Final layers, by their own parts."""

from sklearn_flipad.final_layer import FinalLayer
from sklearn_flipad.persistence.kinds.kind import Kind
from sklearn_flipad.storage.files import printable

__all__ = ["KINDS"]


def _take_apart(layer, path, writer):
    arrays, description = layer.to_parts()
    return {"arrays": writer.put_all(arrays, path), "description": description}


def _put_together(node, reader):
    return FinalLayer.from_parts(reader.take_all(node["arrays"]), node["description"])


def _show(node, view):
    arrays = {key: view.arrays[name] for key, name in node["arrays"].items()}
    return printable(FinalLayer.summarize_parts(arrays, node["description"]))


KINDS = (
    Kind(
        "final_layer",
        lambda value, path: type(value) is FinalLayer,
        _take_apart,
        _put_together,
        _show,
    ),
)
