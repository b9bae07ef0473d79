"""Checks of shapes and arguments, which may come from a file."""

from math import prod
from numbers import Integral

from sklearn_flipad.base.numbers import plain_numbers

__all__ = [
    "MAX_SIZE",
    "arguments_of",
    "check_shape",
    "convolution_arguments",
    "is_int",
    "is_margin",
    "is_size",
    "one_of",
    "sequence_of",
]

#: Largest side, stride, padding and so on, and largest number of elements of one sample.
MAX_SIZE = 2**16
_MAX_ELEMENTS = 2**28

_LEAST = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1}
_WORDS = {
    "padding": ("valid", "same"),
    "padding_mode": ("zeros", "reflect", "replicate", "circular"),
}


def check_shape(name, shape):
    """A shape without the batch as a tuple of ints; ValueError if it is empty or too large."""
    sides = plain_numbers(list(shape) if isinstance(shape, tuple | list) else [shape])
    if not sides or not all(is_int(side) and side >= 1 for side in sides):
        raise ValueError(f"{name} must be a tuple of positive ints, got {shape!r}.")
    if prod(map(int, sides)) > _MAX_ELEMENTS:
        raise ValueError(f"{name}={tuple(sides)} has more than {_MAX_ELEMENTS} elements.")
    return tuple(int(side) for side in sides)


def is_int(value):
    """Whether a value is an int and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_size(value):
    """Whether a value is an int from 1 to MAX_SIZE."""
    return is_int(value) and 1 <= value <= MAX_SIZE


def is_margin(value):
    """Whether a value is an int from 0 to MAX_SIZE."""
    return is_int(value) and 0 <= value <= MAX_SIZE


def sequence_of(is_valid):
    """Check of a sequence that is not empty by a check of its elements."""

    def check(value):
        return isinstance(value, tuple | list) and len(value) > 0 and all(map(is_valid, value))

    return check


def one_of(*words):
    """Check of a word."""
    return lambda value: isinstance(value, str) and value in words


def arguments_of(kind, **known):
    """The check of a :class:`LinkKind` by one check per argument."""

    def check(arguments, weight):
        for name, value in arguments.items():
            if name not in known or not known[name](value):
                raise ValueError(f"A link of kind {kind!r} cannot have {name}={value!r}.")
        return arguments

    return check


def convolution_arguments(*known):
    """The check of a :class:`LinkKind` with torch's arguments of convolutions."""

    def check(arguments, weight):
        unknown = sorted(set(arguments) - set(known))
        if unknown:
            raise ValueError(f"Unknown arguments {unknown}; this kind of layer has {list(known)}.")
        return {name: _checked(name, value, weight.ndim - 2) for name, value in arguments.items()}

    return check


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
    if not valid or not all(is_int(v) and _LEAST[name] <= v <= MAX_SIZE for v in per_axis):
        each = "" if name == "groups" else f", or one for each of {n_axes} axes"
        raise ValueError(
            f"{name} must be an int from {_LEAST[name]} to {MAX_SIZE}{each}, got {value!r}."
        )
    return tuple(map(int, per_axis)) if is_sequence else int(value)
