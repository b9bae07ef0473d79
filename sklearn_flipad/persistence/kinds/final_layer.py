"""Final layers, by the codec of their own files."""

from sklearn_flipad.final_layer import FinalLayer, codec
from sklearn_flipad.persistence.kinds.kind import Kind
from sklearn_flipad.storage.files import printable

__all__ = ["KINDS"]


def _take_apart(layer, path, writer):
    arrays, description = codec.to_parts(layer)
    return {"arrays": writer.put_all(arrays, path), "description": description}


def _put_together(node, reader):
    return codec.from_parts(FinalLayer, reader.take_all(node["arrays"]), node["description"])


def _show(node, view):
    layer = node["description"]
    sides = [layer[key] for key in ("input_shape", "output_shape") if key in layer]
    shapes = " to ".join("x".join(map(str, shape)) for shape in sides)
    digest = codec.map_digest({k: view.arrays[v] for k, v in node["arrays"].items()}, layer)
    kind, activation = layer.get("kind", "final layer"), layer["activation"]["name"]
    return printable(f"{kind}, {shapes}, {activation}, map {digest[:12]}")


KINDS = (
    Kind(
        "final_layer",
        lambda value, path: type(value) is FinalLayer,
        _take_apart,
        _put_together,
        _show,
    ),
)
