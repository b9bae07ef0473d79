"""Regular files: checked before they are opened, and written whole or not at all."""

import errno
import glob
import hashlib
import os
import re
import stat
import uuid
from pathlib import Path

__all__ = [
    "check_regular",
    "file_digest",
    "file_kind",
    "printable",
    "read_regular",
    "remove_partials",
    "write_atomically",
]

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
#: Control characters, and bytes of a file name that are not UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def file_kind(path):
    """``"file"``, ``"folder"``, ``"FIFO"``, ``"socket"`` or ``"device"``, links followed.

    The path is not opened: opening a FIFO waits for a writer, and opening a device may act on it.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not os.path.islink(path):
            raise
        reason = f"a link to {os.readlink(path)}, which does not exist"
        raise FileNotFoundError(errno.ENOENT, reason, path) from None
    return _KINDS.get(stat.S_IFMT(mode), "device")


def check_regular(path):
    """Raise ValueError if a path leads to anything but a regular file, before it is opened."""
    kind = file_kind(path)
    if kind != "file":
        raise ValueError(f"{printable(path)} is a {kind}, not a file.")


def read_regular(path, max_bytes):
    """The bytes of a regular file of limited size; messages of ValueErrors lack the file's name."""
    kind = file_kind(path)
    if kind == "file":
        # The path may lead elsewhere by now: a FIFO that is opened so does not wait.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "device")
            if kind == "file":
                # A file may grow, and those of the system have no size.
                data = file.read(max_bytes + 1) if found.st_size <= max_bytes else None
                if data is None or len(data) > max_bytes:
                    n_bytes = max(found.st_size, max_bytes + 1)
                    raise ValueError(f"{n_bytes} bytes, more than {max_bytes}")
                return data
    if kind == "folder":
        raise ValueError("a folder or a link to one")
    raise ValueError(f"a {kind}, not a file")


def write_atomically(path, content):
    """Write bytes, or what ``content(file)`` writes, so that interruptions leave no part of them.

    The old file is replaced when the new one is complete.
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

    Call it only while nobody else writes the file: what they are writing would be removed too.
    """
    path = Path(path)
    for partial in path.parent.glob(f"{glob.escape(path.name)}.{'[0-9a-f]' * 32}.partial"):
        partial.unlink(missing_ok=True)


def file_digest(path):
    """SHA-256 of a file in hex digits, computed without loading it whole."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(text):
    """A text or path with control characters, and bytes that are not UTF-8, escaped."""
    text = text if isinstance(text, str) else os.fsdecode(text)
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
