"""Kinds of columns of a table, each with its encoding as numbers and its decoding."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklearn_flipad.base.table_columns import LEAST_CHANCE, is_numbering
from sklearn_flipad.tabular._values import (
    is_category,
    labels,
    matches,
    numbers,
    plain,
    precision_of,
    seconds,
)

__all__ = [
    "CategoryColumn",
    "DateColumn",
    "NumberColumn",
    "decimals_of",
    "is_rounded",
    "read_column",
]

#: Finer rounding, relative to a column's deviation, does not count.
_FINEST_STEP = 1e-6
_DECIMALS = range(-15, 16)
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
    def fit(cls, name, series, *, can_miss, decimals, max_categories, keep):
        """Learn mean, deviation and rounding of the values that are not missing."""
        values, precision = numbers(name, series), precision_of(series)
        if not keep and is_numbering(values):
            raise ValueError(_numbering(name, series.iloc[:3]))
        found = decimals_of(values, precision) if decimals == "auto" else decimals
        mean, scale = _standardization(name, _rounded(values, found))
        is_integer = plain(name, series).dtype.kind in "iu" or (found is not None and found <= 0)
        shares = ((d, float(is_rounded(values, d, precision).mean())) for d in _DECIMALS)
        shares = tuple((d, share) for d, share in shares if share)
        return cls(name, mean, scale, found, bool(is_integer), can_miss, shares)

    def step_of_rounding(self):
        """Step of the rounding relative to the scale; 0 without rounding."""
        return 0.0 if self.decimals is None else 10.0**-self.decimals / self.scale

    def coarser(self, series):
        """Decimals of values that are rounded more coarsely than those of fit, or None.

        Values that look so by chance, at the shares in the table of fit, do not count.
        """
        values = numbers(self.name, series)
        found = decimals_of(values, precision_of(series)) if len(values) else None
        if found is None or (self.decimals is not None and found >= self.decimals):
            return None
        chance = dict(self.shares).get(found, 0.0) ** len(values)
        return found if chance < LEAST_CHANCE else None

    def distance(self, series):
        """Least distance from the mean in deviations, if it is not one of this column, else None.

        By Chebyshev's inequality 1 / z**2 of any column is as far away as z, so that n rows are
        with a chance of at most z ** (-2 n).
        """
        far = np.abs(self.encode(series)).min(initial=np.inf)
        is_odd = len(series) and far > 1 and -2 * len(series) * np.log(far) < np.log(LEAST_CHANCE)
        return float(far) if is_odd else None

    def encode(self, series):
        """Standardized values, shape ``(n, 1)``."""
        values = _rounded(numbers(self.name, series), self.decimals)
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
    def fit(cls, name, series, *, can_miss, decimals, max_categories, keep):
        """Learn mean and deviation, and whether there are times of day."""
        values = seconds(name, series)
        step = _DAY if not (values % _DAY).any() else 1.0
        mean, scale = _standardization(name, np.rint(values / step) * step)
        return cls(name, mean, scale, step, can_miss)

    def encode(self, series):
        """Standardized seconds, shape ``(n, 1)``."""
        values = np.rint(seconds(self.name, series) / self.step) * self.step
        return ((values - self.mean) / self.scale)[:, None]

    def decode(self, block):
        """Dates."""
        values = np.rint((block[:, 0] * self.scale + self.mean) / self.step) * self.step
        # Not by pd.to_datetime, whose nanoseconds end in the year 2262.
        return pd.Series(values.astype("int64").astype("datetime64[s]"))

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
    def fit(cls, name, series, *, can_miss, decimals, max_categories, keep):
        """Learn the values."""
        values = labels(series if is_category(series.dtype) else plain(name, series))
        categories = tuple(sorted(set(values)))
        if len(categories) > max_categories:
            raise ValueError(
                f"Column {name!r} holds {len(categories)} different texts, more than "
                f"max_categories={max_categories}, such as {values[0]!r}: names, identifiers and "
                "free text tell nothing about a synthesizer. Leave the column out by drop, or "
                "raise max_categories."
            )
        if not keep and is_numbering(np.array(values)):
            raise ValueError(_numbering(name, series.iloc[:3]))
        if len(categories) < 2 and not can_miss:
            raise ValueError(_constant(name, categories[0]))
        return cls(name, categories, can_miss)

    def encode(self, series):
        """One-hot encoded values, shape ``(n, n_categories)``."""
        index = matches(series, self.categories)
        one_hot = np.eye(len(self.categories))[index]
        one_hot[index < 0] = 0
        return one_hot

    def impossible(self, series):
        """Reasons for values that are not in the table of fit, "" for the others, shape (n,)."""
        unknown = matches(series, self.categories) < 0
        known = ", ".join(map(repr, self.categories[:10]))
        reason = "{!r} is not among the values of the table of fit, " + known
        return [reason.format(v) if odd else "" for v, odd in zip(series, unknown, strict=True)]

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
    if not len(series):
        raise ValueError(f"Column {name!r} has no values: leave it out by drop.")
    if is_category(series.dtype):
        return CategoryColumn
    values = plain(name, series)
    if values.dtype.kind != "O":
        return DateColumn if values.dtype.kind == "M" else NumberColumn
    is_text = [isinstance(value, str) for value in values]
    if any(is_text) and pd.to_numeric(values[is_text], errors="coerce").notna().all():
        raise ValueError(
            f"Column {name!r} holds numbers as text, such as {values[is_text].iloc[0]!r}: convert "
            "it by pd.to_numeric; or, if they are labels, by astype('category')."
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
        if step <= np.abs(values).max() and is_rounded(values, decimals, precision).all():
            return decimals
    return None


def is_rounded(values, decimals, precision):
    """Whether values have no more decimals, up to the precision of their type, shape (n,)."""
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


def _numbering(name, first):
    return (
        f"Column {name!r} numbers or names the rows: it holds {', '.join(map(repr, first))}, ..., "
        "each once. That tells nothing about a synthesizer, and rows that are numbered otherwise "
        f"would be taken for others. Leave it out by drop; or, if it is a measurement, pass "
        f"keep=[{name!r}]."
    )
