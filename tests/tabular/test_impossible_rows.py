"""Rows that a synthesizer cannot have made are told by name, for each column and row."""

import importlib.util
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sklearn_flipad import make_flipad, make_rawpad
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.tabular import (
    SDVTransformer,
    TablePreparer,
    final_layer_of_sdv,
    for_tables,
    impossible_for_sdv,
    sample_sdv,
)
from sklearn_flipad.tabular._sdv_models import encoder_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sdv") is None, reason="sdv is not installed"
)
NETWORKS = ["CTGANSynthesizer", "CopulaGANSynthesizer", "TVAESynthesizer"]
N = 200


def people(n=N, seed=0):
    """Two numbers, a truth, a category, a date, a key and an address."""
    rng = np.random.default_rng(seed)
    days = pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    return pd.DataFrame(
        {
            "key": np.arange(n) + 1000,
            "mail": [f"p{i % 150}@example.org" for i in range(n)],
            "kg": rng.gamma(9, 8, n).round(1),
            "rooms": rng.integers(1, 9, n),
            "owner": rng.random(n) > 0.4,
            "kind": rng.choice(["1", "2", "x"], n),
            "since": (pd.Timestamp("2020-01-01") + days).astype("datetime64[ns]"),
        }
    )


TYPES = {"key": "id", "mail": "email", "kg": "numerical", "rooms": "numerical"}
TYPES |= {"owner": "boolean", "kind": "categorical", "since": "datetime"}


def fitted(kind, table=None, constraints=(), **options):
    """A synthesizer that is hardly trained."""
    from sdv import single_table
    from sdv.metadata import Metadata

    table = people() if table is None else table
    with warnings.catch_warnings(), seeded(0):
        warnings.simplefilter("ignore")
        metadata = Metadata.detect_from_dataframe(table)
        for name in table:
            metadata.update_column(name, sdtype=TYPES[name])
        if "key" in table:
            metadata.set_primary_key("key")
        synthesizer = getattr(single_table, kind)(metadata, **options)
        if constraints:
            synthesizer.add_constraints(list(constraints))
        synthesizer.fit(table)
    return synthesizer


@pytest.fixture(scope="module")
def synthesizers():
    networks = {kind: fitted(kind, epochs=1) for kind in NETWORKS}
    return networks | {"GaussianCopulaSynthesizer": fitted("GaussianCopulaSynthesizer")}


KINDS = [*NETWORKS, "GaussianCopulaSynthesizer"]


@pytest.mark.parametrize("kind", KINDS)
def test_own_rows_are_possible(kind, synthesizers):
    synthesizer = synthesizers[kind]
    own = sample_sdv(synthesizer, 2000, random_state=3)
    assert (impossible_for_sdv(synthesizer, own) == "").all()
    changed = own.assign(
        kg=own["kg"].round(0).astype("float32"),
        rooms=own["rooms"].astype("Int64"),
        owner=own["owner"].astype(int),
        kind=own["kind"].astype("category"),
        since=own["since"].astype("datetime64[s]"),
    )
    assert (impossible_for_sdv(synthesizer, changed) == "").all()


@pytest.mark.parametrize("kind", KINDS)
def test_impossible_values_are_named(kind, synthesizers):
    synthesizer = synthesizers[kind]
    own = sample_sdv(synthesizer, 5, random_state=3).set_axis(list("abcde"))
    table = people()
    own.loc["b", "kg"] = 1e9
    own.loc["c", ["kg", "kind"]] = [-70.0, "unheard of"]
    own.loc["e", "since"] = pd.Timestamp("2030-01-01")
    reasons = impossible_for_sdv(synthesizer, own)
    assert list(reasons.index) == list("abcde")
    assert list(reasons[["a", "d"]]) == ["", ""]
    assert reasons["b"].startswith(f"kg: 1000000000 is above {table['kg'].max():g}, the largest")
    assert "kind: 'unheard of' is not among" in reasons["c"]
    assert f"kg: -70 is below {table['kg'].min():g}, the smallest" in reasons["c"]
    assert reasons["e"].startswith("since: 2030-01-01")


@pytest.mark.parametrize("kind", ["CTGANSynthesizer", "TVAESynthesizer"])
def test_numbers_between_the_components_of_a_mixture(kind):
    values = np.r_[np.linspace(9.9, 10.1, N // 2), np.linspace(99, 101, N // 2)].round(2)
    table = people()[["kind"]].assign(kg=values)
    for options in ({}, {"enforce_min_max_values": False}):
        synthesizer = fitted(kind, table, epochs=1, **options)
        infos = encoder_of(synthesizer._model)._column_transform_info_list
        (info,) = (info for info in infos if info.column_name == "kg")
        # A component in between, if there is one, reaches no further than the others.
        info.transform._bgm_transformer.covariances_[:] = 1e-2
        means = np.sort(info.transform._bgm_transformer.means_.ravel())
        gap = np.diff(means).argmax()
        between = float(means[gap : gap + 2].mean().round(2))
        own = sample_sdv(synthesizer, 500)
        assert (impossible_for_sdv(synthesizer, own) == "").all()
        reason = impossible_for_sdv(synthesizer, own[:1].assign(kg=between))[0]
        assert reason == (
            f"kg: {between:.10g} is further than 4 standard deviations from each component of the "
            "synthesizer's mixture, which it cannot leave"
        )
        assert impossible_for_sdv(synthesizer, own[:1].assign(kg=1e6))[0].startswith("kg: 1000000")


def test_attributors_refuse_impossible_rows_and_take_the_others(synthesizers):
    """A table in grams, some rows of it, and the advice of the error."""
    synthesizer = synthesizers["CTGANSynthesizer"]
    own, real = sample_sdv(synthesizer, 300, random_state=1), people()
    options = {"detector": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")}
    options |= {"fnr": 0.1, "random_state": 0}
    transformer = SDVTransformer(synthesizer).fit(own)
    layer = final_layer_of_sdv(synthesizer, n_samples=200)
    X, y = pd.concat([own, real], ignore_index=True), np.repeat([1, -1], [300, N])
    new = sample_sdv(synthesizer, 60, random_state=9)
    for method in (make_flipad(layer, **options), make_rawpad(**options)):
        attributor = for_tables(method, transformer).fit(X, y)
        verdicts = attributor.predict(new)
        with pytest.raises(ValueError, match=r"60 of 60 rows .* impossible .* 'kg', row 0"):
            attributor.predict(new.assign(kg=new["kg"] * 1000))
        some = new.assign(kg=new["kg"].where(np.arange(60) % 3 > 0, 1e9))
        with pytest.raises(ValueError, match=r"20 of 60 rows .* impossible\(X\) of the transf"):
            attributor.evidence(some)
        reasons = attributor["prepare"].impossible(some)
        possible = reasons == ""
        assert possible.sum() == 40
        np.testing.assert_array_equal(attributor.predict(some[possible]), verdicts[possible])


def test_rows_of_a_preparer():
    table = people()[["kg", "kind"]]
    preparer = TablePreparer().fit(table)
    suspects = table.iloc[:4].assign(kind=["1", "castle", "2.0", "x"]).set_axis([9, 9, 7, 8])
    reasons = preparer.impossible(suspects)
    assert [bool(reason) for reason in reasons] == [False, True, False, False]
    with pytest.raises(ValueError, match=r"1 of 4 rows .* impossible.* row 1: 'castle'"):
        preparer.transform(suspects)
    assert preparer.transform(suspects[reasons == ""]).shape == (3, 4)


@pytest.mark.parametrize("kind", NETWORKS)
def test_keys_and_personal_data_are_left_out(kind, synthesizers):
    synthesizer = synthesizers[kind]
    own = sample_sdv(synthesizer, 50)
    assert {"key", "mail"} < set(own)
    transformer = SDVTransformer(synthesizer).fit(own)
    assert list(transformer.feature_names_in_) == ["kg", "rooms", "owner", "kind", "since"]
    Z = transformer.transform(own)
    assert Z.shape[1] == len(transformer.get_feature_names_out())
    for dropped in (["key"], ["mail"], ["key", "mail"]):
        np.testing.assert_array_equal(transformer.transform(own.drop(columns=dropped)), Z)
    renumbered = own.assign(key=own["key"] + 10**6, mail=None)
    np.testing.assert_array_equal(transformer.transform(renumbered), Z)


@pytest.mark.parametrize("kind", NETWORKS)
def test_equal_rows_in_other_types_are_encoded_alike(kind, synthesizers):
    synthesizer = synthesizers[kind]
    own = sample_sdv(synthesizer, 50)
    transformer = SDVTransformer(synthesizer).fit(own)
    Z = transformer.transform(own)
    changes = {
        "owner": [lambda v: v.astype(int), lambda v: v.astype(str), lambda v: v.astype("boolean")],
        "kind": [lambda v: v.astype("category"), lambda v: v.replace({"1": 1, "2": 2.0})],
        "rooms": [lambda v: v.astype(float), lambda v: v.astype("Int64"), lambda v: v.astype(str)],
        "kg": [lambda v: v.astype("float32"), lambda v: v + 1e-3],
        "since": [lambda v: v.astype("datetime64[ns]"), lambda v: v.dt.date],
    }
    for name, functions in changes.items():
        for change in functions:
            changed = own.assign(**{name: change(own[name])})
            np.testing.assert_allclose(transformer.transform(changed), Z, rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match=r"'since' holds categories.* pd.to_datetime"):
        transformer.transform(own.assign(since=own["since"].astype(str) + "?"))


def test_dates_that_a_synthesizer_keeps_as_texts():
    table = people()[["kg", "since"]]
    table["since"] = table["since"].dt.strftime("%Y-%m-%d")
    synthesizer = fitted("TVAESynthesizer", table, epochs=1)
    own = sample_sdv(synthesizer, 50)
    assert isinstance(own["since"][0], str)
    transformer = SDVTransformer(synthesizer).fit(own)
    Z = transformer.transform(own)
    as_dates = own.assign(since=pd.to_datetime(own["since"]))
    np.testing.assert_array_equal(transformer.transform(as_dates), Z)
    late = own.assign(since="2030-01-01")
    assert transformer.impossible(late)[0].startswith("since: 2030-01-01")


def test_dates_that_sdv_returns_in_another_unit():
    table = people()[["kg", "since"]].astype({"since": "datetime64[us]"})
    synthesizer = fitted("TVAESynthesizer", table, epochs=1)
    if sample_is_of_its_time(synthesizer):
        pytest.skip("this version of sdv returns dates as it was given them")
    with pytest.warns(UserWarning, match=r"\['since'\] are of other times.*datetime64\[ns\]"):
        own = sample_sdv(synthesizer, 50)
    assert (impossible_for_sdv(synthesizer, own) == "").all()
    SDVTransformer(synthesizer).fit(own).transform(own)
    assert impossible_for_sdv(synthesizer, table).str.startswith("since: 202").all()
    advised = fitted("TVAESynthesizer", table.astype({"since": "datetime64[ns]"}), epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert sample_sdv(advised, 50)["since"].dt.year.min() >= 2020


def sample_is_of_its_time(synthesizer):
    return synthesizer.sample(1)["since"].dt.year[0] >= 2020


def test_constraints_of_a_synthesizer():
    from sdv import cag

    rng = np.random.default_rng(0)
    table = people()[["kg", "kind"]].assign(rooms=0.0)
    table["rooms"] = (table["kg"] + rng.gamma(2, 5, N)).round(1)
    rule = cag.Inequality(low_column_name="kg", high_column_name="rooms")
    for kind, options in (("TVAESynthesizer", {"epochs": 1}), ("GaussianCopulaSynthesizer", {})):
        synthesizer = fitted(kind, table, [rule], **options)
        own = sample_sdv(synthesizer, 100)
        assert (impossible_for_sdv(synthesizer, own) == "").all()
        swapped = own.assign(kg=own["rooms"] + 1)
        reasons = impossible_for_sdv(synthesizer, swapped)
        assert reasons.str.contains("it breaks the constraint Inequality").all()
        assert reasons.str.startswith("kg, rooms: ").all()
    transformer = SDVTransformer(fitted("TVAESynthesizer", table, [rule], epochs=1)).fit(own)
    assert transformer.transform(own[:5]).shape == (5, len(transformer.get_feature_names_out()))
