"""Tables of numbers from CSV and Parquet files."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_integer_dtype, is_numeric_dtype

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.base.table_columns import is_numbering, is_too_large
from sklearn_flipad.storage.files import check_regular, printable

__all__ = ["load_table"]

#: What pandas calls a column without a name.
_UNNAMED = re.compile(r"Unnamed: \d+")


def load_table(path, *, columns=None, drop=()):
    """Load the numeric columns of a table.

    Nothing is guessed: booleans, dates, categories, numbers with thousands separators,
    repeated and empty column names, running numbers and rows of other lengths are errors. The
    checksums of a Parquet file are verified if it was written with them
    (``write_page_checksum=True``); CSV has none.

    Parameters
    ----------
    path : path-like
        File that ends in ``.csv`` (comma separated, UTF-8, with a header) or ``.parquet``
        (which needs pyarrow).
    columns : sequence of str, default=None
        Columns to keep, in this order; all by default.
    drop : sequence of str, default=()
        Columns to leave out, such as the label.

    Returns
    -------
    DataFrame of float64, shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        If the file has another ending, is damaged or is not a file; if a column is missing,
        repeated, without a name, not numeric, not finite, numbers the rows or holds integers
        beyond 2**53, which float64 cannot tell apart; or if there are no rows.
    FileNotFoundError
        If there is no such file.
    ImportError
        If pyarrow is needed and not installed.
    """
    path = Path(os.fsdecode(path))
    name = printable(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"{name} must end in .csv or .parquet.")
    for parameter, value in {"columns": columns, "drop": drop}.items():
        if isinstance(value, str):
            raise ValueError(f"{parameter} must be a list of names, such as [{value!r}].")
    check_regular(path)
    try:
        table = read(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not in UTF-8 ({error.reason}): save it as UTF-8.") from error
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{name} could not be read: {str(error).strip()}") from error
    return _checked(_selected(table, columns, drop, name), name, asked=columns is not None)


def _read_csv(path):
    # Where rows are longer than the header, pandas would take their first fields as names
    # of rows, and it renames repeated columns; the first lines alone show both.
    try:
        head = pd.read_csv(path, header=None, nrows=2, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        raise ValueError("it is empty.") from None
    names = head.iloc[0]
    repeated = names[names.duplicated() & (names != "")]
    if len(repeated):
        raise ValueError(f"columns {list(repeated.unique())} occur more than once: rename them.")
    return pd.read_csv(path, low_memory=False)


def _read_parquet(path):
    import_optional("pyarrow", f"Reading {path} needs pyarrow", "parquet")
    # Checksums are verified where the writer left them, which is not its default.
    return pd.read_parquet(path, engine="pyarrow", page_checksum_verification=True)


_READERS = {".csv": _read_csv, ".parquet": _read_parquet}


def _selected(table, columns, drop, name):
    missing = [column for column in [*(columns or ()), *drop] if column not in table.columns]
    if missing:
        raise ValueError(f"{name} has no columns {missing}; it has {list(table.columns)}.")
    table = table[list(columns)] if columns is not None else table
    table = table.drop(columns=list(drop), errors="ignore")
    if not table.columns.is_unique:
        repeated = list(table.columns[table.columns.duplicated()].unique())
        raise ValueError(f"Columns {repeated} of {name} occur more than once.")
    unnamed = [c for c in table if _UNNAMED.match(str(c)) and c not in (columns or ())]
    if unnamed:
        raise ValueError(
            f"{name} has columns without a name, as when row numbers were saved: leave them "
            f"out by drop={unnamed}, or ask for columns=."
        )
    return table


def _checked(table, name, *, asked):
    if table.empty:
        raise ValueError(f"{name} has no rows or no columns left.")
    wrong = [column for column in table if not _is_real(table[column].dtype)]
    if wrong:
        raise ValueError(f"Columns {wrong} of {name} are not numeric: drop or encode them.")
    large = [column for column in table if _is_too_large(table[column])]
    if large:
        raise ValueError(
            f"Columns {large} of {name} hold integers beyond 2**53, which float64 cannot tell "
            "apart: drop or encode them."
        )
    table = table.astype("float64")
    finite = np.isfinite(table.to_numpy())
    unknown = {
        column: int(rows.argmin())
        for column, rows in zip(table, finite.T, strict=True)
        if not rows.all()
    }
    if unknown:
        raise ValueError(
            f"{name} has missing or infinite values, first in rows {unknown}: drop or impute those."
        )
    numbering = [] if asked else [column for column in table if is_numbering(table[column])]
    if numbering:
        raise ValueError(
            f"Columns {numbering} of {name} number the rows: each value occurs once, in order or "
            f"without a gap. Leave them out by drop={numbering}; or, if they are measurements, ask "
            "for columns=."
        )
    return table


def _is_real(dtype):
    return is_numeric_dtype(dtype) and not is_bool_dtype(dtype) and not is_complex_dtype(dtype)


def _is_too_large(column):
    return is_integer_dtype(column.dtype) and bool(is_too_large(column))
