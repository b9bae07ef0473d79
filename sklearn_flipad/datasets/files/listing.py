"""Files that paths name or lead to, and why one of them cannot be read."""

import os

from sklearn_flipad.storage.files import file_kind, printable

__all__ = ["iter_files", "list_files", "plain_reason"]


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
    return list(iter_files(paths))


def iter_files(paths):
    """Iterate over the files that are meant by `paths`, without holding them in memory.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files and folders.

    Yields
    ------
    tuple of (str, Exception or None)
        As :func:`list_files` lists them; of all folders that `paths` names, what is below. The
        names of one folder at a time are held, since they are sorted.

    Raises
    ------
    FileNotFoundError
        If `paths` is a single path that leads nowhere.
    TypeError
        If one of `paths` is not a path.
    """
    alone = _is_path(paths)
    for index, path in enumerate([paths] if alone else paths):
        root = _as_path(path, index)
        try:
            kind = file_kind(root)
        except (OSError, ValueError) as error:
            if alone and isinstance(error, FileNotFoundError | NotADirectoryError):
                reason = plain_reason(error)
                raise FileNotFoundError(f"{printable(root)}: {reason}.") from None
            yield root, error
            continue
        if kind == "folder":
            yield from _below(root)
        else:
            yield root, None


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
    if not _is_path(value) or not os.fspath(value):
        raise TypeError(f"paths must hold paths; number {index} is {value!r}.")
    path = os.fsdecode(value)
    # What ".." leads to depends on links. Paths are not made by pathlib, which keeps all names.
    return path if os.pardir in path.split(os.sep) else os.path.normpath(path)


def _below(root):
    """What is in a folder, in the order of the parts of the paths."""
    waiting = [iter([(root, True)])]  # no recursion: folders may be nested deeply
    while waiting:
        path, is_folder = next(waiting[-1], (None, False))
        if path is None:
            waiting.pop()
        elif not is_folder:
            yield path, None
        else:
            try:
                waiting.append(_entries(path))
            except OSError as error:
                yield path, error


def _entries(folder):
    with os.scandir(folder) as entries:
        visible = [
            (entry.name, entry.is_dir(follow_symlinks=False))
            for entry in entries
            if not entry.name.startswith(".")
        ]
    visible.sort()
    return ((os.path.join(folder, name), is_folder) for name, is_folder in visible)
