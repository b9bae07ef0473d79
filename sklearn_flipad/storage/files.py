"""Regular files: checked before they are opened, and written whole or not at all."""

import errno
import glob
import hashlib
import os
import re
import stat
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "check_regular",
    "file_digest",
    "file_kind",
    "naming_path",
    "partial_stem",
    "printable",
    "read_regular",
    "remove_partials",
    "writable_path",
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

#: Bytes of the longest name in common systems of files, and those that parts add to a name.
_MAX_NAME, _N_PARTIAL = 255, 41


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


def writable_path(path):
    """The path that a file is written to, links followed; an error if that is no place for one.

    ValueError if it leads to a folder, a FIFO, a device or a socket, FileNotFoundError if its
    folder does not exist.
    """
    path = os.fsdecode(path)
    path = Path(os.path.realpath(path) if os.path.islink(path) else path)
    try:
        kind = file_kind(path)
    except FileNotFoundError:
        if not path.parent.exists():
            reason = "its folder does not exist"
            raise FileNotFoundError(errno.ENOENT, reason, printable(path)) from None
        return path
    if kind != "file":
        raise ValueError(f"{printable(path)} is a {kind}, not a file: write to another path.")
    return path


@contextmanager
def naming_path(path):
    """Name a path in errors of the system that name none, as those of a full disk."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError):  # torch.save hides the error of the system
            error = error.__context__
        if not isinstance(error, OSError) or error.filename is not None:
            raise
        if error.errno is None:  # of libraries
            raise OSError(f"{printable(path)} cannot be written: {error}") from error
        raise OSError(error.errno, error.strerror, printable(path)) from error


def write_atomically(path, content):
    """Write bytes, or what ``content(file)`` writes, so that interruptions leave no part of them.

    The old file is replaced when the new one is complete; of a link, the file that it leads to.
    """
    path = writable_path(path)
    # Not by tempfile, whose files nobody else may read.
    partial = path.with_name(f"{partial_stem(path.name)}.{uuid.uuid4().hex}.partial")
    try:
        with naming_path(path), open(_descriptor(partial, path), "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())  # a power failure must not leave the name without content
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):  # of a name that is too long, or a folder that may not be written
            partial.unlink()
        raise


def _descriptor(partial, path):
    """Descriptor of a new file; errors are about the path that it is a part of."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(partial, flags, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, printable(path)) from error


def partial_stem(name):
    """The beginning of the names of parts of a file, short enough for all systems of files."""
    name_bytes = os.fsencode(name)
    if len(name_bytes) + _N_PARTIAL <= _MAX_NAME:
        return name
    return hashlib.sha256(name_bytes).hexdigest()[:32]


def remove_partials(path):
    """Remove what killed writers of a file left beside it.

    Call it only while nobody else writes the file: what they are writing would be removed too.
    """
    path = Path(path)
    stem = glob.escape(partial_stem(path.name))
    for partial in path.parent.glob(f"{stem}.{'[0-9a-f]' * 32}.partial"):
        partial.unlink(missing_ok=True)


def file_digest(path):
    """SHA-256 of a file in hex digits, computed without loading it whole."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(text):
    """A text or path with control characters, and bytes that are not UTF-8, escaped."""
    text = text if isinstance(text, str) else os.fsdecode(text)
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
