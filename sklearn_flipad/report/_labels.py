"""Labels of files of known origin."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from sklearn_flipad.scoring import path_of
from sklearn_flipad.scoring.runs.columns import uri_of
from sklearn_flipad.scoring.runs.outputs import format_of
from sklearn_flipad.storage.files import file_digest, printable

__all__ = ["KnownFile", "Labels", "read_labels"]

#: Values of the column ``label``.
_LABELS = {"own": 1, "other": -1}
_COLUMNS = ("label", "source", "stratum")


@dataclass(frozen=True)
class KnownFile:
    """A scored file of known origin."""

    #: Place among the scored files.
    index: int
    row: dict
    label: int
    source: str
    stratum: str


@dataclass(frozen=True)
class Labels:
    """Labels by the URI of the file, and the SHA-256 of the file that they stood in."""

    entries: dict
    sha256: str

    def of(self, run):
        """The scored files of a run, each content once; ValueError if the labels do not fit."""
        kept, files, without, of_digest = set(run.first.tolist()), [], [], {}
        for index, row in run.listed:
            if index < 0:
                continue
            entry = self.entries.get(_uri(path_of(row["uri"])))
            if entry is None:
                without.append(row["path"])
                continue
            label = entry["label"]
            if of_digest.setdefault(row["sha256"], label) != label:
                raise ValueError(
                    f"{row['path']} is labeled {label}, and a file of the same content is not."
                )
            if index in kept:
                source, stratum = entry["source"] or label, entry["stratum"] or format_of(row)
                files.append(KnownFile(index, row, _LABELS[label], source, stratum))
        if without:
            raise ValueError(
                f"{len(without):,} scored files have no label, the first is {without[0]}. Add them "
                "to the file of labels, or score the labeled ones alone."
            )
        for name, label in _LABELS.items():
            if not any(file.label == label for file in files):
                raise ValueError(
                    f"No scored file is labeled {name}: a validation needs files of the model and "
                    "of others."
                )
        return files

    def n_unscored(self, run):
        """Number of labeled files that have no score: missing, unreadable or not passed."""
        scored = {_uri(path_of(row["uri"])) for index, row in run.listed if index >= 0}
        return len(set(self.entries) - scored)


def read_labels(path):
    """The labels of a CSV file; ValueError where it is damaged."""
    path, entries = Path(os.fsdecode(path)), {}
    name = printable(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            missing = sorted({"path", "label"} - set(reader.fieldnames or ()))
            if missing:
                raise ValueError(
                    f"{name} has no column {', '.join(missing)}: it must have path and label, and "
                    "may have source and stratum."
                )
            for number, row in enumerate(reader, 2):
                _add(entries, row, path.parent, f"{name}, line {number}")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8: save it in that encoding ({error}).") from error
    if not entries:
        raise ValueError(f"{name} has no labels.")
    return Labels(entries, file_digest(path))


def _add(entries, row, folder, place):
    entry = {column: (row.get(column) or "").strip() for column in _COLUMNS}
    if not row["path"]:
        raise ValueError(f"{place}: there is no path.")
    if entry["label"] not in _LABELS:
        raise ValueError(
            f"{place}: the label must be own or other, got {printable(entry['label'])!r:.100}."
        )
    if entries.setdefault(_uri(folder / row["path"]), entry) != entry:
        raise ValueError(f"{place}: {printable(row['path'])} is listed twice, with other entries.")


def _uri(path):
    """The URI of a path, without resolving links: files are listed as they were passed."""
    return uri_of(os.path.normpath(path))
