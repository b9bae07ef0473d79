"""Cells of the tables that other benchmarks measure, trained and measured once more."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.__main__ import run
from benchmarks.results import read_rows

__all__ = ["CELLS", "known_accuracies", "mean_accuracies", "measure"]

_COMMITTED = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class Elsewhere:
    """A cell: the benchmark, its arguments for a training that the table does not have, its rows.

    `key` is the column of the rows that tells trainings apart.
    """

    benchmark: str
    arguments: str
    wanted: dict
    key: str


def _rows_of_table(name):
    arguments = f"--tables {name} --seeds 5 --methods FLIPAD"
    return Elsewhere("tabular", arguments, {"table": name, "method": "FLIPAD"}, "seed")


#: By the table of the paper, and what is trained.
CELLS = {
    "table-4, style-based": Elsewhere(
        "stylegan2", "--n-images 20000 --seeds 2 3 --methods RawPAD", {"method": "RawPAD"}, "owner"
    ),
    "table-5, redwine": _rows_of_table("redwine"),
    "table-15, white wines": _rows_of_table("white"),
}


def mean_accuracies(cell, rows):
    """Mean accuracies over sources by training, at the strictest rate."""
    rows = [row for row in rows if cell.wanted.items() <= row.items()]
    found, strictest = {}, min(row.get("fnr", 0) for row in rows)
    for row in rows:
        if row.get("fnr", 0) == strictest:
            judged = row["sources"].values() if "sources" in row else [row]
            found.setdefault(row[cell.key], []).extend(source["accuracy"] for source in judged)
    return {key: float(np.mean(values)) for key, values in found.items()}


def known_accuracies(name):
    """Of the committed results, in percent."""
    cell = CELLS[name]
    rows = read_rows(_COMMITTED / f"{cell.benchmark}.jsonl")
    return [100 * value for value in mean_accuracies(cell, rows).values()]


def measure(cell, samples, scale, options):
    """Mean accuracy of the first new training."""
    found = CELLS[cell.setting]
    argv = [*found.arguments.split(), *(["--small"] if options.scale == "tiny" else [])]
    with tempfile.TemporaryDirectory() as out:
        results = run(found.benchmark, [*argv, "--out", out, "--work", str(options.work)])
    training, accuracy = next(iter(mean_accuracies(found, results.rows).items()))
    return {"training": training, "accuracy": round(accuracy, 5)}
