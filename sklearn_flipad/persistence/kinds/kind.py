"""The protocol of all kinds of values."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

from sklearn_flipad.storage.files import printable

__all__ = ["Kind", "refusing"]


def _class_or_kind(node, view):
    return printable(str(node.get("class", node["kind"])))


@dataclass(frozen=True)
class Kind:
    """Functions that take values of one kind apart, put them together and show them.

    In a file, a value is a node: a dict of JSON values, of which ``"kind"`` is the name.
    """

    name: str
    #: ``holds(value, path)`` is whether a value is of this kind; `path` says where it is, as
    #: ``attributor/steps/detect``.
    holds: Callable
    #: ``take_apart(value, path, writer)`` is its node without the kind.
    take_apart: Callable
    #: ``put_together(node, reader)`` is the value again. Nothing in the node is trusted.
    put_together: Callable
    #: ``show(node, view)`` describes a node to people, as JSON values. Nothing is built.
    show: Callable = _class_or_kind
    #: Whether a value that occurs in several places is stored once.
    shared: bool = True


@contextmanager
def refusing(path):
    """Name what cannot be stored in the messages of ValueErrors."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path} cannot be stored: {error}") from error
