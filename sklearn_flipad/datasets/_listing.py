"""Files that paths name or lead to, and why one of them cannot be read."""

import os
from pathlib import Path

from sklearn_flipad.persistence.files import file_kind, printable

__all__ = ["list_files", "plain_reason"]


def list_files(paths):
    """List the files that are meant by `paths`.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files, or one folder.

    Returns
    -------
    list of (str, Exception or None)
        Each path, and what went wrong where it could not even be listed. For a folder, all
        that is below it in the order of the names, save what is hidden. Links to folders
        are listed and not followed.

    Raises
    ------
    FileNotFoundError
        If `paths` is a single path that leads nowhere.
    TypeError
        If one of `paths` is not a path.
    """
    if not _is_path(paths):
        return [(_as_path(path, index), None) for index, path in enumerate(paths)]
    root = _as_path(paths, 0)
    try:
        kind = file_kind(root)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"{printable(root)}: {plain_reason(error)}.") from None
    except (OSError, ValueError) as error:
        return [(root, error)]
    return _below(root) if kind == "folder" else [(root, None)]


def plain_reason(error):
    """The reason for an exception in one printable line.

    Parameters
    ----------
    error : Exception
        What was raised for one file.

    Returns
    -------
    str
    """
    if isinstance(error, MemoryError):
        return "not enough memory to read it"
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror)
    text = printable(str(error))[:300]
    if isinstance(error, OSError | ValueError | SyntaxError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_path(value):
    return isinstance(value, str | bytes | os.PathLike)


def _as_path(value, index):
    if not _is_path(value):
        raise TypeError(f"paths must hold paths; number {index} is {value!r}.")
    return str(Path(os.fsdecode(value)))


def _below(root):
    found, folders = [], [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
            for entry in visible:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    found.append((entry.path, None))
        except OSError as error:
            found.append((folder, error))
    return sorted(found, key=lambda item: Path(item[0]).parts)
