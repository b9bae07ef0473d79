"""Committed results, and how pages write what is in them."""

from functools import cache
from pathlib import Path

import pandas as pd

from benchmarks.results import read_rows

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "benchmarks" / "results"


#: The files that were read.
USED = set()


def read(name):
    """All rows of a file of results."""
    USED.add(name)
    return _read(name)


@cache
def _read(name):
    return read_rows(RESULTS / f"{name}.jsonl")


def table(name, **options):
    """A table of results."""
    USED.add(name)
    return pd.read_csv(RESULTS / f"{name}.csv", **options)


def rows(name, **wanted):
    """Rows of a benchmark with the wanted values; a row must be there."""
    found = [row for row in read(name) if all(row.get(k) == v for k, v in wanted.items())]
    assert found, (name, wanted)
    return found


def row(name, **wanted):
    """The one row with the wanted values."""
    (found,) = rows(name, **wanted)
    return found


def span(form, values):
    """The smallest and the largest value as text."""
    return f"{form.format(min(values))} to {form.format(max(values))}"


def unseen(found):
    """Rows whose source is no real image."""
    return [row for row in found if row["source"] != "real"]


def rate(row, kind="fpr"):
    """An error rate in percent."""
    return 100 * row[f"found_{kind}"][0]
