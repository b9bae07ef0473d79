"""Data frames become rows of numbers, or errors name a column."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_flipad.datasets import load_redwine
from sklearn_flipad.tabular import TablePreparer
from sklearn_flipad.tabular._columns import decimals_of


def mixed_table(n=60, seed=0):
    """A table with a column of each kind."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "price": rng.normal(100, 20, n).round(2),
            "rooms": rng.integers(1, 9, n),
            "size": rng.normal(1e5, 1e4, n),
            "kind": rng.choice(["flat", "house", "villa"], n),
            "garden": rng.random(n) < 0.4,
            "sold": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
        }
    )


def test_mixed_table_and_back():
    table = mixed_table()
    preparer = TablePreparer().fit(table)
    Z = preparer.transform(table)
    names = ["price", "rooms", "size", "kind_flat", "kind_house", "kind_villa"]
    names += ["garden_False", "garden_True", "sold"]
    assert list(preparer.get_feature_names_out()) == names
    numbers = [names.index(name) for name in ("price", "rooms", "size", "sold")]
    np.testing.assert_allclose(Z[:, numbers].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(Z[:, numbers].std(axis=0), 1)
    back = preparer.inverse_transform(Z)
    pd.testing.assert_frame_equal(
        back.astype({"kind": str}), table.astype({"kind": str}), check_dtype=False
    )
    assert back["rooms"].dtype == "int64"
    noisy = preparer.inverse_transform(Z + 1e-3)
    assert decimals_of(noisy["price"].to_numpy()) == 2
    assert (noisy["sold"] == noisy["sold"].dt.normalize()).all()


def test_columns_are_taken_by_name():
    table = mixed_table()
    preparer = TablePreparer(drop=["garden"]).fit(table)
    Z = preparer.transform(table)
    np.testing.assert_array_equal(preparer.transform(table[table.columns[::-1]]), Z)
    np.testing.assert_array_equal(preparer.transform(table.drop(columns="garden")), Z)
    np.testing.assert_array_equal(preparer.transform(table.iloc[[7]]), Z[[7]])
    framed = clone(preparer).set_output(transform="pandas").fit(table).transform(table)
    assert list(framed.columns) == list(preparer.get_feature_names_out())


def change(**columns):
    return lambda table: table.assign(**columns)


REFUSED_IN_FIT = [
    (change(rooms=3), "'rooms' is constant, .*3.* drop"),
    (change(kind="flat"), "'kind' is constant, 'flat'"),
    (change(price=np.nan), "'price' has 60 missing values, the first in row 0"),
    (change(price=lambda t: t["price"].where(t.index != 5)), "'price' has 1 missing .* row 5"),
    (change(price=lambda t: t["price"].where(t.index != 5, np.inf)), "'price' holds infinite"),
    (change(price=lambda t: t["price"].astype(str)), "'price' holds numbers as text, such as '1"),
    (change(price=lambda t: [[v] for v in t["price"]]), "'price' holds values of type list"),
    (change(price=lambda t: t["price"] * 1j), "'price' holds values of type complex"),
    (change(kind=lambda t: [f"n{i}" for i in t.index]), "'kind' holds 60 different texts"),
    (change(rooms=lambda t: 2**60 + t.index), r"'rooms' holds integers beyond 2\*\*53"),
    (change(sold=lambda t: t["sold"].dt.tz_localize("UTC")), "'sold' holds dates with a time zone"),
    (lambda t: t.rename(columns={"rooms": "price"}), "'price' occurs more than once"),
    (lambda t: t.rename(columns={"rooms": 3}), "must be strings, got 3"),
    (lambda t: t.iloc[:0], "0 rows"),
]


@pytest.mark.parametrize(("spoil", "match"), REFUSED_IN_FIT)
def test_what_cannot_be_used_is_refused_by_name(spoil, match):
    with pytest.raises(ValueError, match=match):
        TablePreparer().fit(spoil(mixed_table()))


REFUSED_LATER = [
    (lambda t: t.drop(columns="rooms"), r"lacks the columns \['rooms'\]\.$"),
    (lambda t: t.assign(note=1), r"has the columns \['note'\], .* X.drop"),
    (lambda t: t.rename(columns={"rooms": "Rooms"}), r"lacks .*'rooms'.* has .*'Rooms'.*rename"),
    (
        lambda t: t.assign(kind="castle"),
        "60 of 60 rows .* impossible for this synthesizer. Column 'kind', row 0: 'castle' is not",
    ),
    (lambda t: t.assign(rooms="three"), "'rooms' holds categories, but numbers .* 'three'"),
    (lambda t: t.assign(rooms=t["sold"]), "'rooms' holds dates, but numbers"),
    (lambda t: t.assign(sold=1.5), "'sold' holds numbers, but dates .* pd.to_datetime, with the"),
    (lambda t: t.assign(sold="1.5."), "'sold' holds categories, but dates .* pd.to_datetime"),
    (
        lambda t: t.assign(rooms=[None, *t["rooms"][1:]]),
        "'rooms' has 1 .* none in the table",
    ),
    (lambda t: t.iloc[:0], "no rows"),
]


@pytest.mark.parametrize(("spoil", "match"), REFUSED_LATER)
def test_suspects_must_have_the_columns_of_fit(spoil, match):
    preparer = TablePreparer().fit(mixed_table())
    with pytest.raises(ValueError, match=match):
        preparer.transform(spoil(mixed_table(seed=1)))


def test_arrays_have_no_names():
    with pytest.raises(TypeError, match="must be a pandas DataFrame"):
        TablePreparer().fit(np.zeros((3, 2)))


def test_missing_values_get_a_feature():
    table = mixed_table()
    table.loc[[3, 4], "price"] = np.nan
    table.loc[5, "kind"] = None
    preparer = TablePreparer(missing="indicate").fit(table)
    Z = pd.DataFrame(preparer.transform(table), columns=preparer.get_feature_names_out())
    assert list(Z.index[Z["price_missing"] == 1]) == [3, 4]
    assert (Z.loc[[3, 4], "price"] == 0).all()
    assert list(Z.loc[5, ["kind_flat", "kind_house", "kind_villa", "kind_missing"]]) == [0, 0, 0, 1]
    back = preparer.inverse_transform(Z.to_numpy())
    assert list(back.index[back["price"].isna()]) == [3, 4]
    assert list(back.index[back["kind"].isna()]) == [5]


@pytest.mark.parametrize("decimals", [-2, 0, 1, 3, 5])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e5])
def test_decimals_are_found(decimals, scale):
    values = np.random.default_rng(0).normal(7 * scale, scale, 200)
    if 10.0**-decimals > 0.1 * scale or 10.0**-decimals < 1e-6 * scale:
        return
    assert decimals_of(values.round(decimals)) == decimals
    single = values.round(decimals).astype(np.float32).astype(np.float64)
    if 10.0**-decimals > 1e-5 * scale:
        assert decimals_of(single, 2.0**-23) == decimals
    assert decimals_of(values) is None


def test_rounding_is_learned_and_shared():
    wine = load_redwine()
    preparer = TablePreparer().fit(wine)
    found = {column.name: column.decimals for column in preparer.columns_}
    assert found["pH"] == 2
    assert found["density"] == 5
    Z = preparer.transform(wine) + np.random.default_rng(0).normal(0, 1e-4, wine.shape)
    rounded = preparer.inverse_transform(Z)
    np.testing.assert_array_equal(rounded["pH"], wine["pH"].round(2))
    # Rows that are rounded alike are the same, whether somebody has rounded them before or not.
    exact = pd.DataFrame(Z * [c.scale for c in preparer.columns_], columns=wine.columns)
    exact += [c.mean for c in preparer.columns_]
    np.testing.assert_allclose(
        preparer.transform(exact), preparer.transform(rounded), rtol=0, atol=1e-9
    )
    names = list(preparer.get_feature_names_out())
    noise = preparer.rounding()
    assert noise[names.index("pH")] == pytest.approx(0.01 / wine["pH"].std(ddof=0) / 12**0.5)
    assert noise.min() == 1e-3


def test_coarser_rounding_is_said():
    table = mixed_table(200)
    preparer = TablePreparer().fit(table)
    suspects = mixed_table(50, seed=1)
    coarse = suspects.assign(price=suspects["price"].round(0), size=suspects["size"].round(1))
    with pytest.warns(UserWarning, match="rounded more coarsely.*'price': 0, 'size': 1") as seen:
        preparer.transform(coarse)
    assert len(seen) == 1
    # The advice leads to tables that are rounded alike.
    alike = TablePreparer(decimals={"price": 0, "size": 1}).fit(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alike.transform(coarse)
        preparer.transform(suspects)
        preparer.transform(suspects.iloc[:1])
        TablePreparer(decimals=None).fit_transform(load_redwine())
    np.testing.assert_array_equal(alike.transform(coarse), alike.transform(suspects))


@pytest.mark.parametrize(
    "change",
    [lambda v: v * 100, lambda v: v / 2.54, lambda v: -v, lambda v: v * 0 + 1e9],
)
def test_other_units_are_said(change):
    table, suspects = mixed_table(200), mixed_table(30, seed=1)
    preparer = TablePreparer(decimals={"price": None}).fit(table)
    with pytest.warns(UserWarning, match=r"far from the mean .* 'price' at least .* units differ"):
        preparer.transform(suspects.assign(price=change(suspects["price"])))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted = suspects.assign(price=change(suspects["price"]) * 0 + suspects["price"])
        preparer.transform(converted)
        for row in range(30):
            preparer.transform(suspects.iloc[[row]])


def test_decimals_of_unknown_columns():
    with pytest.raises(ValueError, match=r"decimals names \['prize'\]"):
        TablePreparer(decimals={"prize": 2}).fit(mixed_table())


def test_columns_of_other_units_are_the_same():
    """A table with columns from 1e-3 to 1e5 gives the rows of its standardized twin."""
    rng = np.random.default_rng(0)
    twin = pd.DataFrame(rng.normal(size=(100, 9)), columns=[f"c{i}" for i in range(9)])
    table = twin * 10.0 ** np.arange(-3, 6) + 7 * 10.0 ** np.arange(-3, 6)
    Z = TablePreparer().fit_transform(table)
    np.testing.assert_allclose(Z, TablePreparer().fit_transform(twin), rtol=0, atol=1e-12)


def test_wrong_rows_back():
    preparer = TablePreparer().fit(mixed_table())
    with pytest.raises(ValueError, match="X has 3 features, but there are 9"):
        preparer.inverse_transform(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="NaN"):
        preparer.inverse_transform(np.full((2, 9), np.nan))
