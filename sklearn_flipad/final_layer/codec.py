"""A final layer as arrays and a description, and back."""

from sklearn_flipad.final_layer.column_activations import ColumnActivations
from sklearn_flipad.final_layer.links import flatten, unflatten
from sklearn_flipad.generators.activations import OutputActivation
from sklearn_flipad.storage.arrays import content_digest

__all__ = ["FORMAT", "from_parts", "to_parts"]

#: Names the content of a file; the number changes when older readers would misread it.
FORMAT = "sklearn_flipad.FinalLayer/1"
#: Its arrays.
_DTYPES = {
    "weight": "float32",
    "bias": "float32",
    "mean_activation": "float64",
    "output_order": "int64",
    "output_scale": "float64",
}


def to_parts(layer):
    """The arrays and the JSON values that make up a layer.

    Parameters
    ----------
    layer : FinalLayer
        The layer.

    Returns
    -------
    arrays : dict of str to ndarray
    description : dict
    """
    chain = {}
    links = flatten(layer.links, chain) if layer.kind == "chain" else None
    arrays = {**{name: getattr(layer, name) for name in _DTYPES}, **chain}
    description = {
        "format": FORMAT,
        "kind": layer.kind,
        "arguments": layer.arguments,
        "input_shape": layer.input_shape,
        "output_shape": layer.output_shape,
        "output_range": layer.output_range,
        "activation": layer.activation.to_dict(),
    }
    if links is not None:
        description["links"] = links
    return {name: array for name, array in arrays.items() if array is not None}, description


def map_digest(arrays, description):
    """SHA-256 of the parts of a layer but for its mean activation.

    Parameters
    ----------
    arrays : dict of str to ndarray
    description : dict
        From :func:`to_parts`.

    Returns
    -------
    str
        Hexadecimal digest. Layers that share it have the same linear map and activation.
    """
    others = {name: array for name, array in arrays.items() if name != "mean_activation"}
    return content_digest(others, description)


def from_parts(build, arrays, description):
    """The layer that :func:`to_parts` took apart.

    Parameters
    ----------
    build : callable
        :class:`~sklearn_flipad.FinalLayer`.
    arrays : dict of str to ndarray
        Arrays.
    description : dict
        JSON values.

    Returns
    -------
    FinalLayer

    Raises
    ------
    ValueError
        If a part is missing, is not what it should be or would be ignored.
    """
    for name, array in arrays.items():
        number = name.removeprefix("weight.")
        is_of_link = number != name and number.isdecimal()
        if str(array.dtype) != _DTYPES.get("weight" if is_of_link else name):
            raise ValueError(
                f"{name!r} of type {array.dtype} is not one of the arrays of a final layer: "
                f"{', '.join(f'{name} ({dtype})' for name, dtype in _DTYPES.items())}."
            )
    try:
        arguments = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in description["arguments"].items()
        }
        links = description.get("links")
        links = None if links is None else unflatten(links, arrays)
        layer = build(
            description["kind"],
            arrays["weight"] if links is None else None,
            arrays.get("bias"),
            arguments,
            input_shape=description["input_shape"],
            mean_activation=arrays["mean_activation"],
            activation=_activation(**description["activation"]),
            output_shape=description["output_shape"],
            output_range=description["output_range"],
            output_order=arrays.get("output_order"),
            output_scale=arrays.get("output_scale"),
            links=links,
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


def _activation(name, **parameters):
    if name == ColumnActivations.name:
        return ColumnActivations(**parameters)
    return OutputActivation(name, **parameters)
