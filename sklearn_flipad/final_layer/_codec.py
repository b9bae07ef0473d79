"""A final layer as arrays and a description, and back."""

from sklearn_flipad.final_layer._migration import FORMAT, migrated
from sklearn_flipad.final_layer.column_activations import ColumnActivations
from sklearn_flipad.generators.activations import OutputActivation
from sklearn_flipad.operators.links.link import Link
from sklearn_flipad.storage.arrays import content_digest

__all__ = ["flatten", "from_parts", "map_digest", "summary", "to_parts"]

#: Arrays of a layer by their types, but for the weights of its links.
_DTYPES = {
    "bias": "float32",
    "mean_activation": "float64",
    "output_order": "int64",
    "output_scale": "float64",
}


def to_parts(layer):
    """Arrays by name, and a description in JSON values."""
    arrays = {}
    links = flatten(layer.links, arrays)
    arrays |= {name: getattr(layer, name) for name in _DTYPES}
    description = {
        "format": FORMAT,
        "links": links,
        "input_shape": layer.input_shape,
        "output_shape": layer.output_shape,
        "output_range": layer.output_range,
        "activation": layer.activation.to_dict(),
    }
    return {name: array for name, array in arrays.items() if array is not None}, description


def from_parts(build, arrays, description):
    """The layer that :func:`to_parts` took apart, by a constructor, in any format so far.

    ValueError if a part is missing, is not of its type, or would be ignored.
    """
    try:
        arrays, description = migrated(arrays, description)
        _check_types(arrays)
        layer = build(
            _unflatten(description["links"], arrays),
            input_shape=description["input_shape"],
            bias=arrays.get("bias"),
            mean_activation=arrays["mean_activation"],
            activation=_activation(**description["activation"]),
            output_shape=description["output_shape"],
            output_range=description["output_range"],
            output_order=arrays.get("output_order"),
            output_scale=arrays.get("output_scale"),
        )
    except (KeyError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        raise ValueError(
            f"This is not a complete description of a final layer ({error!r})."
        ) from error
    if layer.fingerprint != content_digest(arrays, description):
        raise ValueError(
            "Something in the description of this final layer is unknown, left out or written "
            f"in another way than here: {to_parts(layer)[1]}."
        )
    return layer


def map_digest(arrays, description):
    """SHA-256 of the parts of a layer but for its mean activation, in hex digits."""
    arrays, description = migrated(arrays, description)
    others = {name: array for name, array in arrays.items() if name != "mean_activation"}
    return content_digest(others, description)


def summary(arrays, description):
    """One line on a layer that is not built: kinds of its links, shapes, activation, digest."""
    digest = map_digest(arrays, description)
    _, description = migrated(arrays, description)
    kinds = " > ".join(str(entry["kind"]) for entry in description["links"])
    shapes = (description[name] for name in ("input_shape", "output_shape"))
    shapes = " to ".join("x".join(map(str, shape)) for shape in shapes)
    return f"{kinds}, {shapes}, {description['activation']['name']}, map {digest[:12]}"


def flatten(links, arrays):
    """A chain of links as JSON values; its weights are put into `arrays`, numbered in order."""
    entries = []
    for link in links:
        entry = {"kind": link.kind, "arguments": link.arguments}
        if link.terms:
            terms = [flatten(term, arrays) for term in link.terms]
            entry["arguments"] = {**link.arguments, "terms": terms}
        if link.weight is not None:
            entry["weight"] = f"weight.{len(arrays)}"
            arrays[entry["weight"]] = link.weight
        entries.append(entry)
    return entries


def _unflatten(entries, arrays):
    """The chain that :func:`flatten` took apart."""
    links = []
    for entry in entries:
        arguments = {name: _as_tuple(value) for name, value in entry["arguments"].items()}
        if "terms" in arguments:
            arguments["terms"] = [_unflatten(term, arrays) for term in entry["arguments"]["terms"]]
        weight = arrays[entry["weight"]] if "weight" in entry else None
        links.append(Link(entry["kind"], weight, arguments))
    return tuple(links)


def _as_tuple(value):
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _check_types(arrays):
    for name, array in arrays.items():
        is_weight = name.startswith("weight.") and name.removeprefix("weight.").isdecimal()
        if str(array.dtype) != ("float32" if is_weight else _DTYPES.get(name)):
            known = {"weight.0, weight.1, ...": "float32", **_DTYPES}
            raise ValueError(
                f"{name!r} of type {array.dtype} is not one of the arrays of a final layer: "
                f"{', '.join(f'{name} ({dtype})' for name, dtype in known.items())}."
            )


def _activation(name, **parameters):
    if name == ColumnActivations.name:
        return ColumnActivations(**parameters)
    return OutputActivation(name, **parameters)
