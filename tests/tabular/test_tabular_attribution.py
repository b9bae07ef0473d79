"""From a table to verdicts: units, order, files, and sets of rows."""

import numpy as np
import pandas as pd
import pytest

from sklearn_flipad import (
    ChannelSelector,
    DeepSADDetector,
    FinalLayer,
    InlierScaler,
    load_attributor,
    make_flipad,
    make_posterior,
    make_rawpad,
    make_whitened,
    save_attributor,
)
from sklearn_flipad.calibration import simes_p_value
from sklearn_flipad.datasets import load_redwine
from sklearn_flipad.detectors import MLP
from sklearn_flipad.generators import sample
from sklearn_flipad.tabular import TablePreparer, for_tables
from sklearn_flipad.zoo import load_pretrained


@pytest.fixture(scope="module")
def owner():
    return load_pretrained("redwine/kl-wgan-0")


@pytest.fixture(scope="module")
def preparer():
    return TablePreparer().fit(load_redwine())


def rows_of(generator, preparer, n, seed=0):
    return preparer.inverse_transform(sample(generator, n, dtype="float32", random_state=seed))


def small_detector():
    return DeepSADDetector(
        module=MLP, module_params={"hidden": (32,)}, max_epochs=3, random_state=0
    )


def attributors(owner):
    layer = FinalLayer.from_generator(owner, n_samples=500, random_state=0)
    common = {"detector": small_detector(), "fnr": 0.05, "cv": 0.3, "random_state": 0}
    scaler = ChannelSelector(k=100)
    return {
        "flipad": make_flipad(layer, **common),
        "flipad of 100": make_flipad(layer, scaler=scaler, **common),
        "rawpad": make_rawpad(**common),
        "scaled": make_rawpad(scaler=InlierScaler(), **common),
        "whitened": make_whitened("identity", **common),
    }


@pytest.mark.parametrize("name", ["flipad", "flipad of 100", "rawpad", "scaled", "whitened"])
def test_verdicts_do_not_depend_on_units(name, owner):
    """A table with columns from 1e-3 to 1e5 gives the verdicts of its standardized twin."""
    units = 10.0 ** np.linspace(-3, 5, 11)
    wine = load_redwine()
    twin = (wine - wine.mean()) / wine.std(ddof=0)
    Z = sample(owner, 300, dtype="float32", random_state=0).astype(np.float64)
    own = pd.DataFrame(Z, columns=wine.columns)
    X, y = pd.concat([own, twin.iloc[:150]]), np.repeat([1, -1], [300, 150])
    suspects, verdicts = pd.concat([own.iloc[:20], twin.iloc[150:300]]), []
    for scale in (1.0, units):
        preparer = TablePreparer(decimals=None).fit(twin * scale)
        attributor = for_tables(attributors(owner)[name], preparer).fit(X * scale, y)
        verdicts.append(attributor.predict(suspects * scale))
    assert len(np.unique(verdicts[0])) == 2
    np.testing.assert_array_equal(*verdicts)


def test_data_frames_and_files(owner, preparer, tmp_path):
    own, real = rows_of(owner, preparer, 300), load_redwine()
    attributor = for_tables(attributors(owner)["flipad"], preparer)
    attributor.fit(pd.concat([own, real[:150]]), np.repeat([1, -1], [300, 150]))
    scores = attributor.score_samples(real[150:250])
    other_order = real[150:250].iloc[:, ::-1]
    np.testing.assert_array_equal(attributor.score_samples(other_order), scores)
    np.testing.assert_array_equal(attributor.score_samples(real[200:201]), scores[50:51])
    save_attributor(attributor, tmp_path / "file")
    again = load_attributor(tmp_path / "file")
    np.testing.assert_array_equal(again.score_samples(real[150:250]), scores)
    with pytest.raises(ValueError, match=r"lacks the columns \['pH'\]"):
        again.predict(real.drop(columns="pH"))
    activations = attributor[:-1].set_output(transform="pandas").transform(own)
    assert activations.shape == (300, 300)
    assert activations.columns[0] == "finallayerinverter0"


def test_tables_of_others_are_told_without_training(owner, preparer):
    noise = preparer.rounding()
    search = {"n_starts": 8, "n_drawn": 20_000, "max_iter": 15}
    attributor = for_tables(make_posterior(owner, noise=noise, fnr=0.05, **search), preparer)
    attributor.fit(rows_of(owner, preparer, 192))
    own = attributor.evidence(rows_of(owner, preparer, 64, seed=1)).p_own
    assert simes_p_value(own) > 0.01
    for other in (load_redwine()[:64], rows_of(load_pretrained("redwine/kl-wgan-3"), preparer, 64)):
        p_own = attributor.evidence(other).p_own
        # 192 rows that calibrate: no p-value is smaller than 1 / 193.
        assert simes_p_value(p_own) < 0.05
        assert (p_own < 0.05).mean() > 0.4
