"""A final layer as arrays and a description, and back."""

from sklearn_flipad.final_layer.activations import OutputActivation

__all__ = ["FORMAT", "from_parts", "to_parts"]

#: Names the content of a file; the number changes when older readers would misread it.
FORMAT = "sklearn_flipad.FinalLayer/1"


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
    names = ("weight", "bias", "mean_activation", "output_order", "output_scale")
    arrays = {name: getattr(layer, name) for name in names}
    description = {
        "format": FORMAT,
        "kind": layer.kind,
        "arguments": layer.arguments,
        "input_shape": layer.input_shape,
        "output_shape": layer.output_shape,
        "output_range": layer.output_range,
        "activation": layer.activation.to_dict(),
    }
    return {name: array for name, array in arrays.items() if array is not None}, description


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
        If a part is missing or is not what it should be.
    """
    try:
        arguments = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in description["arguments"].items()
        }
        return build(
            description["kind"],
            arrays["weight"],
            arrays.get("bias"),
            arguments,
            input_shape=description["input_shape"],
            mean_activation=arrays["mean_activation"],
            activation=OutputActivation(**description["activation"]),
            output_shape=description["output_shape"],
            output_range=description["output_range"],
            output_order=arrays.get("output_order"),
            output_scale=arrays.get("output_scale"),
        )
    except (KeyError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        raise ValueError(
            f"This is not a complete description of a final layer ({error!r})."
        ) from error
