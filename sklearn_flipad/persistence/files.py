"""What a path leads to, found out before it is opened."""

import errno
import os
import re
import stat

__all__ = ["check_regular", "file_kind", "printable"]

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
