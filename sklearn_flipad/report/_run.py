"""Runs of score_files, read back: description, attributor and rows."""

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
from sklearn_flipad.scoring.runs.conditions import Conditions
from sklearn_flipad.scoring.runs.fingerprint import fingerprint
from sklearn_flipad.scoring.runs.outputs import (
    format_of,
    is_unstable,
    read_description,
    was_resized,
)
from sklearn_flipad.scoring.runs.tables import check_out, read_table
from sklearn_flipad.storage.files import file_digest, printable

__all__ = ["Run", "read_run"]

#: Decoders that a description names by their repr.
_DECODERS = {name: getattr(decoders, name) for name in decoders.__all__}
#: Columns that are checked.
_NUMBERS = ("score", "p_own", "p_reference", "log10_lr")
_VERDICTS = ("own", "not own", "undecided")
#: Distinct reasons of refused files that are counted separately.
_MAX_REASONS = 1000


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run of score_files; arrays have an element for each scored file, in order."""

    table: Path
    #: The JSON file beside the table.
    description: dict
    attributor: Any
    #: None if it is not known.
    decoder: Any
    #: The first rows of the table, as pairs (index among the scored files, row); the index is -1
    #: for refused files.
    listed: list
    #: Rows with the largest scores in descending order, as triples (index in the table, index
    #: among the scored files, row).
    strongest: list
    scores: np.ndarray
    verdicts: np.ndarray
    #: NaN where there are no p-values.
    p_own: np.ndarray
    p_reference: np.ndarray
    #: NaN where there are no likelihood ratios.
    log10_lr: np.ndarray
    #: Stratum of each scored file; None without strata.
    strata: Any
    #: Indices of the first file of each content: copies of a file are one suspect.
    first: np.ndarray
    #: Number of refused files by reason.
    reasons: Counter
    #: Number of scored files by format.
    formats: Counter
    #: Number of scored files that were resized.
    n_resized: int
    #: Numbers of scored files by facts and values that own samples do not have.
    unlike: dict
    #: Number of scored files whose verdict slight changes flip; None if they were not tried.
    n_unstable: Any
    #: Number of files in the table.
    n_files: int

    @property
    def levels(self):
        """Levels that the run states; for others, the attributor's hold."""
        stated = self.description.get("levels") or {}
        return {name: stated[name] for name in ("fnr", "fpr") if name in stated}


def read_run(table, attributor, *, decoder, n_listed, n_strongest):
    """The run of a table; ValueError if attributor or decoder are not those of the run."""
    table = Path(os.fsdecode(table)).resolve()
    check_out(table)
    description = read_description(table)
    attributor = _scored_with(attributor, description, table)
    fnr = (description.get("levels") or {}).get("fnr")
    rows = _Rows(n_listed, n_strongest, Conditions(attributor, fnr))
    for row in read_table(table):
        try:
            rows.add(row)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{printable(table)} is damaged: row {rows.n_files + 1} is not a row that "
                f"score_files writes ({error!r:.200})."
            ) from error
    if description["sha256"] != file_digest(table):
        raise ValueError(f"{printable(table)} changed while it was being read. Try again.")
    return Run(
        table=table,
        description=description,
        attributor=attributor,
        decoder=_decoded_with(decoder, description),
        **rows.collected(),
    )


class _Rows:
    """A collector of rows, which keeps only a few numbers of each."""

    def __init__(self, n_listed, n_strongest, conditions):
        self.conditions, self.unlike = conditions, {}
        self.n_listed, self.n_strongest = n_listed, n_strongest
        self.n_files = self.n_resized = self.n_unstable = self.n_tried = 0
        self.strata = []
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
            numbers = [row[name] for name in _NUMBERS]
            self.numbers.append([np.nan if value is None else value for value in numbers])
            self.verdicts.append(row["verdict"])
            self.digests.append(digest)
            self.formats[format_of(row)] += 1
            self.n_resized += was_resized(row)
            self.n_tried += row["stability"] is not None
            self.n_unstable += is_unstable(row)
            self.strata.append(row["stratum"])
            for name, value in self.conditions.unlike(row["decoding"]).items():
                self.unlike.setdefault(name, Counter())[value] += 1
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
        """Fields of a Run, by name."""
        numbers = np.array(self.numbers, dtype=float).reshape(-1, len(_NUMBERS)).T
        scores, p_own, p_reference, log10_lr = numbers
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
            "log10_lr": log10_lr,
            "strata": np.array(self.strata) if any(self.strata) else None,
            "first": np.sort(first),
            "reasons": self.reasons,
            "formats": self.formats,
            "n_resized": self.n_resized,
            "unlike": self.unlike,
            "n_unstable": self.n_unstable if self.n_tried else None,
            "n_files": self.n_files,
        }


def _scored_with(attributor, description, table):
    """The fitted attributor; ValueError if the table was made with another one."""
    digest, levels = description.get("attributor"), description.get("levels") or {}
    source = source_of(attributor, **levels)
    found = load_checked(source)
    if digest not in (source.digest, fingerprint(found)):
        raise ValueError(
            f"{printable(table)} was made with another attributor, {digest!s:.64}; this one is "
            f"{source.digest}. Pass what score_files was given, the path of the same file or the "
            "same object, or score the files with this one. An object and the file that it was "
            "saved in count as different: to report with the path, score with the path."
        )
    return found


def _decoded_with(decoder, description):
    """The decoder of the run, as passed or from its repr; None if the repr does not name it."""
    digest = description.get("decoder_digest")
    if decoder is not None:
        if fingerprint(decoder) != digest:
            raise ValueError(
                f"decoder={decoder!r:.200} is not the decoder of these files. Pass the one that "
                "score_files was given, or none, for a report without pictures."
            )
        return decoder
    found = _from_repr(str(description.get("decoder")))
    return found if found is not None and fingerprint(found) == digest else None


def _from_repr(text):
    """A decoder of the library from its repr ``Name(key=value, ...)``, without running code."""
    name = re.match(r"\w+(?=\()", text)
    try:
        call = ast.parse(text, mode="eval").body
        arguments = {entry.arg: ast.literal_eval(entry.value) for entry in call.keywords}
        return _DECODERS[name[0]](**arguments)
    except (AttributeError, KeyError, SyntaxError, TypeError, ValueError):
        return None
