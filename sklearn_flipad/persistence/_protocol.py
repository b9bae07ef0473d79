"""The number of the format, and files of earlier numbers."""

from contextlib import contextmanager

from sklearn_flipad.persistence._migrations import keep_levels, split_reconstruction
from sklearn_flipad.storage.arrays import read, unpack
from sklearn_flipad.storage.files import printable

__all__ = ["FORMAT", "MAX_DEPTH", "PROTOCOL", "naming", "read_description"]

FORMAT = "sklearn_flipad.attributor"
#: To be raised when older readers would misread a file. ``MIGRATIONS[n]``, a function without side
#: effects, then makes the description and arrays of protocol n + 1 from those of protocol n, as
#: ``description, arrays = MIGRATIONS[n](description, arrays)``.
PROTOCOL = 3
MIGRATIONS = {1: split_reconstruction, 2: keep_levels}
#: How deep values may lie in each other.
MAX_DEPTH = 100
#: Exceptions that a damaged, or maliciously made, description may cause.
_INVALID = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError)
_INVALID += (NotImplementedError, TypeError, ValueError, OSError, EOFError)


def read_description(path, max_bytes):
    """Arrays, description in this version's protocol, and bytes of a file of an attributor.

    Files that hold no attributor, or one of a later version, raise ValueError.
    """
    with naming(path, "loaded", ValueError):
        content = read(path, max_bytes)
    with naming(path, "loaded"):
        description, arrays = _migrated(*unpack(content, FORMAT))
        description["versions"] = dict(description["versions"])
        description["needs"] = {
            name: {key: str(need[key]) for key in ("what", "write")}
            for name, need in description["needs"].items()
        }
    return arrays, description, content


@contextmanager
def naming(path, done, errors=_INVALID):
    """Turn exceptions that a file causes into ValueErrors that name it: it cannot be `done`."""
    try:
        yield
    except errors as error:
        reason = printable(str(error)).rstrip(".")
        if not (isinstance(error, ValueError) and reason):
            reason = f"{type(error).__name__}: {reason}"
        raise ValueError(f"{printable(path)} cannot be {done}: {reason}.") from error


def _migrated(arrays, description):
    protocol = description.get("protocol")
    if type(protocol) is not int or protocol < 1:
        raise ValueError(f"its protocol number is {str(protocol)[:100]}")
    if protocol > PROTOCOL:
        version = printable(str(description["versions"]["sklearn_flipad"]))[:100]
        raise ValueError(
            f"it has protocol {protocol}, and this version reads up to {PROTOCOL}. It was written "
            f"by sklearn_flipad {version}: pip install 'sklearn-flipad>={version}'"
        )
    for number in range(protocol, PROTOCOL):
        description, arrays = MIGRATIONS[number](description, arrays)
    return description, arrays
