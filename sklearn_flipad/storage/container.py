"""One safetensors file of arrays and a description, of which every byte counts.

The description is JSON in the header, beside a SHA-256 of the whole file, taken with zeros in
the place of its digits.
"""

import hashlib
import json
import os
import re

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from sklearn_flipad.storage.files import check_regular, printable

__all__ = ["pack", "read", "unpack"]

#: Limits on what is read, before anything of that size is allocated.
_MAX_HEADER = 2**25
_MAX_ARRAYS = 2**16
#: Where the digest stands. Quotes in the description are escaped, so this is found once.
_DIGEST = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_ZEROS = b"0" * 64
#: What a header may bring about whose checksum is right.
_INVALID = (SafetensorError, AttributeError, ImportError, LookupError, MemoryError, RuntimeError)
_INVALID += (TypeError, ValueError)


def pack(arrays, description):
    """Arrays and JSON values as the bytes of a file."""
    text = json.dumps(description, allow_nan=False, separators=(",", ":"))
    metadata = {"description": text, "sha256": _ZEROS.decode()}
    content = bytearray(safetensors.numpy.save(arrays, metadata=metadata))
    size = _header_size(content)
    if size > _MAX_HEADER or len(arrays) > _MAX_ARRAYS:
        raise ValueError(
            f"{len(arrays)} arrays and {size} bytes of description are more than a file may have, "
            f"{_MAX_ARRAYS} and {_MAX_HEADER}."
        )
    at = _DIGEST.search(content, 8, 8 + size).start(1)
    content[at : at + 64] = hashlib.sha256(content).hexdigest().encode()
    return bytes(content)


def read(path, max_bytes):
    """The bytes of a file, refused by their number and by the header's before they are read."""
    check_regular(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise ValueError(
                f"the file has {size} bytes, more than max_bytes={max_bytes}. If that is what you "
                "expect, pass a larger max_bytes"
            )
        begin = file.read(8)
        _check_header_size(begin, size)
        content = begin + file.read(size - 8)
    if len(content) != size:
        raise ValueError("the file changed while it was read")
    return content


def unpack(content):
    """The arrays and the description in the bytes of a file, and its digest.

    Raises
    ------
    ValueError
        If the bytes are not what :func:`pack` made; the message is to follow a file's name.
    """
    size = _check_header_size(content[:8], len(content))
    found = _DIGEST.findall(content, 8, 8 + size)
    if len(found) != 1:
        raise ValueError(
            "the file is not complete, or none of this library: it has no checksum in its header"
        )
    digest = found[0].decode()
    start = _DIGEST.search(content, 8, 8 + size).start(1)
    zeroed = hashlib.sha256(content[:start])
    zeroed.update(_ZEROS)
    zeroed.update(memoryview(content)[start + 64 :])
    if zeroed.hexdigest() != digest:
        raise ValueError(
            "the file does not match its checksum: it is not complete, or was changed after it was "
            "written. Do not use it; copy it again from its source"
        )
    try:
        header = _strict_json(content[8 : 8 + size].decode())
        if len(header) > _MAX_ARRAYS:
            raise ValueError(f"it lists {len(header)} arrays, more than {_MAX_ARRAYS}")
        description = _strict_json(header["__metadata__"]["description"])
        arrays = safetensors.numpy.load(content)
    except _INVALID as error:
        reason = printable(str(error))[:200] or type(error).__name__
        raise ValueError(f"its header cannot be read ({reason})") from error
    if not isinstance(description, dict):
        raise ValueError("its description is no JSON object")
    # Of its own memory each, so that the bytes of the file can go.
    return {name: np.array(array) for name, array in arrays.items()}, description, digest


def _header_size(content):
    return int.from_bytes(content[:8], "little")


def _check_header_size(begin, n_bytes):
    size = _header_size(begin)
    if len(begin) < 8 or size > n_bytes - 8:
        raise ValueError(
            f"the file is not complete, or no safetensors file: it has {n_bytes} bytes, too few "
            "for the header that it announces"
        )
    if size > _MAX_HEADER:
        raise ValueError(f"its header has {size} bytes, more than {_MAX_HEADER}")
    return size


def _strict_json(text):
    """JSON without what its readers disagree about: repeated keys, NaN and infinity."""

    def unique(pairs):
        value = dict(pairs)
        if len(value) < len(pairs):
            raise ValueError("a key is repeated")
        return value

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
