"""Parts of SDV's synthesizers, and tables as their generators see them."""

from copy import deepcopy
from importlib import import_module

import numpy as np
import pandas as pd

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.tabular._values import labels, matches, numbers, plain, seconds

__all__ = [
    "check_columns",
    "check_synthesizer",
    "columns_of",
    "conformed",
    "copulas_of",
    "date_factors",
    "decimals_of_formatter",
    "encoder_of",
    "field_transformers",
    "generator_of",
    "known_values",
    "model_of",
    "processed",
    "sdv",
]

#: Types of columns that a synthesizer models; it makes up the others: keys and personal data.
_MODELED = ("numerical", "datetime", "categorical", "boolean")
#: Nanoseconds of a date in 2001.
_SOME_DATE = 1e18


def sdv():
    """The package sdv."""
    import_optional("sdv.single_table.base", "Synthesizers of SDV need sdv", "tabular")
    return import_module("sdv")


def check_synthesizer(synthesizer, kinds):
    """Raise an error unless a synthesizer is of the kinds and fitted."""
    names = [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]
    if not isinstance(synthesizer, kinds):
        raise TypeError(
            f"synthesizer must be a {' or '.join(names)} of sdv, got {type(synthesizer).__name__}."
        )
    if not synthesizer._fitted:
        raise ValueError(f"The {type(synthesizer).__name__} is not fitted: call its fit first.")


def model_of(synthesizer):
    """Copy of the CTGAN or TVAE inside a synthesizer."""
    from_sdv = sdv().single_table
    # CopulaGANSynthesizer is a CTGANSynthesizer.
    check_synthesizer(synthesizer, (from_sdv.CTGANSynthesizer, from_sdv.TVAESynthesizer))
    return deepcopy(synthesizer._model)


def generator_of(model):
    """Network of a CTGAN or TVAE that makes rows."""
    return model._generator if hasattr(model, "_generator") else model.decoder


def encoder_of(model):
    """Transformer of a CTGAN or TVAE between tables and the rows of its network, or None."""
    return getattr(model, "_transformer", None) or getattr(model, "transformer", None)


def copulas_of(synthesizer):
    """Transformer that a CopulaGAN applies between the table and its network, or None."""
    return getattr(synthesizer, "_gaussian_normalizer_hyper_transformer", None)


def field_transformers(synthesizer):
    """Transformers of rdt by column of the table."""
    return synthesizer._data_processor._hyper_transformer.field_transformers


def columns_of(synthesizer):
    """Types of the columns that a synthesizer models, and names of those that it makes up."""
    columns = _metadata_columns(synthesizer)
    keys = set(synthesizer._data_processor._keys)
    modeled = {
        name: sdtype for name, sdtype in columns.items() if sdtype in _MODELED and name not in keys
    }
    return modeled, [name for name in columns if name not in modeled]


def check_columns(synthesizer, X):
    """Names of the columns that a synthesizer models; raise an error if X lacks one or has gaps."""
    if not isinstance(X, pd.DataFrame):
        raise TypeError(f"X must be a pandas DataFrame, got {type(X).__name__}.")
    modeled, made_up = columns_of(synthesizer)
    names = list(modeled)
    missing = [name for name in names if name not in X.columns]
    extra = [name for name in X.columns if name not in {*names, *made_up}]
    if missing or extra:
        raise ValueError(
            f"X must have the columns of the synthesizer, {names}; it lacks {missing} and has "
            f"{extra} beside them. Rename or drop columns."
        )
    if not len(X):
        raise ValueError("X has no rows.")
    gaps = [name for name in names if X[name].isna().any()]
    if gaps:
        raise ValueError(
            f"Columns {gaps} of X have missing values, which are no outputs of the generator: "
            f"remove those rows, by X.dropna(subset={gaps})."
        )
    return names


def _metadata_columns(synthesizer):
    """Type of each column of the table that the synthesizer was fitted to."""
    metadata = synthesizer.get_metadata("original").to_dict()
    (table,) = metadata["tables"].values() if "tables" in metadata else (metadata,)
    return {name: column["sdtype"] for name, column in table["columns"].items()}


def known_values(synthesizer, name):
    """Values of a column of categories in the synthesizer's table; None if it tells none."""
    infos = getattr(encoder_of(synthesizer._model), "_column_transform_info_list", ())
    own = [i.transform for i in infos if i.column_name == name and i.column_type != "continuous"]
    for transformer in [*own, field_transformers(synthesizer).get(name)]:
        for attribute in ("dummies", "frequencies", "categories_to_values"):
            found = getattr(transformer, attribute, None)
            if found is not None and len(found):
                return [value for value in found if not pd.isna(value)]
    return None


def conformed(synthesizer, X):
    """Columns that a synthesizer models in the types of its table, and unknown values.

    The latter are masks of shape (n,) by column; another known value is in their place.
    """
    table, unknown = {}, {}
    for name, sdtype in columns_of(synthesizer)[0].items():
        series = X[name]
        if sdtype == "numerical":
            table[name] = numbers(name, series)
            decimals = decimals_of_formatter(field_transformers(synthesizer).get(name))
            if decimals is not None:  # own rows have no more, and others are rounded alike
                table[name] = np.round(table[name], decimals)
        elif sdtype == "datetime":
            table[name] = _dates(name, series, field_transformers(synthesizer).get(name))
        else:
            known = known_values(synthesizer, name)
            if known is None:
                table[name] = labels(plain(name, series))
                continue
            index = matches(series, known)
            unknown[name] = index < 0
            table[name] = pd.Series(known)[np.maximum(index, 0)].to_numpy()
    return pd.DataFrame(table), unknown


def decimals_of_formatter(formatter):
    """Decimals that a synthesizer rounds a column to, or None."""
    rounds = getattr(formatter, "learn_rounding_scheme", False)
    if rounds and formatter._rounding_digits is not None:
        return formatter._rounding_digits
    is_integer = pd.api.types.is_integer_dtype(getattr(formatter, "_dtype", object))
    return 0 if is_integer else None


def _dates(name, series, formatter):
    """Dates in the type of the synthesizer's table, whose unit SDV takes numbers in."""
    dtype = getattr(formatter, "_dtype", None)
    if dtype is None or series.dtype == dtype:
        return series.to_numpy() if dtype is None else series.reset_index(drop=True)
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        seconds(name, series)  # ValueError for what is no date
        return plain(name, series).astype(dtype).reset_index(drop=True)
    values = plain(name, series).reset_index(drop=True)
    if values.dtype.kind == "M" and formatter.datetime_format:
        return values.dt.strftime(formatter.datetime_format)
    return values


def processed(synthesizer, table):
    """A table of :func:`conformed` as numbers and categories, by constraints and formatters."""
    if getattr(synthesizer, "_chained_constraints", ()):
        table = synthesizer._validate_transform_constraints(table)
    # Conditions are transformed without the primary key, which no suspect needs to have.
    table = synthesizer._data_processor.transform(table, is_condition=True)
    factors = date_factors(synthesizer)
    return table.assign(**{name: table[name] * f for name, f in factors.items() if name in table})


def date_factors(synthesizer):
    """Numbers of a returned date by its number in training, by column of dates; usually 1.

    rdt takes numbers in the unit of the table, but returns all as nanoseconds.
    """
    found = {}
    for name, formatter in field_transformers(synthesizer).items():
        if type(formatter).__name__ == "UnixTimestampEncoder" and formatter.datetime_format:
            date = formatter._convert_data_to_pandas_datetime(pd.Series([_SOME_DATE]))
            if isinstance(formatter._dtype, np.dtype) and formatter._dtype.kind == "M":
                date = date.astype(formatter._dtype)
            else:
                date = date.dt.strftime(formatter.datetime_format)
            ratio = _SOME_DATE / formatter._transform_helper(date)[0]
            # A format may leave out the time of day; units are thousands apart.
            found[name] = 1000.0 ** np.rint(np.log(ratio) / np.log(1000))
    return found
