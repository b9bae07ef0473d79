"""Arrays and a description in one safetensors file, without pickle.

The header holds the description as JSON, and a SHA-256 of the whole file that is taken with zeros
in place of its digits.
"""

import hashlib
import json
import os
import re
from math import inf

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from sklearn_flipad.storage.files import check_regular, printable, write_atomically

__all__ = [
    "content_digest",
    "load_arrays",
    "pack",
    "read",
    "save_arrays",
    "unpack",
]

#: Limits that are checked before anything of that size is allocated.
_MAX_HEADER = 2**25
_MAX_ARRAYS = 2**16
#: The digest in the header. Quotes in the description are escaped, so there is no other match.
_DIGEST = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_ZEROS = b"0" * 64
#: Exceptions that a header with a correct digest may still cause.
_INVALID = (SafetensorError, AttributeError, ImportError, LookupError, MemoryError, RuntimeError)
_INVALID += (TypeError, ValueError)


def save_arrays(path, arrays, description):
    """Write arrays and JSON values; ``description["format"]`` names the kind of content."""
    write_atomically(path, pack(arrays, description))


def load_arrays(path, *formats):
    """Arrays and description of a file; ValueError if it is damaged or of none of the formats."""
    try:
        return unpack(read(path), *formats)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {str(error).rstrip('.')}.") from error


def pack(arrays, description):
    """The bytes of a file of arrays and JSON values."""
    text = json.dumps(description, allow_nan=False, separators=(",", ":"))
    arrays = {
        name: np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
        for name, array in arrays.items()
    }
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


def read(path, max_bytes=inf):
    """The bytes of a file, after its size and that of its header have been checked."""
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


def unpack(content, *formats):
    """Arrays and description in the bytes of a file; messages of errors lack the file's name.

    Without formats, any is taken.
    """
    expected = " or ".join(formats) or "a file of this library"
    size = _check_header_size(content[:8], len(content))
    digests = list(_DIGEST.finditer(content, 8, 8 + size))
    if len(digests) != 1:
        raise ValueError(
            f"it is not a complete safetensors file with a checksum in its header, not {expected}"
        )
    digest = digests[0][1].decode()
    is_whole = _digest_of(content, digests[0].start(1)) == digest
    try:
        header = _strict_json(content[8 : 8 + size].decode())
        if len(header) > _MAX_ARRAYS:
            raise ValueError(f"it lists {len(header)} arrays, more than {_MAX_ARRAYS}")
        description = _strict_json(header["__metadata__"]["description"])
        # Copies, so that the bytes of the file can be freed.
        loaded = safetensors.numpy.load(content)
        arrays = {name: np.array(array) for name, array in loaded.items()}
        # Files of layers and encoders were first written with a digest of their content.
        is_whole = is_whole or content_digest(arrays, description) == digest
    except _INVALID as error:
        if is_whole:
            reason = printable(str(error))[:200] or type(error).__name__
            raise ValueError(f"its header cannot be read ({reason})") from error
    if not is_whole:
        raise ValueError(
            "the file does not match its checksum: it is not complete but truncated, or was "
            "changed after it was written. Do not use it; copy it again from its source"
        )
    if not isinstance(description, dict):
        raise ValueError("its description is no JSON object")
    if formats and description.get("format") not in formats:
        found = printable(str(description.get("format", "something else")))[:100]
        raise ValueError(f"it holds {found}, not {expected}")
    return arrays, description


def content_digest(arrays, description):
    """SHA-256 of named arrays and JSON values in hex digits, whatever the order of the names."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype}:{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _digest_of(content, at):
    """SHA-256 of a file with zeros in place of the 64 digits at an index."""
    digest = hashlib.sha256(content[:at])
    digest.update(_ZEROS)
    digest.update(memoryview(content)[at + 64 :])
    return digest.hexdigest()


def _header_size(content):
    return int.from_bytes(content[:8], "little")


def _check_header_size(begin, n_bytes):
    """The size of the header that the first 8 bytes of a file announce."""
    size = _header_size(begin)
    if len(begin) < 8 or size > n_bytes - 8:
        raise ValueError(
            "it is not a complete safetensors file, but truncated or something else: it has "
            f"{n_bytes} bytes, too few for the header that it announces"
        )
    if size > _MAX_HEADER:
        raise ValueError(f"its header has {size} bytes, more than {_MAX_HEADER}")
    return size


def _strict_json(text):
    """JSON without repeated keys, NaN and infinity, which parsers read differently."""

    def unique(pairs):
        value = dict(pairs)
        if len(value) < len(pairs):
            raise ValueError("a key is repeated")
        return value

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
