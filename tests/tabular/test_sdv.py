"""SDV's synthesizers: their rows, and the final layers of their generators."""

import importlib.util
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from sklearn_flipad import DeepSADDetector, FinalLayerInverter, make_flipad
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.datasets import load_redwine
from sklearn_flipad.detectors import MLP
from sklearn_flipad.tabular import SDVTransformer, final_layer_of_sdv, for_tables, sample_sdv

KINDS = ["CTGANSynthesizer", "CopulaGANSynthesizer", "TVAESynthesizer"]

needs_sdv = pytest.mark.skipif(
    importlib.util.find_spec("sdv") is None, reason="sdv is not installed"
)


def wine_table(n=200):
    """Three numbers and a category."""
    table = load_redwine().iloc[:n][["pH", "alcohol", "density"]]
    return table.assign(taste=np.where(load_redwine()["residual_sugar"][:n] > 2.2, "sweet", "dry"))


@pytest.fixture(scope="module")
def synthesizers():
    """One of each kind, hardly trained."""
    from sdv import single_table
    from sdv.metadata import Metadata

    table, fitted = wine_table(), {}
    for kind in KINDS:
        # SDV's training draws from numpy's global numbers too, for the components alone.
        with warnings.catch_warnings(), seeded(0):
            warnings.simplefilter("ignore")
            metadata = Metadata.detect_from_dataframe(table)
            fitted[kind] = getattr(single_table, kind)(metadata, epochs=1)
            fitted[kind].fit(table)
    return fitted


@needs_sdv
@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_seeded_and_leave_no_trace(kind, synthesizers):
    synthesizer = synthesizers[kind]
    first = sample_sdv(synthesizer, 50, random_state=1)
    assert list(first.columns) == list(wine_table().columns)
    assert first.shape == (50, 4)
    next_of_its_own = synthesizer._model.random_states
    pd.testing.assert_frame_equal(sample_sdv(synthesizer, 50, random_state=1), first)
    assert synthesizer._model.random_states is next_of_its_own
    assert not sample_sdv(synthesizer, 50, random_state=2).equals(first)
    np.testing.assert_array_equal(first["pH"], first["pH"].round(2))


@needs_sdv
@pytest.mark.parametrize("kind", KINDS)
def test_layer_maps_activations_to_what_the_generator_returns(kind, synthesizers):
    synthesizer = synthesizers[kind]
    layer = final_layer_of_sdv(synthesizer, n_samples=100)
    model = synthesizer._model
    module = model._generator.seq[-1] if hasattr(model, "_generator") else model.decoder.seq[-1]
    z = torch.randn(9, module.in_features)
    with torch.no_grad():
        returned = module(z)
    # Without the Gumbel noise and the temperature of CTGAN.
    torch.testing.assert_close(layer.decode(z), layer.activation.forward(returned))
    assert layer.activation.n_columns == module.out_features
    assert (layer.output_scale > 0).all()
    names = {name for name, _ in layer.activation.parts}
    assert names == {"tanh", "softmax"}


@needs_sdv
@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_encoded_as_the_generator_made_them(kind, synthesizers):
    """Decoding what was encoded gives the rows again."""
    synthesizer = synthesizers[kind]
    rows = sample_sdv(synthesizer, 40)
    transformer = SDVTransformer(synthesizer).fit(rows)
    Z = transformer.transform(rows)
    assert Z.shape[1] == len(transformer.get_feature_names_out())
    model = synthesizer._model
    encoder = model._transformer if hasattr(model, "_transformer") else model.transformer
    table = encoder.inverse_transform(Z)
    normalizer = getattr(synthesizer, "_gaussian_normalizer_hyper_transformer", None)
    if normalizer is not None:
        table = normalizer.reverse_transform(table)
    assert list(table["taste"]) == list(rows["taste"])
    for name in ("pH", "alcohol", "density"):
        inside = np.abs(Z[:, list(transformer.get_feature_names_out()).index(name)]) < 1
        assert inside.mean() > 0.9
        np.testing.assert_allclose(
            table[name][inside], rows[name][inside], rtol=0, atol=1e-3 * rows[name].std()
        )
    # Each row alone, in any order of the columns.
    np.testing.assert_array_equal(transformer.transform(rows.iloc[[7], ::-1]), Z[[7]])
    inverted = FinalLayerInverter(final_layer_of_sdv(synthesizer, n_samples=100)).transform(Z)
    assert inverted.shape == (40, encoder_width(synthesizer))


def encoder_width(synthesizer):
    model = synthesizer._model
    module = model._generator.seq[-1] if hasattr(model, "_generator") else model.decoder.seq[-1]
    return module.in_features


def near_the_middle(n, seed):
    """Rows of a synthesizer that knows the means only."""
    rng, table = np.random.default_rng(seed), wine_table()
    rows = {
        name: rng.normal(table[name].mean(), 0.05 * table[name].std(), n).round(5)
        for name in ("pH", "alcohol", "density")
    }
    return pd.DataFrame(rows).assign(taste="dry")


@needs_sdv
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_owner_of_a_tvae(synthesizers):
    """From a synthesizer to verdicts for data frames."""
    synthesizer = synthesizers["TVAESynthesizer"]
    own, others = sample_sdv(synthesizer, 300), near_the_middle(150, seed=0)
    layer = final_layer_of_sdv(synthesizer, n_samples=500)
    detector = DeepSADDetector(
        module=MLP, module_params={"hidden": (32,)}, max_epochs=20, random_state=0
    )
    flipad = make_flipad(layer, detector=detector, fnr=0.05, cv=0.4, random_state=0)
    pipeline = for_tables(flipad, SDVTransformer(synthesizer).fit(own))
    pipeline.fit(pd.concat([own, others], ignore_index=True), np.repeat([1, -1], [300, 150]))
    new = sample_sdv(synthesizer, 100, random_state=9)
    assert (pipeline.predict(new) == 1).mean() > 0.8
    foreign = near_the_middle(100, seed=1)
    scores = pipeline.score_samples(pd.concat([new, foreign], ignore_index=True))
    assert roc_auc_score(np.repeat([1, 0], 100), scores) > 0.7


WRONG_ROWS = [
    (lambda t: t.drop(columns="pH"), r"lacks \['pH'\]"),
    (lambda t: t.assign(note=1), r"has \['note'\] beside"),
    (lambda t: t.assign(pH=np.nan), r"Columns \['pH'\] of X have missing"),
    (lambda t: t.assign(taste="bitter"), "impossible .* 'taste', row 0: 'bitter' is not among"),
    (lambda t: t.iloc[:0], "no rows"),
]


@needs_sdv
@pytest.mark.parametrize(("spoil", "match"), WRONG_ROWS)
def test_rows_that_the_synthesizer_cannot_have_made(spoil, match, synthesizers):
    transformer = SDVTransformer(synthesizers["TVAESynthesizer"]).fit(wine_table())
    with pytest.raises(ValueError, match=match):
        transformer.transform(spoil(wine_table()))


@needs_sdv
def test_what_is_no_synthesizer(synthesizers):
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer, TVAESynthesizer

    metadata = Metadata.detect_from_dataframe(wine_table())
    with pytest.raises(ValueError, match="TVAESynthesizer is not fitted"):
        sample_sdv(TVAESynthesizer(metadata), 3)
    with pytest.raises(TypeError, match="got Linear"):
        sample_sdv(torch.nn.Linear(2, 2), 3)
    with pytest.raises(TypeError, match="a CTGANSynthesizer or TVAESynthesizer of sdv"):
        final_layer_of_sdv(GaussianCopulaSynthesizer(metadata))
    with pytest.raises(ValueError, match="positive number of rows, got 0"):
        sample_sdv(synthesizers["TVAESynthesizer"], 0)


def test_without_sdv_the_extra_is_named(monkeypatch):
    import sys

    for name in [name for name in sys.modules if name == "sdv" or name.startswith("sdv.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sdv", None)
    with pytest.raises(ImportError, match=r"sklearn-flipad\[tabular\]"):
        sample_sdv(object(), 3)
