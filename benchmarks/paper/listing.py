"""Which entries are measured, at which scale, and how long it took."""

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.paper.entries import ENTRIES
from benchmarks.paper.experiments import KEYS, cells_of
from benchmarks.paper.scales import SCALES
from benchmarks.registry import BENCHMARKS
from benchmarks.results import read_rows

__all__ = ["add_results", "list_entries", "progress"]

#: Results that are in the repository.
COMMITTED = Path("benchmarks/results")
_SHOWN = ("laptop", "paper")
_ELSEWHERE = "not run (its models have to be downloaded)"


def progress(rows):
    """Frame of the entries: what they show, what is measured at each scale, and the minutes.

    A command, or none where shipped files are drawn, is what measures an entry.
    """
    seconds = {tuple(row[key] for key in KEYS): row["seconds"] for row in rows}
    lines = []
    for entry in ENTRIES:
        line = {"name": entry.name, "shows": entry.caption}
        if entry.experiment:
            line["command"] = f"paper {entry.name}"
        else:
            line["command"] = ", ".join(entry.benchmark.split()) or "paper render"
        for scale in _SHOWN:
            line[scale] = _state(entry, scale, seconds)
        lines.append(line)
    return pd.DataFrame(lines)


def _state(entry, scale, seconds):
    if not entry.experiment:
        if scale == "paper":
            if not entry.benchmark:
                return "nothing to run"
            return f"not run (with {entry.options})" if entry.options else _ELSEWHERE
        durations = [BENCHMARKS[name].duration for name in entry.benchmark.split()]
        return f"done, {' + '.join(durations)}" if durations else "done"
    cells = [(scale, *cell) for cell in cells_of([entry], SCALES[scale])]
    if not cells:
        return _ELSEWHERE
    done = [seconds[cell] for cell in cells if cell in seconds]
    if not done:
        return f"not run ({len(cells)} cells)"
    state = "done" if len(done) == len(cells) else f"{len(done)} of {len(cells)} cells"
    return f"{state}, {sum(done) / 60:.1f} min"


def add_results(parser):
    """Add the option ``--results``, the folder that is read."""
    parser.add_argument(
        "--results", type=Path, default=COMMITTED, help="folder of results, %(default)s by default"
    )


def list_entries(argv=()):
    """Print the entries, what is measured of each at both scales, and how long it took."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks paper list", description=list_entries.__doc__
    )
    add_results(parser)
    args = parser.parse_args(argv)
    frame = progress(read_rows(args.results / "paper.jsonl"))
    for _, line in frame.iterrows():
        print(f"{line['name']:11}  {line['shows']}")
        print(f"{'':11}  laptop: {line['laptop']}; paper: {line['paper']}")
        print(f"{'':11}  python -m benchmarks {line['command']}")
