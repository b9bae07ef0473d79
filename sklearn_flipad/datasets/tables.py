"""Tables of numbers from CSV and Parquet files."""

from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["load_table"]

_READERS = {".csv": pd.read_csv, ".parquet": pd.read_parquet}


def load_table(path, *, columns=None, drop=()):
    """Load the numeric columns of a table.

    Parameters
    ----------
    path : path-like
        File that ends in ``.csv`` (comma separated, with a header) or ``.parquet`` (which
        needs pyarrow).
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
        If the file has another ending, a column is missing, not numeric or not finite, or
        there are no rows.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} must end in .csv or .parquet.")
    table = reader(path)
    missing = [name for name in [*(columns or ()), *drop] if name not in table.columns]
    if missing:
        raise ValueError(f"{path} has no columns {missing}; it has {list(table.columns)}.")
    table = table[list(columns)] if columns is not None else table
    table = table.drop(columns=list(drop), errors="ignore")
    if table.empty:
        raise ValueError(f"{path} has no rows or no columns left.")
    wrong = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise ValueError(f"Columns {wrong} of {path} are not numeric: drop or encode them.")
    table = table.astype("float64")
    finite = np.isfinite(table.to_numpy())
    unknown = {
        name: int(column.argmin())
        for name, column in zip(table, finite.T, strict=True)
        if not column.all()
    }
    if unknown:
        raise ValueError(
            f"{path} has missing or infinite values, first in rows {unknown}: drop or impute those."
        )
    return table
