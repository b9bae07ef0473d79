"""What a path leads to, found out before it is opened."""

import errno
import hashlib
import os
import re
import stat

__all__ = ["check_regular", "file_digest", "file_kind", "printable", "read_regular"]

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
    """Kind of what a path leads to, links followed.

    Parameters
    ----------
    path : path-like
        Any path. It is not opened: opening a FIFO waits for a writer, and opening a device
        may act on it.

    Returns
    -------
    {"file", "folder", "FIFO", "socket", "device"}

    Raises
    ------
    OSError
        If the path cannot be reached; FileNotFoundError if it, or what it links to, does
        not exist.
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
    """Refuse what is not a regular file, before it is opened.

    Parameters
    ----------
    path : path-like
        File to be read.

    Raises
    ------
    ValueError
        If it is a folder, a FIFO, a socket or a device.
    OSError
        If it cannot be reached.
    """
    kind = file_kind(path)
    if kind != "file":
        raise ValueError(f"{printable(path)} is a {kind}, not a file.")


def read_regular(path, max_bytes):
    """Read a regular file, whatever becomes of its path in between.

    Parameters
    ----------
    path : path-like
        File to read.
    max_bytes : int
        Largest file that is read.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If it is a folder, a FIFO, a socket or a device, or is larger; the message is the reason
        alone.
    OSError
        If it cannot be reached or read.
    """
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


def file_digest(path):
    """SHA-256 of the content of a file, which is not held in memory.

    Parameters
    ----------
    path : path-like
        File to read.

    Returns
    -------
    str
        Hexadecimal.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(text):
    """Text that any terminal and log takes.

    Parameters
    ----------
    text : str or path-like
        A path or a message that may hold one.

    Returns
    -------
    str
        The text with control characters, and bytes that are not UTF-8, escaped.
    """
    text = text if isinstance(text, str) else os.fsdecode(text)
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
