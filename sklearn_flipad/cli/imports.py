"""Generators and functions of the user, by where they are."""

import importlib
import json
import os
import sys
from functools import reduce
from pathlib import Path

__all__ = ["call", "import_object"]


def import_object(name, what):
    """Object at ``package.module:name`` or ``file.py:name``; `what` names it in errors."""
    module, colon, path = name.rpartition(":")
    if not colon or not module or not path:
        raise ValueError(
            f"{what} must be written package.module:name or file.py:name, got {name!r}."
        )
    try:
        found = _module(module)
    except Exception as error:
        raise ImportError(
            f"{module} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    try:
        return reduce(getattr, path.split("."), found)
    except AttributeError as error:
        raise ValueError(f"{module} has no {path}.") from error


def _module(name):
    folder = os.getcwd()
    if name.endswith(".py"):
        file = Path(name).resolve()
        if not file.is_file():
            raise FileNotFoundError(f"there is no file {file}")
        folder, name = str(file.parent), file.stem
    else:
        file = None
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found = importlib.import_module(name)
    if file is not None and Path(found.__file__ or "").resolve() != file:
        raise ImportError(
            f"{name} is the name of another module, {found.__file__}: rename the file"
        )
    return found


def call(thing, name, arguments=None):
    """Result of a class or a function that is called with a JSON object of keyword arguments."""
    try:
        options = json.loads(arguments or "{}")
    except ValueError as error:
        raise ValueError(f"The arguments of {name} are no JSON: {error}.") from error
    if not isinstance(options, dict):
        raise ValueError(f"The arguments of {name} must be a JSON object, got {arguments}.")
    try:
        return thing(**options)
    except Exception as error:
        raise ValueError(
            f"{name}({', '.join(f'{k}={v!r}' for k, v in options.items())}) raised "
            f"{type(error).__name__}: {error}. Pass what it needs as a JSON object, for example "
            """--arguments '{"width": 64}'."""
        ) from error
