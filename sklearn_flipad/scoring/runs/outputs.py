"""The table of a run and the files beside it."""

import hashlib
import json
import os
import platform
import re
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import PIL
import sklearn
import torch
from filelock import FileLock, Timeout

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.version import __version__
from sklearn_flipad.scoring.runs.columns import uri_of
from sklearn_flipad.scoring.runs.fingerprint import fingerprint
from sklearn_flipad.scoring.runs.journal import differences
from sklearn_flipad.scoring.runs.stability import NO_IMAGE, STABLE
from sklearn_flipad.scoring.runs.tables import write_table
from sklearn_flipad.scoring.summary import ScoringSummary
from sklearn_flipad.storage.files import (
    check_regular,
    file_digest,
    partial_stem,
    printable,
    read_regular,
    remove_partials,
    write_atomically,
)

__all__ = [
    "Output",
    "describe_run",
    "format_of",
    "is_unstable",
    "read_description",
    "was_resized",
]

_FORMAT = "sklearn_flipad.score_files"
#: To be raised with the columns; tables of all earlier numbers can be read.
_PROTOCOL = 3
#: Bytes of the largest description that is read.
_MAX_DESCRIPTION = 2**20


def describe_run(source, decoder, levels):
    """All that the rows of a table depend on except the files, as JSON values."""
    return {
        "format": _FORMAT,
        "protocol": _PROTOCOL,
        "attributor": source.digest,
        "levels": levels,
        "stability": source.stability,
        "decoder": f"{decoder!r:.200}" if hasattr(decoder, "__dataclass_fields__") else "",
        "decoder_digest": fingerprint(decoder),
        "versions": {
            "sklearn_flipad": __version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
            "machine": platform.machine(),
        },
    }


def read_description(out):
    """Description of a finished table: the run, the summary and the digests.

    FileNotFoundError without table or description; ValueError if the description is damaged or of
    another kind or version, or the table was changed.
    """
    check_regular(out)
    path, name = Output(out).run, printable(out)
    if not path.exists():
        raise FileNotFoundError(
            f"{name} has no {printable(path.name)} beside it, which says how it was made. Pass the "
            "table where score_files wrote it, or copy both."
        )
    try:
        found = json.loads(read_regular(path, _MAX_DESCRIPTION))
        kind, protocol, digest = found["format"], found["protocol"], found["sha256"]
        dict(found["versions"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{printable(path)} is damaged: {error!r:.200}.") from error
    if kind != _FORMAT or protocol not in range(1, _PROTOCOL + 1):
        raise ValueError(
            f"{printable(path)} describes {kind!r:.100} of protocol {protocol!r:.100}, and this "
            f"version reads {_FORMAT!r} up to protocol {_PROTOCOL}."
        )
    if digest != file_digest(out):
        raise ValueError(
            f"{name} was changed since it was written. Score the files again, or restore it."
        )
    return found


class Output:
    """A table, by its resolved path, and the files beside it."""

    def __init__(self, out):
        self.out = out
        self.journal, self.run, self.lock = (
            Path(f"{out}{suffix}") for suffix in (".journal", ".run.json", ".lock")
        )
        names = [path.name for path in (out, self.journal, self.run, self.lock)]
        whole, parts = (
            "|".join(map(re.escape, some)) for some in (names, map(partial_stem, names))
        )
        partial = r"\.[0-9a-f]{32}\.partial"
        self._own = re.compile(f"{whole}|({parts}){partial}", re.DOTALL)

    def owns(self, path):
        """Return whether a path leads to one of these files."""
        folder, name = os.path.split(path)
        return bool(self._own.fullmatch(name)) and Path(folder).resolve() == self.out.parent

    @contextmanager
    def locked(self):
        """Hold the output alone for the time of a ``with`` block.

        The lock is the operating system's: it is gone with the process, however that ends.
        """
        self.out.parent.mkdir(parents=True, exist_ok=True)
        for path in (self.journal, self.run, self.lock):
            # Somebody else may have put a link there, to a file that would be changed.
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise ValueError(
                    f"{printable(path)} is a link or no file, and would be written. Remove it, or "
                    "choose another out."
                )
        lock = FileLock(self.lock, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RuntimeError(
                f"{self.out} is being written by another call. Wait until that has ended, or "
                "stop it; or choose another out."
            ) from None
        try:
            for path in (self.out, self.journal, self.run):
                remove_partials(path)
            yield
        finally:
            lock.release()

    def finished(self, header, entries):
        """Summary of a finished run; None if there is something to do."""
        if self.journal.exists() or not self.out.exists():
            return None
        problem = "and nothing says how it was made"
        try:
            found = json.loads(self.run.read_bytes())
            fields = asdict(ScoringSummary(""))  # of some, runs of earlier versions say nothing
            fields = {name: found.pop(name, value) for name, value in fields.items()}
            listing, digest = found.pop("listing"), found.pop("sha256")
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, KeyError, AttributeError):
            problem = f"and {self.run.name} beside it is damaged"
        else:
            counts = _Counts()
            for path, _ in entries:
                counts.list(uri_of(path))
            if digest != file_digest(self.out):
                problem = "and was changed since it was written"
            elif lines := differences(found, header):
                problem = f"and is of a run with something else:\n{lines}\nIt stays as it is"
            elif counts.listing.hexdigest() != listing:
                problem = "and paths lead to other files than are in it"
            else:
                return ScoringSummary(**{**fields, "out": str(self.out)})
        raise FileExistsError(
            Message(
                f"{self.out} exists, {problem}. Choose another out, or pass ",
                Term("resume=False", "resume"),
                " to replace it.",
            )
        )

    def finish(self, header, rows, conditions, n_hidden=0):
        """Write the table of all rows and the description of the run.

        Returns its summary, which counts files that are not as the `conditions` of the attributor,
        and the number of files with a warning of another kind.
        """
        counts = _Counts(conditions)
        counts.fields["n_hidden"] = n_hidden
        write_table(self.out, map(counts.count, rows))
        summary = ScoringSummary(str(self.out), **counts.fields)
        description = {
            **header,
            **asdict(summary),
            "listing": counts.listing.hexdigest(),
            "sha256": file_digest(self.out),
        }
        write_atomically(self.run, json.dumps(description, indent=1).encode())
        return summary, counts.n_other_warnings


def format_of(row):
    """Format of the file in a row of the table."""
    return (row["decoding"] or "unknown").split()[0]


def was_resized(row):
    """Return whether the file in a row of the table was resized."""
    return " resized and cropped to " in (row["decoding"] or "")


def is_unstable(row):
    """Return whether a slight change flips the verdict in a row of the table."""
    return row["stability"] not in (None, STABLE, NO_IMAGE)


class _Counts:
    """Fields of a summary and the digest of the listing, collected while rows pass by."""

    def __init__(self, conditions=None):
        self.conditions, self.n_other_warnings = conditions, 0
        self.listing = hashlib.sha256()
        self.fields = asdict(ScoringSummary(""))
        del self.fields["out"]

    def list(self, uri):
        self.listing.update(f"{uri}\n".encode())

    def count(self, row):
        self.list(row["uri"])
        fields = self.fields
        fields["n_files"] += 1
        fields["n_scored"] += row["status"] == "scored"
        fields["n_warnings"] += row["warning"] is not None
        if row["status"] == "scored":
            self.n_other_warnings += row["warning"] != self.conditions.note(row["decoding"])
            fields["n_rejected"] += row["prediction"] == -1
            fields["n_resized"] += was_resized(row)
            fields["n_unstable"] += is_unstable(row)
            for counts, name in (("verdicts", row["verdict"]), ("formats", format_of(row))):
                fields[counts][name] = fields[counts].get(name, 0) + 1
            for name, value in self.conditions.unlike(row["decoding"]).items():
                of_fact = fields["unlike"].setdefault(name, {})
                of_fact[value] = of_fact.get(value, 0) + 1
        return row
