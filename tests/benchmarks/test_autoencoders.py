"""The benchmark of latent diffusion, with autoencoders that are hardly trained."""

import importlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_flipad import FinalLayer
from sklearn_flipad.datasets import load_fashion_sample

pytest.importorskip("diffusers")
TINY = {"block_out_channels": (4, 4, 4), "norm_num_groups": 2}


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
        parts = [importlib.import_module(name) for name in ("autoencoders", "latent_diffusion")]
        patch.setattr(parts[0], "load_fashion_mnist", load_fashion_sample)
        yield parts


@pytest.fixture(scope="module")
def vaes(scripts, tmp_path_factory):
    """Those of all names, kept in a folder."""
    autoencoders, folder = scripts[0], tmp_path_factory.mktemp("autoencoders")
    return {
        name: autoencoders.autoencoder(
            name, folder, config=autoencoders.CONFIG | TINY, n_steps=5, n_steps_on=3
        )
        for name in ("0", "1", "2", autoencoders.TUNED)
    }


@pytest.fixture
def data(scripts, vaes, monkeypatch):
    """Few samples of each source."""
    benchmark = scripts[1]
    setting = benchmark.Setting(n_own=80, n_real=20, n_test=10, max_epochs=1)
    monkeypatch.setattr(benchmark, "SETTING", setting)
    return benchmark.data_of("0", vaes, load_fashion_sample(200), setting)


def test_trained_on_is_the_decoder_alone(scripts, vaes):
    first, tuned = vaes["0"].state_dict(), vaes[scripts[0].TUNED].state_dict()
    changed = {name.partition(".")[0] for name in first if not first[name].equal(tuned[name])}
    assert changed == {"decoder"}
    assert not vaes["1"].decoder.conv_out.weight.equal(vaes["0"].decoder.conv_out.weight)


def test_kept_ones_are_loaded(scripts, tmp_path):
    autoencoders = scripts[0]
    options = {"config": autoencoders.CONFIG | TINY, "n_steps": 1}
    made = autoencoders.autoencoder("0", tmp_path, **options)
    file = tmp_path / "autoencoder-0" / "diffusion_pytorch_model.safetensors"
    written = file.stat().st_mtime_ns
    loaded = autoencoders.autoencoder("0", tmp_path, **options)
    assert file.stat().st_mtime_ns == written
    z = torch.zeros(1, 4, 8, 8)
    torch.testing.assert_close(loaded.decode(z).sample, made.decode(z).sample)


def test_no_real_image_serves_twice(scripts, vaes, monkeypatch):
    benchmark, seen = scripts[1], []
    setting = benchmark.Setting(n_own=8, n_real=4, n_test=3)
    monkeypatch.setattr(benchmark, "SETTING", setting)
    names = []

    def images_of(name, vaes, x):
        names.append(name)
        seen.extend(x)
        return x

    monkeypatch.setattr(benchmark, "images_of", images_of)
    for (owner, others), negatives in product(benchmark.OWNERS.items(), ("real", "2")):
        seen.clear()
        names.clear()
        X, y, tests = benchmark.data_of(owner, vaes, np.arange(100), setting, negatives)
        assert len(set(seen)) == len(seen) == 8 + 4 + 3 * (1 + len(others))
        assert {*X} < {*seen}
        assert (y > 0).sum() == 8
        assert names == [owner, negatives, owner, *others]
        assert list(tests) == [owner, *others]


def test_the_model_of_the_same_decoder_has_other_latents(scripts, vaes):
    benchmark = scripts[1]
    real = load_fashion_sample(20)
    own, shared = (benchmark.images_of(name, vaes, real) for name in ("0", benchmark.SHARED))
    assert (own != shared).any()
    layers = [
        FinalLayer.from_diffusers(vaes[name], n_samples=4, random_state=0)
        for name in ("0", "1", "2", scripts[0].TUNED)
    ]
    assert len({layer.map_fingerprint for layer in layers}) == 4


@pytest.mark.filterwarnings("ignore:.*too few to whiten")
@pytest.mark.parametrize(
    "method",
    ["SM-F", "RawPAD", "DCTPAD", "FLIPAD, 3 channels", "FLIPAD", "whitened preactivation"],
)
def test_attributors_judge(scripts, vaes, data, method):
    benchmark = scripts[1]
    X, y, tests = data
    latents = scripts[0].encoded(vaes["0"], load_fashion_sample(20), seed=0)
    attributor = benchmark.make_attributor(method, vaes["0"], latents)
    rows = benchmark.judge_attributor(
        attributor, X, y, tests, owner="0", method=method, fnrs=(benchmark.FNR,)
    )
    assert [row["source"] for row in rows] == list(benchmark.OWNERS["0"])
    assert all(0 <= row["accuracy"] <= 1 for row in rows)


@pytest.mark.parametrize("method", ["AEROBLADE", "LatentTracer", "reproduction"])
def test_searches_start_at_the_own_encoder(scripts, vaes, method):
    benchmark = scripts[1]
    attributor = benchmark.make_attributor(method, vaes["0"], None)
    detector = attributor["detect"].estimator
    assert detector.encoder.vae is vaes["0"]
    assert (detector.max_iter == 0) == (method == "AEROBLADE")
    assert (detector.n_calibration == 0) == (method != "reproduction")


def test_the_guess_is_the_mean_of_latents(scripts, vaes):
    x = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        mean = vaes["0"].encode(2 * x - 1).latent_dist.mean
        torch.testing.assert_close(scripts[1].Guess(vaes["0"])(x), mean)


def test_table_of_the_documentation(scripts):
    def row(owner, accepted, **accuracies):
        found = [
            {"source": source, "accuracy": accuracy, "found_fnr": [1 - accepted, 0, 1]}
            for source, accuracy in accuracies.items()
        ]
        return {"owner": owner, "method": "FLIPAD", "rows": found}

    summarize = importlib.import_module("summaries").latent_diffusion
    table = summarize([row("0", 0.94, one=0.97, real=0.5), row("1", 1.0, real=0.75)])
    assert table.columns.tolist() == ["owner", "method", "own accepted", "one", "real"]
    assert table.to_numpy().tolist() == [
        ["0", "FLIPAD", "0.940", "0.970", "0.500"],
        ["1", "FLIPAD", "1.000", "", "0.750"],
    ]
