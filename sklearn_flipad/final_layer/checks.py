"""Checks of what a final layer is made of, which may come from a file."""

from math import inf, prod
from numbers import Integral

import numpy as np

__all__ = [
    "check_arguments",
    "check_link",
    "check_order",
    "check_range",
    "check_scale",
    "check_shape",
    "check_values",
]

#: Largest side, stride, padding and so on, and largest number of elements of one sample.
_MAX_SIZE = 2**16
_MAX_ELEMENTS = 2**28
#: Beyond, products and their squares leave single precision.
_LARGEST = 1e12
#: How far a range may reach beyond that of its activation, for its own rounding.
_BEYOND = 1e-6

_LEAST = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1}
_WORDS = {
    "padding": ("valid", "same"),
    "padding_mode": ("zeros", "reflect", "replicate", "circular"),
}


def check_shape(name, shape):
    """A shape as a tuple of positive ints.

    Parameters
    ----------
    name : str
        What it is the shape of.
    shape : sequence of int
        The shape, without the batch.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If it is empty, holds something else than positive ints, or is too large.
    """
    sides = list(shape) if isinstance(shape, tuple | list) else [shape]
    if not sides or not all(_is_int(side) and side >= 1 for side in sides):
        raise ValueError(f"{name} must be a tuple of positive ints, got {shape!r}.")
    if prod(map(int, sides)) > _MAX_ELEMENTS:
        raise ValueError(f"{name}={tuple(sides)} has more than {_MAX_ELEMENTS} elements.")
    return tuple(int(side) for side in sides)


def check_arguments(arguments, known, n_axes):
    """Stride, padding and so on of a convolution.

    Parameters
    ----------
    arguments : dict
        Values by torch's names: ints, tuples of one int per axis, or words.
    known : tuple of str
        The names that the kind of layer has.
    n_axes : int
        Number of spatial axes.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If a name is unknown or a value is out of range.
    """
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise ValueError(f"Unknown arguments {unknown}; this kind of layer has {list(known)}.")
    return {name: _checked(name, value, n_axes) for name, value in arguments.items()}


def _checked(name, value, n_axes):
    if isinstance(value, str):
        if value not in _WORDS.get(name, ()):
            raise ValueError(f"{name}={value!r} is not known.")
        return value
    if name not in _LEAST:
        raise ValueError(f"{name} must be one of {', '.join(_WORDS[name])}, got {value!r}.")
    is_sequence = isinstance(value, tuple | list)
    per_axis = tuple(value) if is_sequence else (value,)
    valid = not is_sequence or (name != "groups" and len(per_axis) == n_axes)
    if not valid or not all(_is_int(v) and _LEAST[name] <= v <= _MAX_SIZE for v in per_axis):
        each = "" if name == "groups" else f", or one for each of {n_axes} axes"
        raise ValueError(
            f"{name} must be an int from {_LEAST[name]} to {_MAX_SIZE}{each}, got {value!r}."
        )
    return tuple(map(int, per_axis)) if is_sequence else int(value)


def _is_size(value):
    return _is_int(value) and 1 <= value <= _MAX_SIZE


def _is_margin(value):
    return _is_int(value) and 0 <= value <= _MAX_SIZE


def _sequence_of(valid):
    def check(value):
        return isinstance(value, tuple | list) and len(value) > 0 and all(map(valid, value))

    return check


_is_sizes = _sequence_of(_is_size)
_is_margins = _sequence_of(lambda pair: _sequence_of(_is_margin)(pair) and len(pair) == 2)


def _one_of(*words):
    return lambda value: isinstance(value, str) and value in words


#: Of links without weights: their arguments, and whether a value is valid.
_LINK_ARGUMENTS = {
    "scale": {},
    "resize": {
        "factor": lambda value: value is None or _is_sizes(value),
        "size": lambda value: value is None or _is_sizes(value),
        "mode": _one_of("nearest", "nearest-exact", "linear"),
        "align_corners": lambda value: isinstance(value, bool),
    },
    "pad": {"margins": _is_margins, "mode": _one_of("constant", "reflect", "replicate")},
    "crop": {"margins": _is_margins},
    "pixel_shuffle": {"factor": _is_size},
    "pixel_unshuffle": {"factor": _is_size},
    "reshape": {"shape": _is_sizes},
    "permute": {"axes": _sequence_of(_is_margin)},
}


def check_link(kind, arguments):
    """Arguments of a link that has none of torch's layers.

    Parameters
    ----------
    kind : str
        Its kind.
    arguments : dict
        Its arguments.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If a name is unknown or a value is out of range.
    """
    known = _LINK_ARGUMENTS[kind]
    for name, value in arguments.items():
        if name not in known or not known[name](value):
            raise ValueError(f"A link of kind {kind!r} cannot have {name}={value!r}.")
    return dict(arguments)


def check_order(order, n_outputs):
    """Refuse an order that is no permutation of the outputs.

    Parameters
    ----------
    order : ndarray of int64
        The order.
    n_outputs : int
        Number of outputs.

    Raises
    ------
    ValueError
        If it is none.
    """
    if order.shape != (n_outputs,) or not np.array_equal(np.sort(order), np.arange(n_outputs)):
        raise ValueError(f"output_order must be a permutation of 0 to {n_outputs - 1}.")


def check_scale(scale, output_shape):
    """Refuse scales of the outputs that are not positive, or of layers that make no table.

    Parameters
    ----------
    scale : ndarray of float64
        The scales.
    output_shape : tuple of int
        Shape of the linear map's output.

    Raises
    ------
    ValueError
        If there is not one positive, finite scale for each column.
    """
    if len(output_shape) != 1 or scale.shape != tuple(output_shape):
        raise ValueError(
            f"output_scale must hold one value for each column of a table, got shape {scale.shape} "
            f"for a layer with outputs of shape {tuple(output_shape)}."
        )
    if not ((scale > 0) & np.isfinite(scale)).all():
        raise ValueError("output_scale must hold positive, finite values.")


def check_values(layer, weights):
    """Refuse weights that single precision cannot work with.

    Parameters
    ----------
    layer : FinalLayer
        A layer whose arrays have been set.
    weights : list of ndarray
        All weights of its links.

    Raises
    ------
    ValueError
        If a value is not finite or too large, or all weights are 0 or tiny.
    """
    for name, values in (
        ("weight", weights),
        ("bias", [layer.bias]),
        ("mean_activation", [layer.mean_activation]),
    ):
        for value in values:
            if value is not None and not (np.abs(value) <= _LARGEST).all():
                raise ValueError(f"{name} holds NaN, infinity, or values above {_LARGEST:g}.")
    for weight in weights:
        if not weight.any():
            raise ValueError("All weights are 0: nothing of a sample depends on the activations.")
        # The scales of a table's columns belong to its last layer.
        scaled = layer.output_scale is not None and weight is weights[-1] and weight.ndim == 2
        largest = np.abs(weight / (layer.output_scale[:, None] if scaled else 1.0)).max()
        if not 1 / _LARGEST <= largest <= _LARGEST:
            raise ValueError(
                f"The largest weight is {largest:.3g} in size; single precision needs it between "
                f"{1 / _LARGEST:g} and {_LARGEST:g}. Scale the layer and what comes before it."
            )


def check_range(output_range, activation):
    """The values that the gray levels 0 and 255 stand for.

    Parameters
    ----------
    output_range : pair of float or None
        As it was given.
    activation : OutputActivation
        Its range is the default, if that is bounded.

    Returns
    -------
    pair of float or None

    Raises
    ------
    ValueError
        If they are not two finite rising numbers, or the activation cannot return them.
    """
    least, most = activation.range
    low, high = (least, most) if output_range is None else map(float, output_range)
    if output_range is None and (low == -inf or high == inf):
        return None
    if not -inf < low < high < inf:
        raise ValueError(f"output_range must be two finite rising numbers, got {output_range}.")
    if low < least - _BEYOND or high > most + _BEYOND:
        raise ValueError(
            f"output_range=({low:g}, {high:g}) is beyond what the output activation returns, "
            f"{least:g} to {most:g}. Pass the values of the model's output that the gray levels 0 "
            'and 255 stand for; or the activation that it has, "identity" where there is none.'
        )
    return (low, high)


def _is_int(value):
    return isinstance(value, Integral) and not isinstance(value, bool)
