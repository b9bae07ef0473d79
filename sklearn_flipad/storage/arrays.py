"""Reading and writing arrays with a description, without pickle.

One safetensors file holds the arrays; its header holds the description as JSON and a
SHA-256 of both.
"""

import glob
import hashlib
import json
import os
import uuid
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sklearn_flipad.storage.files import check_regular, printable

__all__ = ["content_digest", "load_arrays", "remove_partials", "save_arrays", "write_atomically"]


def save_arrays(path, arrays, description):
    """Write arrays and their description; the file appears whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write.
    arrays : dict of str to ndarray
        The arrays.
    description : dict
        JSON values; ``description["format"]`` names the kind of content.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {
        "description": _text(description),
        "sha256": content_digest(arrays, description),
    }
    write_atomically(path, save(arrays, metadata=metadata))


def write_atomically(path, content):
    """Write a file that appears whole or not at all, whatever is interrupted when.

    Parameters
    ----------
    path : path-like
        File to write.
    content : bytes or callable
        Its content, or ``content(file)`` that writes it to the open binary file.
    """
    path = Path(path)
    # Not by tempfile, whose files nobody else may read.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with open(partial, "xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())  # a power failure must not leave the name without content
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_partials(path):
    """Remove what killed writers of a file left beside it.

    Only while nobody else writes the file: what they are writing would be removed too.

    Parameters
    ----------
    path : path-like
        The file that :func:`write_atomically` writes.
    """
    path = Path(path)
    for partial in path.parent.glob(f"{glob.escape(path.name)}.{'[0-9a-f]' * 32}.partial"):
        partial.unlink(missing_ok=True)


def load_arrays(path, formats):
    """Read what :func:`save_arrays` wrote.

    Parameters
    ----------
    path : path-like
        File to read.
    formats : str or tuple of str
        The description must name this format, or one of these.

    Returns
    -------
    arrays : dict of str to ndarray
    description : dict

    Raises
    ------
    ValueError
        If the file is not a regular file, is not readable, is of another format or was
        changed.
    FileNotFoundError
        If there is none.
    """
    check_regular(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in list(file.keys())}
        description = json.loads(header.get("description", "{}"))
        text = _text(description)
    except (SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = printable(str(error))[:200] or type(error).__name__
        raise ValueError(
            f"{path} is not a complete safetensors file ({reason}). It may be truncated; "
            "copy it again from its source."
        ) from error
    if not isinstance(description, dict):
        raise ValueError(f"{path} holds no description of its arrays, but {text[:100]}.")
    formats = (formats,) if isinstance(formats, str) else formats
    if description.get("format") not in formats:
        found = printable(str(description.get("format", "something else")))[:100]
        raise ValueError(f"{path} holds {found}, not {' or '.join(formats)}.")
    if header.get("sha256") != content_digest(arrays, description):
        raise ValueError(
            f"The content of {path} does not match its checksum: it was changed after it "
            "was written. Do not use it; copy it again from its source."
        )
    return arrays, description


def content_digest(arrays, description):
    """SHA-256 of named arrays and their description.

    Parameters
    ----------
    arrays : dict of str to ndarray
        The arrays.
    description : dict
        JSON values.

    Returns
    -------
    str
        Hexadecimal digest; it does not depend on the order of the names.
    """
    digest = hashlib.sha256(_text(description).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype}:{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _text(description):
    return json.dumps(description, sort_keys=True)
