"""Files that paths lead to, each with the reason if it cannot be read."""

import os

from sklearn_flipad.storage.files import file_kind, printable

__all__ = ["count_files", "iter_files", "list_files", "plain_reason"]


def list_files(paths, on_hidden=None):
    """Paths of files, or of all files below one folder, and what is wrong with each, or None.

    A folder is listed in the order of the names, hidden files left out and counted by `on_hidden`,
    see :func:`iter_files`; links to folders are listed and not followed. A single path that leads
    nowhere is a FileNotFoundError.
    """
    if not _is_path(paths):
        return [(_as_path(path, index), None) for index, path in enumerate(paths)]
    return list(iter_files(paths, on_hidden))


def iter_files(paths, on_hidden=None):
    """Yield paths of files and below folders, and what is wrong with each, or None.

    As :func:`list_files`, but any number of folders, of which only the names in one at a time are
    held in memory. `on_hidden` is called with the number of hidden entries of each folder, which
    are left out.
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
            yield from _below(root, on_hidden or (lambda n: None))
        else:
            yield root, None


def count_files(paths, is_counted=lambda path: True):
    """Number of files of :func:`iter_files`; None for a generator, which can be read only once."""
    if not (_is_path(paths) or isinstance(paths, list | tuple)):
        return None
    return sum(map(is_counted, (path for path, _ in iter_files(paths))))


def plain_reason(error):
    """The reason for an exception in one printable line."""
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


def _below(root, on_hidden):
    """Yield all files below a folder, in the order of the parts of their paths."""
    waiting = [iter([(root, True)])]  # no recursion: folders may be nested deeply
    while waiting:
        path, is_folder = next(waiting[-1], (None, False))
        if path is None:
            waiting.pop()
        elif not is_folder:
            yield path, None
        else:
            try:
                waiting.append(_entries(path, on_hidden))
            except OSError as error:
                yield path, error


def _entries(folder, on_hidden):
    visible, n_hidden = [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                n_hidden += 1
            else:
                visible.append((entry.name, entry.is_dir(follow_symlinks=False)))
    on_hidden(n_hidden)
    visible.sort()
    return ((os.path.join(folder, name), is_folder) for name, is_folder in visible)
