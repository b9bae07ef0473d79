"""Tables of verdicts: CSV, JSON lines or Parquet."""

import csv
import io
import json
from itertools import islice

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.scoring.runs.columns import COLUMNS, LATER_COLUMNS
from sklearn_flipad.storage.files import write_atomically

__all__ = ["check_out", "read_table", "write_table"]

#: Rows that are in memory at a time.
_ROW_GROUP = 2**12


def check_out(out):
    """Raise ValueError if the suffix of a table names no format, ImportError without pyarrow."""
    if out.suffix not in _WRITERS:
        raise ValueError(
            f"out must end in {', '.join(_WRITERS)}, which decides the format; got {out.name!r}."
        )
    if out.suffix == ".parquet":
        _import_pyarrow()


def write_table(out, rows):
    """Write rows to a table that appears whole or not at all; they are not held in memory."""
    write_atomically(out, lambda file: _WRITERS[out.suffix](file, rows))


def read_table(path):
    """Yield the rows of a table, None where there is no value, or raise ValueError.

    One row, or one row group of a Parquet file, is in memory at a time.
    """
    earlier = dict.fromkeys(LATER_COLUMNS)
    for row in _READERS[path.suffix](path):
        try:
            row = {**earlier, **row}
            yield {name: _typed(row[name], kind) for name, kind in COLUMNS.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no table of verdicts: {error!r:.200}.") from error


def _write_csv(file, rows):
    with _AsText(file) as text:
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_lines(file, rows):
    with _AsText(file) as text:
        text.writelines(json.dumps(row) + "\n" for row in rows)


class _AsText(io.TextIOWrapper):
    """A binary file as text, which stays open when the text is closed."""

    def __init__(self, file):
        super().__init__(file, encoding="utf-8", newline="")

    def __exit__(self, *exception):
        self.detach()


def _read_csv(path):
    with open(path, encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def _read_lines(path):
    with open(path, encoding="utf-8") as text:
        yield from map(json.loads, text)


def _write_parquet(file, rows):
    pa, rows = _import_pyarrow(), iter(rows)
    types = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with pa.parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, _ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _read_parquet(path):
    with _import_pyarrow().parquet.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield from batch.to_pylist()


def _import_pyarrow():
    need = "Parquet files need pyarrow (those that end in .csv or .jsonl do not)"
    import_optional("pyarrow.parquet", need, "parquet")
    return import_optional("pyarrow", need, "parquet")


def _typed(value, kind):
    return None if value is None or value == "" else kind(value)


_READERS = {".csv": _read_csv, ".jsonl": _read_lines, ".parquet": _read_parquet}
_WRITERS = {".csv": _write_csv, ".jsonl": _write_lines, ".parquet": _write_parquet}
