"""Rows of an unfinished run, in a file that grows by whole batches."""

import hashlib
import json
import os
from pathlib import Path

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.scoring.runs.columns import COLUMNS
from sklearn_flipad.storage.files import naming_path, write_atomically

__all__ = ["Journal", "differences"]


class Journal:
    """Rows of an unfinished run in the order of the files, whatever kills the writer.

    The first line describes the run, each further line is one batch. Lines begin with a
    checksum, and what follows the first line that is not whole counts as not written.
    """

    def __init__(self, path):
        self.path = Path(path)

    def start(self, header):
        """Begin a journal, or continue one whose description is ``header``, or raise ValueError."""
        if not self.path.exists():
            write_atomically(self.path, _line(header))
        with open(self.path, "r+b") as file:
            found = _content(file.readline())
            if not isinstance(found, dict):
                raise ValueError(
                    f"{self.path} is no journal of score_files. Move it elsewhere, or choose "
                    "another out."
                )
            if lines := differences(found, header):
                raise ValueError(
                    Message(
                        f"{self.path} is of a run with something else, and verdicts are not "
                        f"mixed:\n{lines}\nPass what was passed then to complete it; or choose "
                        "another out; or pass ",
                        Term("resume=False", "resume"),
                        " to discard it and score all files again.",
                    )
                )
            end = file.tell()
            while _content(line := file.readline()) is not None:
                end += len(line)
            file.truncate(end)

    def append(self, rows):
        """Add the rows of a batch; they are on the disk when this returns."""
        with naming_path(self.path), open(self.path, "ab") as file:
            file.write(_line([[row[name] for name in COLUMNS] for row in rows]))
            file.flush()
            os.fsync(file.fileno())

    def rows(self):
        """Yield the rows."""
        with open(self.path, "rb") as file:
            file.readline()
            for line in file:
                for values in _content(line):
                    yield dict(zip(COLUMNS, values, strict=True))

    def remove(self):
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def differences(found, header):
    """One line per entry in which the descriptions of two runs differ."""
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
    """Content of a line, or None if the line is not whole."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != _checksum(text):
        return None
    return json.loads(text)


def _checksum(text):
    return hashlib.sha256(text).hexdigest()[:16].encode()
