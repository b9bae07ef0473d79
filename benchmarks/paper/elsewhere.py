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
    """A benchmark, its arguments for trainings that the table does not have, and its rows.

    `key` is the column of the rows that tells trainings apart.
    """

    benchmark: str
    arguments: str
    wanted: dict
    key: str


_STYLE, _SEED = "--n-images 20000 --seeds 2 3", "--seeds 5"
#: By the table of the paper, with what is trained, and by the method.
CELLS = {
    **{
        ("table-4, style-based", method): Elsewhere("stylegan2", _STYLE, {}, "owner")
        for method in ("FLIPAD", "RawPAD")
    },
    **{
        (table, "FLIPAD"): Elsewhere("tabular", f"--tables {name} {_SEED}", {"table": name}, "seed")
        for table, name in (("table-5, redwine", "redwine"), ("table-15, white wines", "white"))
    },
}


def mean_accuracies(setting, method, rows):
    """Mean accuracies over sources by training, at the strictest rate."""
    cell = CELLS[setting, method]
    wanted = {**cell.wanted, "method": method}.items()
    rows = [row for row in rows if wanted <= row.items()]
    found, strictest = {}, min(row.get("fnr", 0) for row in rows)
    for row in rows:
        if row.get("fnr", 0) == strictest:
            judged = row["sources"].values() if "sources" in row else [row]
            found.setdefault(row[cell.key], []).extend(source["accuracy"] for source in judged)
    return {key: float(np.mean(values)) for key, values in found.items()}


def known_accuracies(setting, method):
    """Of the committed results, in percent."""
    rows = read_rows(_COMMITTED / f"{CELLS[setting, method].benchmark}.jsonl")
    return [100 * value for value in mean_accuracies(setting, method, rows).values()]


def measure(cell, samples, scale, options):
    """Mean accuracy of the first new training."""
    found = CELLS[cell.setting, cell.method]
    argv = [*found.arguments.split(), "--methods", cell.method, "--work", str(options.work)]
    argv += ["--small"] if options.scale == "tiny" else []
    with tempfile.TemporaryDirectory() as out:
        rows = run(found.benchmark, [*argv, "--out", out]).rows
    accuracies = mean_accuracies(cell.setting, cell.method, rows)
    training, accuracy = next(iter(accuracies.items()))
    return {"training": training, "accuracy": round(accuracy, 5)}
