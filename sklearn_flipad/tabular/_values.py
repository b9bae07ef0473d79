"""Values of columns in plain types, whatever types a table holds them in."""

import datetime
import re
from decimal import Decimal
from numbers import Number

import numpy as np
import pandas as pd
from pandas.api import types

from sklearn_flipad.base.table_columns import is_too_large

__all__ = ["is_category", "labels", "matches", "numbers", "plain", "precision_of", "seconds"]

_DATES = (datetime.date, np.datetime64)
_LABELS = (str, bool, np.bool_)
#: Texts that stand for a number; exponents are left to names, such as that of a product.
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*")
_TRUTH = {"true": Decimal(1), "false": Decimal(0)}
#: How values of other types become numbers, dates or categories.
_CONVERSIONS = {
    "Timedelta": "convert it by .dt.total_seconds()",
    "timedelta": "convert it by .dt.total_seconds()",
    "Period": "convert it by .dt.to_timestamp()",
    "complex": "split it into a column of the real and one of the imaginary parts",
    "complex128": "split it into a column of the real and one of the imaginary parts",
    "bytes": "convert it by .str.decode('utf-8')",
}


def plain(name, series):
    """Values that are not missing as a Series of NumPy's numbers or dates, or of objects.

    Objects are texts and booleans. ValueError for other values; it names the column.
    """
    series = _of_numpy(series)
    dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        raise ValueError(
            f"Column {name!r} holds dates with a time zone: convert them, as by "
            "dt.tz_convert(None)."
        )
    if types.is_bool_dtype(dtype):
        return series.astype(object)
    if types.is_datetime64_dtype(dtype) or dtype.kind in "fiu":
        return series
    values = list(series)
    odd = [v for v in values if not isinstance(v, (*_LABELS, *_DATES, Number, Decimal))]
    odd += [v for v in values if isinstance(v, complex | np.complexfloating)]
    if odd:
        kind = type(odd[0]).__name__
        advice = _CONVERSIONS.get(kind, "convert them")
        raise ValueError(
            f"Column {name!r} holds values of type {kind} ({dtype}), which are neither numbers, "
            f"dates nor categories: {advice}, or leave the column out by drop."
        )
    return _of_one_kind(name, values, series.index)


def _of_numpy(series):
    """The same values without pandas' extension types, as far as NumPy has the type."""
    dtype = series.dtype
    if isinstance(dtype, pd.SparseDtype):
        return series.sparse.to_dense()
    if isinstance(dtype, pd.CategoricalDtype):
        return series.astype(object)
    if isinstance(dtype, pd.ArrowDtype):
        numpy_dtype, zone = dtype.numpy_dtype, getattr(dtype.pyarrow_dtype, "tz", None)
        if zone is not None:
            return series.astype(pd.DatetimeTZDtype("us", zone))
        return series.astype(numpy_dtype if numpy_dtype.kind in "fiubM" else object)
    if getattr(dtype, "numpy_dtype", None) is not None:  # Int64, Float64, boolean
        return series.astype(dtype.numpy_dtype)
    return series.astype(object) if isinstance(dtype, pd.StringDtype) else series


def _of_one_kind(name, values, index):
    """Objects as a Series of numbers, dates or labels; ValueError if they are of several kinds."""
    kinds = {}
    for value in values:
        kinds.setdefault(_kind(value), value)
    if len(kinds) > 1:
        (first, a), (second, b) = list(kinds.items())[:2]
        advice = ""
        if "number" in kinds:
            advice = " by pd.to_numeric(..., errors='coerce') if the others mean missing values, or"
        raise ValueError(
            f"Column {name!r} holds values of several kinds, such as the {first} {a!r} and the "
            f"{second} {b!r}: make them one{advice} by astype(str) if they are labels."
        )
    if "date" in kinds:
        return pd.Series(np.array(values, dtype="datetime64[us]"), index=index)
    if "number" in kinds:
        whole = all(isinstance(value, int | np.integer) for value in values)
        numbers = [value if whole else float(value) for value in values]
        return pd.Series(np.array(numbers, dtype=None if whole else np.float64), index=index)
    if len({isinstance(value, str) for value in values}) > 1:
        values = [str(value) for value in values]
    return pd.Series(values, index=index, dtype=object)


def _kind(value):
    if isinstance(value, _LABELS):
        return "label"
    return "date" if isinstance(value, _DATES) else "number"


def is_category(dtype):
    """Whether a type says that its values are labels, numbers too."""
    return isinstance(dtype, pd.CategoricalDtype) or str(dtype).startswith("dictionary<")


def labels(series):
    """Values as labels, shape (n,): booleans as they are, others as texts."""
    values = [bool(v) if isinstance(v, bool | np.bool_) else str(v) for v in series]
    several = len({isinstance(value, str) for value in values}) > 1
    return [str(value) for value in values] if several else values


def numbers(name, series):
    """Values as float64, shape (n,), by :func:`plain`: booleans and texts where they are numbers.

    ValueError, which names the column, for other values.
    """
    values = plain(name, series)
    if values.dtype.kind == "M":
        raise ValueError(
            f"Column {name!r} holds dates, but numbers in the table of fit: convert them to its "
            "numbers."
        )
    if values.dtype == object:
        keys = [_key(value) for value in values]
        odd = [v for v, key in zip(values, keys, strict=True) if not isinstance(key, Decimal)]
        if odd:
            raise ValueError(
                f"Column {name!r} holds categories, but numbers in the table of fit, such as "
                f"{odd[0]!r}: convert it to numbers, or remove those rows."
            )
        return np.array([float(key) for key in keys])
    if values.dtype.kind in "iu" and is_too_large(values):
        raise ValueError(
            f"Column {name!r} holds integers beyond 2**53, which float64 cannot tell apart: leave "
            "it out by drop, or make it a category."
        )
    values = values.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"Column {name!r} holds infinite values: remove those rows.")
    return values


def seconds(name, series):
    """Dates as seconds since 1970, float64 of shape (n,); ValueError for other values."""
    values = plain(name, series)
    if values.dtype.kind != "M":
        kind = "categories" if values.dtype == object else "numbers"
        unit = "" if values.dtype == object else ", with the unit of its numbers"
        raise ValueError(
            f"Column {name!r} holds {kind}, but dates in the table of fit: convert it by "
            f"pd.to_datetime{unit}."
        )
    values = values.to_numpy()
    unit, count = np.datetime_data(values.dtype)
    return values.astype("int64") * (count * (np.timedelta64(1, unit) / np.timedelta64(1, "s")))


def matches(values, known):
    """Positions in `known` of what each value equals, -1 where there is none, shape (n,).

    True, 1, 1.0, "1", "1.0" and "true" are equal, unless two of `known` are.
    """
    known = list(known)
    exact = {(isinstance(value, str), value): position for position, value in enumerate(known)}
    keys = [_key(value) for value in known]
    loose = {key: position for position, key in enumerate(keys) if keys.count(key) == 1}
    found, seen = np.empty(len(values), dtype=np.int64), {}
    for row, value in enumerate(values):
        if not isinstance(value, (*_LABELS, Number, Decimal)):
            value = str(value)  # intervals, dates
        which = (isinstance(value, str), value)
        if which not in seen:
            seen[which] = exact.get(which, loose.get(_key(value), -1))
        found[row] = seen[which]
    return found


def _key(value):
    if isinstance(value, bool | np.bool_):
        return Decimal(int(value))
    if isinstance(value, Number | Decimal):
        return Decimal(str(value))
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return Decimal(value.strip())
        return _TRUTH.get(value.lower(), value)
    return str(value)


def precision_of(series):
    """Relative precision of the type of a column's floats, 0 for other types."""
    dtype = getattr(series.dtype, "numpy_dtype", series.dtype)
    dtype = dtype.subtype if isinstance(dtype, pd.SparseDtype) else dtype
    return float(np.finfo(dtype).eps) if getattr(dtype, "kind", "O") == "f" else 0.0
