"""Code that files name and do not hold: whoever loads one passes it as ``objects=``."""

import inspect

from torch import nn

from sklearn_flipad.persistence.kinds.kind import Kind
from sklearn_flipad.storage.files import printable

__all__ = ["KINDS", "how_to_write", "import_path"]

#: Parameters that may be functions.
_FUNCTIONS = ("distance", "draw", "sampler")


def import_path(thing):
    """The place of the code of a class, a function or an object, as ``package.module:name``."""
    if not hasattr(thing, "__qualname__"):
        thing = type(thing)
    return f"{getattr(thing, '__module__', None)}:{thing.__qualname__}"


def how_to_write(thing):
    """Python code for an object once its name is imported; ``...`` where that is not known."""
    cls = type(thing)
    if isinstance(thing, nn.Module):
        parameters = inspect.signature(cls).parameters.values()
        if any(parameter.default is parameter.empty for parameter in parameters):
            return f"lambda: {cls.__name__}(...)"
        return cls.__name__
    name = getattr(thing, "__qualname__", "")
    return name if name.isidentifier() else "..."


def _is_class(value):
    return isinstance(value, type) and issubclass(value, nn.Module)


def _holds(value, path):
    return _is_class(value) or (callable(value) and path.rpartition("/")[2] in _FUNCTIONS)


def _take_apart(value, path, writer):
    what = f"the {'class' if _is_class(value) else 'function'} of {path}"
    return {"name": writer.ask_for(value, what), "is_class": _is_class(value)}


def _put_together(node, reader):
    name = node["name"]
    given = reader.objects[name]
    if node["is_class"] and not _is_class(given):
        raise ValueError(f"objects[{name!r}] must be a class of torch modules, got {given!r}")
    if not callable(given):
        raise ValueError(f"objects[{name!r}] must be a function, got {given!r}")
    return given


def _show(node, view):
    return printable(str(node["name"]))


# Classes of networks, and functions.
KINDS = (Kind("object", _holds, _take_apart, _put_together, _show),)
