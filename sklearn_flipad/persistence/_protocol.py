"""The number of the format, and files of earlier numbers."""

from sklearn_flipad.persistence._migrations import split_reconstruction
from sklearn_flipad.storage.container import read, unpack
from sklearn_flipad.storage.files import printable

__all__ = ["FORMAT", "INVALID", "PROTOCOL", "read_description", "reason"]

FORMAT = "sklearn_flipad.attributor"
#: To be raised when older readers would misread a file. ``MIGRATIONS[n]`` then makes of a
#: description and arrays of protocol n those of n + 1.
PROTOCOL = 2
MIGRATIONS = {1: split_reconstruction}
#: What a reader of a damaged, or maliciously made, description may run into.
INVALID = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError)
INVALID += (NotImplementedError, TypeError, ValueError, OSError, EOFError)


def read_description(path, max_bytes):
    """Arrays, description in this version's protocol, and bytes of a file of an attributor.

    Raises
    ------
    ValueError
        If it is damaged, incomplete, too large or none of an attributor, or was written by a
        later version.
    FileNotFoundError
        If there is none.
    """
    try:
        content = read(path, max_bytes)
        arrays, description, _ = unpack(content)
        description, arrays = _migrated(description, arrays)
        description["versions"] = dict(description["versions"])
        description["needs"] = {
            name: {key: str(need[key]) for key in ("what", "write")}
            for name, need in description["needs"].items()
        }
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{printable(path)} cannot be loaded: {reason(error)}.") from error
    return arrays, description, content


def _migrated(description, arrays):
    """Description and arrays of an earlier protocol as those of this one."""
    if description.get("format") != FORMAT:
        found = printable(str(description.get("format", "something else")))[:100]
        raise ValueError(f"it holds {found}, not {FORMAT}")
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


def reason(error):
    """The message of an exception in a sentence, without its full stop."""
    text = printable(str(error)).rstrip(".")
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
