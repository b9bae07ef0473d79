"""Values that a synthesizer of SDV can return.

A number is clipped to the range of the training table (``enforce_min_max_values``, SDV's default,
of rdt's FloatFormatter and UnixTimestampEncoder) and rounded. Before that, CTGAN, CopulaGAN and
TVAE place it within 4 standard deviations of a component of a mixture (rdt's
ClusterBasedNormalizer clips the position to [-1, 1]; CTGAN paper, section 4.2).
"""

import numpy as np
import pandas as pd

from sklearn_flipad.tabular._columns import is_rounded
from sklearn_flipad.tabular._sdv_models import (
    conformed,
    copulas_of,
    date_factors,
    decimals_of_formatter,
    encoder_of,
    field_transformers,
    processed,
)
from sklearn_flipad.tabular._values import precision_of

__all__ = ["DEVIATIONS", "intervals_of", "table_and_reasons"]

#: Standard deviations per unit of a position, see rdt's ClusterBasedNormalizer.
DEVIATIONS = 4
#: Decimals of float64.
_MOST_DECIMALS = 15
#: Days between dates that a format cannot tell apart, by the directive that it lacks.
_DAYS = {"%d": 31, "%m": 366}
#: Networks return positions in single precision.
_SINGLE = 1e-6


def table_and_reasons(synthesizer, X):
    """A table as numbers and categories, and what is impossible in it, by column.

    The latter are lists of n texts, "" for possible values. Rows that break a constraint of the
    synthesizer are left out of the table.
    """
    table, unknown = conformed(synthesizer, X)
    reasons = {}
    for name, rows in unknown.items():
        if rows.any():
            text = "{!r} is not among the values of the synthesizer's table"
            reasons[name] = [
                text.format(v) if u else "" for v, u in zip(X[name], rows, strict=True)
            ]
    broken = np.zeros(len(X), dtype=bool)
    constraints = [*getattr(synthesizer, "_reject_sampling_constraints", ())]
    constraints += getattr(synthesizer, "_chained_constraints", [])[:1]
    for constraint in constraints:
        odd = ~np.asarray(constraint.is_valid(table), dtype=bool)
        text = f"it breaks the constraint {type(constraint).__name__} of the synthesizer"
        if odd.any():
            reasons[", ".join(_columns_of_constraint(constraint, X.columns))] = [
                text if wrong else "" for wrong in odd
            ]
            broken |= odd
    kept = np.flatnonzero(~broken)
    if not len(kept):
        return None, reasons
    found = processed(synthesizer, table.iloc[kept].reset_index(drop=True))
    precision = {name: precision_of(X[name]) for name in X.columns}
    for name, texts in _out_of_reach(synthesizer, found, precision).items():
        whole = np.full(len(X), "", dtype=object)
        whole[kept] = texts
        reasons[name] = [a or b for a, b in zip(reasons.get(name, whole), whole, strict=True)]
    return found, reasons


def intervals_of(info):
    """Lower and upper ends of what each valid component of a column's mixture reaches."""
    mixture, valid = info.transform._bgm_transformer, info.transform.valid_component_indicator
    mean = mixture.means_.ravel()[valid]
    reach = DEVIATIONS * np.sqrt(mixture.covariances_.ravel()[valid])
    return mean - reach, mean + reach


def _columns_of_constraint(constraint, columns):
    found = [getattr(constraint, key) for key in vars(constraint) if "column_name" in key]
    names = [n for value in found for n in (value if isinstance(value, list) else [value])]
    names = [name for name in names if isinstance(name, str) and name in columns]
    return list(dict.fromkeys(names)) or [type(constraint).__name__]


def _out_of_reach(synthesizer, table, precision):
    """Texts for the numbers of a table that the synthesizer cannot return, by column."""
    formatters = field_transformers(synthesizer)
    infos = getattr(encoder_of(synthesizer._model), "_column_transform_info_list", ())
    mixtures = {i.column_name: i for i in infos if i.column_type == "continuous"}
    found, factors = {}, date_factors(synthesizer)
    for name in table.columns:
        formatter = formatters.get(name)
        kind = type(formatter).__name__
        # Others change the scale, and columns that constraints made are rounded as others are.
        if kind not in ("FloatFormatter", "UnixTimestampEncoder") or name not in precision:
            continue
        is_date = kind == "UnixTimestampEncoder"
        values = table[name].to_numpy(dtype=np.float64)
        if is_date:
            step = factors.get(name, 1.0) * _step_of_dates(formatter)
            slack = step = np.full(len(values), step)
        else:
            slack, step = _steps_of_numbers(formatter, values, precision[name])
        texts = np.full(len(values), "", dtype=object)
        low, high = -np.inf, np.inf
        if formatter.enforce_min_max_values and pd.notna(formatter._min_value):
            low, high = float(formatter._min_value), float(formatter._max_value)
        below, above = values < low - slack, values > high + slack
        for rows, side, end in ((below, "below", low), (above, "above", high)):
            word = "smallest" if side == "below" else "largest"
            for row in np.flatnonzero(rows):
                texts[row] = (
                    f"{_shown(values[row], formatter)} is {side} {_shown(end, formatter)}, the "
                    f"{word} value of the synthesizer's table, to which it clips"
                )
        if name in mixtures:
            # What is clipped may come from anywhere beyond.
            least = np.where(values <= low + slack, -np.inf, values - step)
            most = np.where(values >= high - slack, np.inf, values + step)
            odd = ~_within(synthesizer, mixtures[name], least, most) & (texts == "")
            for row in np.flatnonzero(odd):
                texts[row] = (
                    f"{_shown(values[row], formatter)} is further than {DEVIATIONS} standard "
                    "deviations from each component of the synthesizer's mixture, which it cannot "
                    "leave"
                )
        if (texts != "").any():
            found[name] = list(texts)
    return found


def _within(synthesizer, info, least, most):
    """Whether each interval meets what a component reaches, shape (n,)."""
    copulas = copulas_of(synthesizer)
    if copulas is not None:
        normalizer = copulas.field_transformers[info.column_name]
        least, most = (_normalized(normalizer, values) for values in (least, most))
    bottom, top = intervals_of(info)
    slack = _SINGLE * (top - bottom + np.abs(top + bottom))
    meets = (most[:, None] >= bottom - slack) & (least[:, None] <= top + slack)
    return meets.any(axis=1)


def _normalized(normalizer, values):
    """Values as the network of a CopulaGAN sees them; infinite ones stay so."""
    finite = np.isfinite(values)
    done = values.copy()
    if finite.any():
        done[finite] = normalizer._copula_transform(values[finite])
    return done


def _steps_of_numbers(formatter, values, precision):
    """Half a step of each value's rounding where it is coarser than the synthesizer's, else 0.

    Somebody who rounded a table moved its values by so much. And the same, at least half a step of
    the synthesizer's own rounding.
    """
    decimals = decimals_of_formatter(formatter)
    decimals = _MOST_DECIMALS if decimals is None else decimals
    slack = np.zeros(len(values))
    for coarser in range(min(decimals, _MOST_DECIMALS)):
        found = (slack == 0) & is_rounded(values, coarser, precision)
        slack[found] = 0.5 * 10.0**-coarser
    slack = np.maximum(slack, 4 * max(precision, np.finfo(np.float64).eps) * np.abs(values))
    return slack, np.maximum(slack, 0.5 * 10.0**-decimals)


def _step_of_dates(formatter):
    """Distance of dates that a column of dates need not tell apart, in the column's numbers."""
    form = formatter.datetime_format or "%m%d"
    days = max([1, *(n for directive, n in _DAYS.items() if directive not in form)])
    if "%j" in form or "%x" in form or "%c" in form or "%D" in form or "%F" in form:
        days = 1
    pair = pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"]))
    if isinstance(formatter._dtype, np.dtype) and formatter._dtype.kind == "M":
        pair = pair.astype(formatter._dtype)
    elif formatter.datetime_format:
        pair = pair.dt.strftime(formatter.datetime_format)
    first, second = formatter._transform_helper(pair)
    return days * (second - first) / 366


def _shown(value, formatter):
    """A value of a formatter as users know it."""
    if not hasattr(formatter, "datetime_format"):
        return f"{value:.10g}"
    return str(np.asarray(formatter._convert_data_to_pandas_datetime(pd.Series([value])))[0])
