"""Columns in any type that a table comes in: equal values are equal, others are named."""

import datetime
import decimal
import io
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_flipad.tabular import TablePreparer
from sklearn_flipad.tabular._values import matches

N = 40
DATES = pd.Series(pd.date_range("2020-01-01", periods=N, freq="D")[np.arange(N) * 7 % N])
NUMBERS = pd.Series(np.random.default_rng(0).normal(size=N).round(2))
TEXTS = pd.Series(np.random.default_rng(1).choice(["a", "b"], N))
BOOLS = pd.Series(np.random.default_rng(2).random(N) > 0.5)


def arrow(make):
    pa = pytest.importorskip("pyarrow")
    return pd.ArrowDtype(make(pa))


def with_column(values):
    return pd.DataFrame({"x": NUMBERS, "v": values})


SAME = {
    "dates in seconds": (DATES, lambda v: v.astype("datetime64[s]")),
    "dates in nanoseconds": (DATES, lambda v: v.astype("datetime64[ns]")),
    "date objects": (DATES, lambda v: v.dt.date),
    "Arrow timestamps": (DATES, lambda v: v.astype(arrow(lambda pa: pa.timestamp("us")))),
    "Arrow dates": (DATES, lambda v: v.dt.date.astype(arrow(lambda pa: pa.date32()))),
    "Arrow strings": (TEXTS, lambda v: v.astype(arrow(lambda pa: pa.string()))),
    "string[pyarrow]": (TEXTS, lambda v: v.astype(arrow(lambda pa: pa.string())).astype("string")),
    "Arrow dictionary": (
        TEXTS,
        lambda v: v.astype(arrow(lambda pa: pa.dictionary(pa.int32(), pa.string()))),
    ),
    "categories": (TEXTS, lambda v: v.astype("category")),
    "Arrow booleans": (BOOLS, lambda v: v.astype(arrow(lambda pa: pa.bool_()))),
    "nullable booleans": (BOOLS, lambda v: v.astype("boolean")),
    "zeros and ones": (BOOLS, lambda v: v.astype(int)),
    "zeros and ones, floats": (BOOLS, lambda v: v.astype(float)),
    "true and false as texts": (BOOLS, lambda v: v.astype(str).str.lower()),
    "Arrow doubles": (NUMBERS, lambda v: v.astype(arrow(lambda pa: pa.float64()))),
    "Arrow decimals": (
        NUMBERS,
        lambda v: v.map(lambda x: decimal.Decimal(f"{x:.2f}")).astype(
            arrow(lambda pa: pa.decimal128(9, 2))
        ),
    ),
    "Decimal objects": (NUMBERS, lambda v: v.map(lambda x: decimal.Decimal(f"{x:.2f}"))),
    "Float64": (NUMBERS, lambda v: v.astype("Float64")),
    "float32": (NUMBERS, lambda v: v.astype("float32")),
    "sparse": (NUMBERS, lambda v: pd.Series(pd.arrays.SparseArray(v))),
    "numbers as texts": (NUMBERS, lambda v: v.astype(str)),
}


@pytest.mark.parametrize("name", SAME)
def test_suspects_in_another_type_are_the_same_rows(name):
    values, change = SAME[name]
    preparer = TablePreparer().fit(with_column(values))
    changed = with_column(change(values))
    expected = preparer.transform(with_column(values))
    np.testing.assert_allclose(preparer.transform(changed), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in SAME if "as texts" not in name])
def test_a_table_of_fit_in_any_type(name):
    values, change = SAME[name]
    changed = with_column(change(values))
    preparer = TablePreparer().fit(changed)
    Z = preparer.transform(changed)
    assert Z.shape == (N, len(preparer.get_feature_names_out()))
    back = preparer.inverse_transform(Z)
    np.testing.assert_array_equal(preparer.transform(back), Z)
    np.testing.assert_allclose(preparer.transform(with_column(values)), Z, rtol=0, atol=1e-6)


def test_a_table_that_went_through_csv():
    table = pd.DataFrame(
        {"grade": pd.Categorical(np.arange(N) % 3 + 1), "member": BOOLS, "amount": NUMBERS}
    )
    preparer = TablePreparer().fit(table)
    Z = preparer.transform(table)
    read = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    for grade in (read["grade"], read["grade"].astype(float), read["grade"].astype(float).map(str)):
        np.testing.assert_array_equal(preparer.transform(read.assign(grade=grade)), Z)
        as_category = read.assign(grade=grade.astype("category"))
        np.testing.assert_array_equal(preparer.transform(as_category), Z)


def test_truth_for_a_column_of_zeros_and_ones():
    table = with_column(BOOLS.astype(int))
    preparer = TablePreparer().fit(table)
    for values in (BOOLS, BOOLS.astype(object), BOOLS.astype(str)):
        np.testing.assert_array_equal(
            preparer.transform(with_column(values)), preparer.transform(table)
        )


@pytest.mark.parametrize(
    ("values", "known", "found"),
    [
        ([1, 1.0, "1", "1.0", True, "TRUE", 2], ["0", "1"], [1, 1, 1, 1, 1, 1, -1]),
        ([1, "1", "01", "1.0"], ["1", "01"], [-1, 0, 1, -1]),
        (["a", "A", " a"], ["a", "b"], [0, -1, -1]),
        ([1, "1e0", 0.5, ".5"], ["1", "0.50"], [0, -1, 1, 1]),
        (["12345678901234567891", 12345678901234567890], ["12345678901234567890"], [-1, 0]),
    ],
)
def test_equal_values(values, known, found):
    assert matches(values, known).tolist() == found


def test_booleans_beside_their_names():
    values = pd.Series([True, False, "unknown", "True"] * 10, dtype=object)
    preparer = TablePreparer().fit(with_column(values))
    names = ["x", "v_False", "v_True", "v_unknown"]
    assert list(preparer.get_feature_names_out()) == names
    np.testing.assert_array_equal(preparer.transform(with_column(values))[3, 1:], [0, 1, 0])


def test_dates_beyond_nanoseconds():
    values = DATES.astype("datetime64[s]")
    values[0] = np.datetime64("9999-12-31")
    preparer = TablePreparer().fit(with_column(values))
    back = preparer.inverse_transform(preparer.transform(with_column(values)))
    assert (back["v"] == values).all()
    usual = TablePreparer().fit(with_column(DATES))
    far = usual.inverse_transform(usual.transform(with_column(values)))
    assert str(far["v"][0]).startswith("9999-12-31")


NAMED = {
    "numbers and texts": (
        pd.Series([1, 2.5, "n/a", 3] * 10, dtype=object),
        r"several kinds, such as the number 1 and the label 'n/a'.*to_numeric.*astype\(str\)",
        lambda v: pd.to_numeric(v, errors="coerce"),
    ),
    "dates and texts": (
        pd.Series([datetime.date(2020, 1, 1), "never", datetime.date(2021, 1, 1), "x"] * 10),
        r"several kinds, such as the date .* and the label 'never'.*astype\(str\)",
        lambda v: v.astype(str),
    ),
    "periods": (DATES.dt.to_period("D"), "Period.*to_timestamp", lambda v: v.dt.to_timestamp()),
    "spans": (
        DATES - DATES[0] + pd.to_timedelta(NUMBERS, unit="h"),
        "Timedelta.*total_seconds",
        lambda v: v.dt.total_seconds(),
    ),
    "time zones": (
        DATES.dt.tz_localize("UTC"),
        r"time zone.*tz_convert\(None\)",
        lambda v: v.dt.tz_convert(None),
    ),
    "bytes": (TEXTS.str.encode("utf-8"), "bytes.*decode", lambda v: v.str.decode("utf-8")),
    "numbers as texts": (NUMBERS.astype(str), "numbers as text.*to_numeric", pd.to_numeric),
}


@pytest.mark.parametrize("name", NAMED)
def test_other_types_are_named_and_the_advice_works(name):
    values, message, advised = NAMED[name]
    with pytest.raises(ValueError, match=f"Column 'v' holds .*{message}"):
        TablePreparer().fit(with_column(values))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        changed = with_column(advised(values))
        Z = TablePreparer(missing="indicate").fit_transform(changed)
    assert len(Z) == N


def test_categories_of_intervals():
    table = with_column(pd.cut(NUMBERS, 3))
    Z = TablePreparer().fit_transform(table)
    assert (Z[:, 1:].sum(axis=1) == 1).all()


def test_complex_numbers_are_split():
    values = NUMBERS + 1j
    with pytest.raises(ValueError, match=r"'v' holds values of type complex.*split it"):
        TablePreparer().fit(with_column(values))


IDENTIFIERS = {
    "running numbers": np.arange(N) + 1000,
    "shuffled": np.arange(N)[::-1] * 7 % N,
    "with gaps": np.cumsum(np.arange(N) % 3 + 1),
    "floats": np.arange(N) / 10,
    "nullable": pd.Series(np.arange(N)).astype("Int64"),
    "texts": [f"k{i}" for i in range(N)],
    "categories": pd.Categorical(np.arange(N) + 5),
    "arrow": pd.Series(np.arange(N)),
}


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_identifiers_are_refused_by_name(name):
    values = pd.Series(IDENTIFIERS[name])
    if name == "arrow":
        values = values.astype(arrow(lambda pa: pa.int64()))
    table = with_column(values)
    with pytest.raises(ValueError, match=r"'v' numbers or names the rows.*drop.*keep=\['v'\]"):
        TablePreparer().fit(table)
    assert TablePreparer(drop=["v"]).fit_transform(table).shape == (N, 1)
    assert TablePreparer(keep=["v"]).fit_transform(table).shape[1] >= 2


def test_measurements_are_no_identifiers():
    rng = np.random.default_rng(0)
    for values in (
        rng.integers(0, 10**6, N),  # all different
        np.sort(rng.normal(size=N)),  # a sorted table
        np.sort(rng.integers(0, 20, N)),
        rng.permutation(np.r_[np.arange(N - 1), 60]),
        DATES,
    ):
        TablePreparer().fit(with_column(values))
    few = pd.DataFrame({"grams": [3.0, 4.0, 5.0], "kind": ["a", "b", "c"]})
    assert TablePreparer().fit_transform(few).shape == (3, 4)
