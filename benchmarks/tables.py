"""The tables of the documentation: rows of results as CSV files."""

import argparse

import pandas as pd

from benchmarks.options import add_out
from benchmarks.registry import BENCHMARKS
from benchmarks.results import read_rows

__all__ = ["accuracy_table", "write"]


def write(name, rows, folder):
    """Write the tables of a benchmark into a folder, and return their paths."""
    paths = []
    for table, make in getattr(BENCHMARKS[name].module, "TABLES", {}).items() if rows else ():
        frame = make(rows)
        if len(frame):
            paths.append(folder / f"{table}.csv")
            frame.to_csv(paths[-1], index=False)
    return paths


def accuracy_table(rows, index):
    """Accuracies: a line for each value of `index` and method, a column for each source."""
    lines = {}
    for row in rows:
        names = {index: row[index], "method": row["method"]}
        names["own accepted"] = f"{1 - row['found_fnr'][0]:.3f}"
        line = lines.setdefault((row[index], row["method"]), names)
        line[row["source"]] = f"{row['accuracy']:.3f}"
    columns = [index, "method", "own accepted", *sorted({row["source"] for row in rows})]
    table = pd.DataFrame(lines.values(), columns=columns).fillna("")
    return table.sort_values(index, kind="stable")


def main(argv=()):
    """Make the tables of all results in a folder, or of some."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks tables", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks, all by default")
    add_out(parser)
    args = parser.parse_args(argv)
    for name in args.names or BENCHMARKS:
        for path in write(name, read_rows(args.out / f"{name}.jsonl"), args.out):
            print(path)
