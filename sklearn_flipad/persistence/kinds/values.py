"""Values of Python and numpy that JSON does not have, and values that are made of arguments."""

import math
from dataclasses import fields

import numpy as np

from sklearn_flipad.persistence.kinds.classes import (
    SPLITTERS,
    VALUES,
    constructor_arguments,
    import_class,
    name_of,
)
from sklearn_flipad.persistence.kinds.kind import Kind
from sklearn_flipad.storage.files import printable

__all__ = ["KINDS"]

#: Kinds of dtypes that files hold: booleans, integers and floats.
_NUMBERS = "biuf"


def _special_float(node, reader):
    if node["value"] not in ("nan", "inf", "-inf"):
        raise ValueError(f"{str(node['value'])[:100]!r} is no special float")
    return float(node["value"])


def _array_apart(value, path, writer):
    if value.dtype.kind not in _NUMBERS or type(value) is not np.ndarray:
        raise ValueError(f"{path} cannot be stored: it is an array of {value.dtype}")
    return {"array": writer.put(value, path)}


def _array_shown(node, view):
    array = view.arrays[node["array"]]
    return array[()].item() if array.ndim == 0 else f"array of shape {array.shape}"


def _strings(name, dtype):
    """Arrays of strings in a row, such as classes and names of features."""
    dtype = np.dtype(dtype)

    def holds(value, path):
        is_row = type(value) is np.ndarray and value.ndim == 1 and value.dtype.kind == dtype.kind
        return is_row and all(isinstance(item, str) for item in value)

    return Kind(
        name,
        holds,
        take_apart=lambda value, path, writer: {"items": value.tolist()},
        put_together=lambda node, reader: np.array([str(x) for x in node["items"]], dtype=dtype),
        shared=False,
    )


def _constructed(name, table, arguments):
    """Values of the classes in a table that are no more than the arguments of a constructor."""

    def take_apart(value, path, writer):
        parts = {key: getattr(value, key) for key in arguments(type(value))}
        return {"class": type(value).__name__, "items": writer.named(parts, path)}

    def put_together(node, reader):
        return import_class(table, node["class"])(**reader.named(node["items"]))

    def show(node, view):
        parts = (f"{key}={view.show(item)}" for key, item in node["items"].items())
        return printable(f"{node['class']}({', '.join(parts)})")

    def holds(value, path):
        return name_of(table, value) is not None

    return Kind(name, holds, take_apart, put_together, show)


KINDS = (
    Kind(
        "float",
        lambda value, path: type(value) is float and not math.isfinite(value),
        lambda value, path, writer: {"value": repr(value)},
        _special_float,
        lambda node, view: printable(str(node["value"])),
        shared=False,
    ),
    Kind(
        "tuple",
        lambda value, path: type(value) is tuple,
        lambda value, path, writer: {"items": writer.items(value, path)},
        lambda node, reader: tuple(reader.value(item) for item in node["items"]),
        lambda node, view: [view.show(item) for item in node["items"]],
        shared=False,
    ),
    Kind(
        "range",
        lambda value, path: type(value) is range,
        lambda value, path, writer: {"items": [value.start, value.stop, value.step]},
        lambda node, reader: range(*map(int, node["items"])),
        lambda node, view: printable(str(range(*map(int, node["items"])))),
        shared=False,
    ),
    Kind(
        "dict",
        lambda value, path: type(value) is dict and all(type(key) is str for key in value),
        lambda value, path, writer: {"items": writer.named(value, path)},
        lambda node, reader: reader.named(node["items"]),
        lambda node, view: {printable(k): view.show(item) for k, item in node["items"].items()},
        shared=False,
    ),
    _strings("names", object),
    _strings("strings", str),
    Kind(
        "array",
        lambda value, path: isinstance(value, np.ndarray),
        _array_apart,
        lambda node, reader: reader.take(node["array"]),
        _array_shown,
        shared=False,
    ),
    Kind(
        "scalar",
        lambda value, path: isinstance(value, np.generic) and value.dtype.kind in _NUMBERS,
        lambda value, path, writer: {"array": writer.put(np.array(value), path)},
        lambda node, reader: reader.take(node["array"])[()],
        _array_shown,
        shared=False,
    ),
    # Immutable dataclasses of the library, such as rules and solvers.
    _constructed("value", VALUES, lambda cls: [field.name for field in fields(cls)]),
    _constructed("splitter", SPLITTERS, constructor_arguments),
)
