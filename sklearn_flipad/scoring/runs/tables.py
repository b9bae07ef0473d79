"""Rows as one file: CSV, JSON lines or Parquet."""

import csv
import io
import json
from itertools import islice

from sklearn_flipad.scoring.columns import COLUMNS
from sklearn_flipad.storage.arrays import write_atomically

__all__ = [
    "check_out",
    "import_pyarrow",
    "parquet_schema",
    "read_table",
    "write_parquet",
    "write_table",
]

#: Rows that are in memory at a time.
_ROW_GROUP = 2**12


def check_out(out):
    """Refuse a file that cannot be written.

    Parameters
    ----------
    out : pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If its suffix names no format.
    ImportError
        If that needs pyarrow, and it is missing.
    """
    if out.suffix not in _WRITERS:
        raise ValueError(
            f"out must end in {', '.join(_WRITERS)}, which decides the format; got {out.name!r}."
        )
    if out.suffix == ".parquet":
        import_pyarrow()


def write_table(out, rows):
    """Write a table that appears whole or not at all.

    Parameters
    ----------
    out : pathlib.Path
        The file; its suffix decides the format.
    rows : iterable of dict
        With all of the columns. They are not held in memory.
    """
    write_atomically(out, lambda file: _WRITERS[out.suffix](file, rows))


def read_table(path):
    """Read the rows of a table that :func:`write_table` wrote.

    Parameters
    ----------
    path : pathlib.Path
        The file; its suffix decides the format.

    Yields
    ------
    dict
        With all of the columns, and None where there is no value. One row, or one row group, is
        in memory at a time.

    Raises
    ------
    ValueError
        If a column is missing or a value is not of its type.
    """
    for row in _READERS[path.suffix](path):
        try:
            yield {name: _typed(row[name], kind) for name, kind in COLUMNS.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no table of verdicts: {error!r:.200}.") from error


def import_pyarrow():
    """Import pyarrow.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If it is missing; the message says how to install it.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "Parquet files need pyarrow: pip install 'sklearn-flipad[parquet]'. Or let out end in "
            ".csv or .jsonl."
        ) from error
    return pyarrow


def write_parquet(file, rows, metadata=None):
    """Write rows to an open file as Parquet.

    Parameters
    ----------
    file : binary file
        Where to write.
    rows : iterable of dict
        With all of the columns.
    metadata : dict of str to str, default=None
        What the file says of itself.
    """
    pa = import_pyarrow()
    schema = parquet_schema(metadata)
    rows = iter(rows)
    with pa.parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, _ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def parquet_schema(metadata=None):
    """The schema of the table.

    Parameters
    ----------
    metadata : dict of str to str, default=None
        Added to it.

    Returns
    -------
    pyarrow.Schema
    """
    pa = import_pyarrow()
    types = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    return pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()], metadata=metadata)


def _write_csv(file, rows):
    with _AsText(file) as text:
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_lines(file, rows):
    with _AsText(file) as text:
        text.writelines(json.dumps(row) + "\n" for row in rows)


class _AsText(io.TextIOWrapper):
    """A binary file as text, which stays open for whoever opened it."""

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


def _read_parquet(path):
    with import_pyarrow().parquet.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield from batch.to_pylist()


def _typed(value, kind):
    return None if value is None or value == "" else kind(value)


_READERS = {".csv": _read_csv, ".jsonl": _read_lines, ".parquet": _read_parquet}
_WRITERS = {".csv": _write_csv, ".jsonl": _write_lines, ".parquet": write_parquet}
