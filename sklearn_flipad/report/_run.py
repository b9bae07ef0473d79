"""A finished run of score_files: its description, its attributor and its rows."""

import ast
import heapq
import os
import re
from collections import Counter
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_flipad.scoring import decoders
from sklearn_flipad.scoring.runs.attributors import load_checked, source_of
from sklearn_flipad.scoring.runs.fingerprint import fingerprint
from sklearn_flipad.scoring.runs.outputs import format_of, read_description, was_resized
from sklearn_flipad.scoring.runs.tables import check_out, read_table
from sklearn_flipad.storage.files import file_digest, printable

__all__ = ["Run", "read_run"]

#: Decoders that a description names by how they print.
_DECODERS = {name: getattr(decoders, name) for name in decoders.__all__}
_VERDICTS = ("own", "not own", "undecided")
#: Reasons of refused files that are counted apart.
_MAX_REASONS = 1000


@dataclass(frozen=True, eq=False)
class Run:
    """What a report is about.

    Attributes
    ----------
    table : pathlib.Path
        The table.
    description : dict
        What stands beside it.
    attributor : estimator
        The fitted attributor that the files were scored with.
    decoder : callable or None
        What made samples of the files; None if it is not known.
    listed : list of (int, dict)
        The first rows, as many as are to be listed, with their numbers among the scored ones;
        -1 for files that were refused.
    strongest : list of (int, int, dict)
        Rows with the largest scores, in descending order, with their numbers in the table and
        among the scored ones.
    scores : ndarray of float64, shape (n_scored,)
        Scores of all scored files, in order.
    verdicts : ndarray of str, shape (n_scored,)
        Their verdicts.
    p_own, p_reference : ndarray of float64, shape (n_scored,)
        Their p-values; NaN where there are none.
    first : ndarray of int, shape (n_distinct,)
        Where each content is scored for the first time: copies of a file are one suspect.
    reasons : Counter
        Why files were refused.
    formats : Counter
        How many of the scored files have each format.
    n_resized : int
        How many of the scored files were resized.
    n_files : int
        Files in the table.
    """

    table: Path
    description: dict
    attributor: Any
    decoder: Any
    listed: list
    strongest: list
    scores: np.ndarray
    verdicts: np.ndarray
    p_own: np.ndarray
    p_reference: np.ndarray
    first: np.ndarray
    reasons: Counter
    formats: Counter
    n_resized: int
    n_files: int

    @property
    def levels(self):
        """Levels of the verdicts, where the run states them; else they are the attributor's."""
        stated = self.description.get("levels") or {}
        return {name: stated[name] for name in ("fnr", "fpr") if name in stated}


def read_run(table, attributor, *, decoder, n_listed, n_strongest):
    """Read what a report is made of, and refuse what does not belong together.

    Parameters
    ----------
    table : path-like
        What score_files wrote.
    attributor : estimator or path-like
        What it was given.
    decoder : callable or None
        The same, for other files than images.
    n_listed, n_strongest : int
        Rows that are kept.

    Returns
    -------
    Run

    Raises
    ------
    ValueError, FileNotFoundError, TypeError
        See :func:`~sklearn_flipad.report.write_report`.
    """
    table = Path(os.fsdecode(table)).resolve()
    check_out(table)
    description = read_description(table)
    attributor = _scored_with(attributor, description, table)
    rows = _Rows(n_listed, n_strongest)
    for row in read_table(table):
        try:
            rows.add(row)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{printable(table)} is damaged: row {rows.n_files + 1} is none that score_files "
                f"writes ({error!r:.200})."
            ) from error
    if description["sha256"] != file_digest(table):
        raise ValueError(f"{printable(table)} was changed while it was read. Try again.")
    return Run(
        table=table,
        description=description,
        attributor=attributor,
        decoder=_decoded_with(decoder, description),
        **rows.collected(),
    )


class _Rows:
    """Rows that pass by; what is kept of each is a few numbers."""

    def __init__(self, n_listed, n_strongest):
        self.n_listed, self.n_strongest = n_listed, n_strongest
        self.n_files = self.n_resized = 0
        self.listed, self.heap, self.numbers, self.digests = [], [], [], []
        self.verdicts, self.reasons, self.formats = [], Counter(), Counter()

    def add(self, row):
        scored = row["status"] == "scored"
        digest = bytes.fromhex(row["sha256"]) if scored else b""
        if scored and not (
            len(digest) == 32
            and isfinite(row["score"])
            and row["n_bytes"] >= 0
            and row["verdict"] in _VERDICTS
        ):
            raise ValueError("a digest, a score, a size or a verdict is wrong")
        if self.n_files < self.n_listed:
            self.listed.append((len(self.numbers) if scored else -1, row))
        if scored:
            numbers = [row[name] for name in ("score", "p_own", "p_reference")]
            self.numbers.append([np.nan if value is None else value for value in numbers])
            self.verdicts.append(row["verdict"])
            self.digests.append(digest)
            self.formats[format_of(row)] += 1
            self.n_resized += was_resized(row)
            entry = (row["score"], -self.n_files, len(self.numbers) - 1, row)
            if len(self.heap) < self.n_strongest:
                heapq.heappush(self.heap, entry)
            elif self.heap:
                heapq.heappushpop(self.heap, entry)
        else:
            reason = row["reason"]
            known = reason in self.reasons or len(self.reasons) < _MAX_REASONS
            self.reasons[reason if known else "other reasons"] += 1
        self.n_files += 1

    def collected(self):
        scores, p_own, p_reference = np.array(self.numbers, dtype=float).reshape(-1, 3).T
        _, first = np.unique(np.array(self.digests, dtype="V32"), return_index=True)
        return {
            "listed": self.listed,
            "strongest": [
                (-place, index, row) for _, place, index, row in sorted(self.heap, reverse=True)
            ],
            "scores": scores,
            "verdicts": np.array(self.verdicts, dtype="U9"),
            "p_own": p_own,
            "p_reference": p_reference,
            "first": np.sort(first),
            "reasons": self.reasons,
            "formats": self.formats,
            "n_resized": self.n_resized,
            "n_files": self.n_files,
        }


def _scored_with(attributor, description, table):
    """The attributor, if it is the one that a table was made with."""
    digest, levels = description.get("attributor"), description.get("levels") or {}
    source = source_of(attributor, **levels)
    found = load_checked(source)
    if digest not in (source.digest, fingerprint(found)):
        raise ValueError(
            f"{printable(table)} was made with another attributor: with {digest!s:.64}, and this "
            f"one is {source.digest}. Pass what score_files was given, the path of the same file "
            "or the same object; or score the files with this one. An object that was saved is "
            "another one than its file: score with the path, to report with the path."
        )
    return found


def _decoded_with(decoder, description):
    """The decoder of the run, as given or by how it prints; None if that does not name it."""
    digest = description.get("decoder_digest")
    if decoder is not None:
        if fingerprint(decoder) != digest:
            raise ValueError(
                f"decoder={decoder!r:.200} is not what made samples of these files. Pass the "
                "decoder that score_files was given, or none, for a report without pictures."
            )
        return decoder
    found = _from_repr(str(description.get("decoder")))
    return found if found is not None and fingerprint(found) == digest else None


def _from_repr(text):
    """A decoder of the library from ``Name(key=value, ...)``, without running any code."""
    name = re.match(r"\w+(?=\()", text)
    try:
        call = ast.parse(text, mode="eval").body
        arguments = {entry.arg: ast.literal_eval(entry.value) for entry in call.keywords}
        return _DECODERS[name[0]](**arguments)
    except (AttributeError, KeyError, SyntaxError, TypeError, ValueError):
        return None
