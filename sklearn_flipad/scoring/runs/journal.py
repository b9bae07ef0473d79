"""Rows of an unfinished run: a file that grows by whole batches, whatever kills the writer."""

import hashlib
import json
import os
from pathlib import Path

from sklearn_flipad.scoring.columns import COLUMNS
from sklearn_flipad.storage.arrays import write_atomically

__all__ = ["Journal", "check_header", "differences"]


class Journal:
    """Rows in the order of the listing.

    The first line describes the run, each further line is one batch. Lines begin with a
    checksum. What follows the first line that is not whole counts as not written.

    Parameters
    ----------
    path : path-like
        The file.
    """

    def __init__(self, path):
        self.path = Path(path)

    def start(self, header):
        """Begin a journal, or go on with what an interrupted run left.

        Parameters
        ----------
        header : dict
            JSON values that describe the run.

        Raises
        ------
        ValueError
            If the file is of another run, or is no journal.
        """
        if not self.path.exists():
            write_atomically(self.path, _line(header))
        with open(self.path, "r+b") as file:
            found = _content(file.readline())
            if not isinstance(found, dict):
                raise ValueError(
                    f"{self.path} is no journal of score_files. Move it elsewhere, or choose "
                    "another out."
                )
            check_header(found, header, self.path)
            end = file.tell()
            while _content(line := file.readline()) is not None:
                end += len(line)
            file.truncate(end)

    def append(self, rows):
        """Add the rows of a batch; they are on the disk when this returns.

        Parameters
        ----------
        rows : list of dict
            With all of the columns.
        """
        with open(self.path, "ab") as file:
            file.write(_line([[row[name] for name in COLUMNS] for row in rows]))
            file.flush()
            os.fsync(file.fileno())

    def rows(self):
        """Iterate over the rows.

        Yields
        ------
        dict
        """
        with open(self.path, "rb") as file:
            file.readline()
            for line in file:
                for values in _content(line):
                    yield dict(zip(COLUMNS, values, strict=True))

    def remove(self):
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def check_header(found, header, path):
    """Refuse to go on with a run that was another one.

    Parameters
    ----------
    found : dict
        The description that an interrupted run left.
    header : dict
        That of this run.
    path : path-like
        Where it was found.

    Raises
    ------
    ValueError
        If they differ; the message says where.
    """
    lines = differences(found, header)
    if lines:
        raise ValueError(
            f"{path} is of a run with something else, and verdicts are not mixed:\n{lines}\n"
            "Pass what was passed then to complete it; or choose another out; or pass resume=False "
            "to discard it and score all files again."
        )


def differences(found, header):
    """Where two descriptions of runs differ.

    Parameters
    ----------
    found, header : dict
        The earlier and the present one.

    Returns
    -------
    str
        A line for each entry; empty if there is none.
    """
    return "\n".join(
        f"  {name}: {_short(found.get(name))} then, {_short(header.get(name))} now"
        for name in {**header, **found}
        if header.get(name) != found.get(name)
    )


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _line(content):
    text = json.dumps(content).encode()
    return _checksum(text) + b" " + text + b"\n"


def _content(line):
    """The content of a line; None if it is not whole."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != _checksum(text):
        return None
    return json.loads(text)


def _checksum(text):
    return hashlib.sha256(text).hexdigest()[:16].encode()
