"""Kinds of columns of a table, each with its encoding as numbers and its decoding."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

__all__ = ["CategoryColumn", "DateColumn", "NumberColumn", "decimals_of", "read_column"]

#: Larger integers are not all float64 numbers.
_LARGEST_INTEGER = 2**53
#: Finer rounding, relative to a column's deviation, does not count.
_FINEST_STEP = 1e-6
_DECIMALS = range(-15, 16)
#: Values that are this likely to look rounded by chance are not taken for rounded.
_LEAST_CHANCE = 1e-3
_DAY = 86400.0


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, encoded as ``(value - mean) / scale``."""

    name: str
    mean: float
    scale: float
    #: Decimals that values are rounded to; negative for tens and hundreds.
    decimals: int | None = None
    #: Whether values are decoded to integers.
    is_integer: bool = False
    #: Whether values may be missing.
    can_miss: bool = False
    #: Pairs of a number of decimals and the share of the values that have no more.
    shares: tuple = ()

    kind = "numbers"
    n_features = 1

    @classmethod
    def fit(cls, name, series, *, can_miss, decimals, max_categories):
        """Learn mean, deviation and rounding of the values that are not missing."""
        values, precision = _numbers(name, series), _precision(series)
        found = decimals_of(values, precision) if decimals == "auto" else decimals
        mean, scale = _standardization(name, _rounded(values, found))
        is_integer = types.is_integer_dtype(series.dtype) or (found is not None and found <= 0)
        shares = ((d, float(_is_rounded(values, d, precision).mean())) for d in _DECIMALS)
        shares = tuple((d, share) for d, share in shares if share)
        return cls(name, mean, scale, found, bool(is_integer), can_miss, shares)

    def step_of_rounding(self):
        """Step of the rounding relative to the scale; 0 without rounding."""
        return 0.0 if self.decimals is None else 10.0**-self.decimals / self.scale

    def coarser(self, series):
        """Decimals of values that are rounded more coarsely than those of fit, or None.

        Values that look so by chance, at the shares in the table of fit, do not count.
        """
        values = _numbers(self.name, series)
        found = decimals_of(values, _precision(series)) if len(values) else None
        if found is None or (self.decimals is not None and found >= self.decimals):
            return None
        chance = dict(self.shares).get(found, 0.0) ** len(values)
        return found if chance < _LEAST_CHANCE else None

    def encode(self, series):
        """Standardized values, shape ``(n, 1)``."""
        values = _rounded(_numbers(self.name, series), self.decimals)
        return ((values - self.mean) / self.scale)[:, None]

    def decode(self, block):
        """Values in the units of the table."""
        values = _rounded(block[:, 0] * self.scale + self.mean, self.decimals)
        if not self.is_integer:
            return pd.Series(values)
        return pd.Series(np.rint(values)).astype("Int64" if self.can_miss else "int64")

    def feature_names(self):
        """Names of the encoded features."""
        return [self.name]


@dataclass(frozen=True)
class DateColumn:
    """A column of dates, encoded as standardized seconds since 1970."""

    name: str
    mean: float
    scale: float
    #: Seconds that values are rounded to: a day if all are at midnight, else one.
    step: float
    #: Whether values may be missing.
    can_miss: bool = False

    kind = "dates"
    n_features = 1

    @classmethod
    def fit(cls, name, series, *, can_miss, decimals, max_categories):
        """Learn mean and deviation, and whether there are times of day."""
        seconds = _seconds(name, series)
        step = _DAY if not (seconds % _DAY).any() else 1.0
        mean, scale = _standardization(name, np.rint(seconds / step) * step)
        return cls(name, mean, scale, step, can_miss)

    def encode(self, series):
        """Standardized seconds, shape ``(n, 1)``."""
        seconds = np.rint(_seconds(self.name, series) / self.step) * self.step
        return ((seconds - self.mean) / self.scale)[:, None]

    def decode(self, block):
        """Dates."""
        seconds = np.rint((block[:, 0] * self.scale + self.mean) / self.step) * self.step
        return pd.Series(pd.to_datetime(seconds, unit="s"))

    def step_of_rounding(self):
        """Step of the rounding relative to the scale."""
        return self.step / self.scale

    def feature_names(self):
        """Names of the encoded features."""
        return [self.name]


@dataclass(frozen=True)
class CategoryColumn:
    """A column of strings or booleans, one-hot encoded."""

    name: str
    #: Values of the column, sorted.
    categories: tuple
    #: Whether values may be missing.
    can_miss: bool = False

    kind = "categories"

    @property
    def n_features(self):
        """Number of encoded features."""
        return len(self.categories)

    @classmethod
    def fit(cls, name, series, *, can_miss, decimals, max_categories):
        """Learn the values."""
        values = _labels(name, series)
        categories = tuple(sorted(set(values)))
        if len(categories) > max_categories:
            raise ValueError(
                f"Column {name!r} holds {len(categories)} different texts, more than "
                f"max_categories={max_categories}, such as {values[0]!r}: names, identifiers and "
                "free text tell nothing about a synthesizer. Leave the column out by drop, or "
                "raise max_categories."
            )
        if len(categories) < 2 and not can_miss:
            raise ValueError(_constant(name, categories[0]))
        return cls(name, categories, can_miss)

    def encode(self, series):
        """One-hot encoded values, shape ``(n, n_categories)``."""
        values = _labels(self.name, series)
        unknown = sorted(set(values) - set(self.categories))
        if unknown:
            raise ValueError(
                f"Column {self.name!r} holds {unknown[0]!r}, which is not in the table of fit: a "
                f"synthesizer of that table cannot have made such rows. Known values are "
                f"{', '.join(map(repr, self.categories[:10]))}. Rename values that mean the same, "
                "and leave the other rows out."
            )
        index = pd.Index(self.categories).get_indexer(values)
        return np.eye(len(self.categories))[index]

    def decode(self, block):
        """Values whose features are largest."""
        return pd.Series(np.array(self.categories, dtype=object)[block.argmax(axis=1)])

    def step_of_rounding(self):
        """Return 0: categories are not rounded."""
        return 0.0

    def feature_names(self):
        """Names of the encoded features."""
        return [f"{self.name}_{category}" for category in self.categories]


def read_column(name, series):
    """Class of a column's kind, by its values that are not missing."""
    dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        raise ValueError(
            f"Column {name!r} holds dates with a time zone: convert them, as by "
            "dt.tz_convert(None)."
        )
    if types.is_datetime64_dtype(dtype):
        return DateColumn
    if types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return CategoryColumn
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        return NumberColumn
    if not len(series):
        raise ValueError(f"Column {name!r} has no values: leave it out by drop.")
    others = [value for value in series if not isinstance(value, str | bool | np.bool_)]
    if others:
        raise ValueError(
            f"Column {name!r} holds values of type {type(others[0]).__name__} ({dtype}), which "
            "are neither numbers, dates nor categories: convert them, or leave the column out by "
            "drop."
        )
    if pd.to_numeric(series, errors="coerce").notna().all():
        raise ValueError(
            f"Column {name!r} holds numbers as text, such as {series.iloc[0]!r}: convert it by "
            "pd.to_numeric; or, if they are labels, by astype('category')."
        )
    return CategoryColumn


def decimals_of(values, precision=2.0**-52):
    """Decimals that all values are rounded to, or None; negative for multiples of ten and so on.

    `precision` is the relative one of the type that the values came in.
    """
    deviation = float(np.std(values))
    if not deviation > 0:
        return None
    for decimals in _DECIMALS:
        step = 10.0**-decimals
        if step < _FINEST_STEP * deviation:
            return None
        if step <= np.abs(values).max() and _is_rounded(values, decimals, precision).all():
            return decimals
    return None


def _is_rounded(values, decimals, precision):
    step = 10.0**-decimals
    # A float is off its decimal number by its own precision.
    allowed = np.minimum(1e-6 * step + 4 * precision * np.abs(values), 0.1 * step)
    return np.abs(values - np.round(values / step) * step) <= allowed


def _rounded(values, decimals):
    return values if decimals is None else np.round(values, decimals)


def _standardization(name, values):
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(np.mean(values)), float(np.std(values))
    if not np.isfinite(scale):
        raise ValueError(f"Column {name!r} holds values too large for a standard deviation.")
    if scale <= 8 * np.finfo(np.float64).eps * abs(mean) or scale == 0:
        raise ValueError(_constant(name, values[0]))
    return mean, scale


def _constant(name, value):
    return (
        f"Column {name!r} is constant, {value!r} in all rows, and tells nothing about a row. Leave "
        "it out by drop."
    )


def _precision(series):
    dtype = getattr(series.dtype, "numpy_dtype", series.dtype)
    return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0


def _numbers(name, series):
    values = series.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"Column {name!r} holds infinite values: remove those rows.")
    if types.is_integer_dtype(series.dtype) and np.abs(values).max(initial=0) > _LARGEST_INTEGER:
        raise ValueError(
            f"Column {name!r} holds integers beyond 2**53, which float64 cannot tell apart: leave "
            "it out by drop, or make it a category."
        )
    return values


def _seconds(name, series):
    return series.astype("datetime64[ns]").astype("int64").to_numpy() / 1e9


def _labels(name, series):
    if types.is_bool_dtype(series.dtype):
        return [bool(value) for value in series]
    values = list(series)
    return [str(v) if not isinstance(v, bool | np.bool_) else bool(v) for v in values]
