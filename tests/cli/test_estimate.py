"""``flipad fit`` estimates its time from a small part of its work, and says how to shorten it."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

pytest.importorskip("typer")
from typer.testing import CliRunner

from sklearn_flipad import (
    DeepSADDetector,
    LatentEncoder,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_sminv,
)
from sklearn_flipad.cli import estimate
from sklearn_flipad.cli.app import app
from sklearn_flipad.cli.estimate import estimated_seconds, shown_estimate
from sklearn_flipad.generators import sample
from sklearn_flipad.pipelines.methods import TargetModel

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 64), nn.Tanh())
    generator = nn.Sequential(body, nn.Unflatten(1, SHAPE)).eval()
    return TargetModel(generator, latents={"latent_shape": (4,)}, random_state=0)


@pytest.fixture(scope="module")
def negatives():
    return np.random.default_rng(0).integers(0, 256, (50, *SHAPE), dtype=np.uint8)


@pytest.fixture
def clock(monkeypatch):
    """A clock on which each call of a function takes a second."""
    monkeypatch.setattr(estimate, "_time", lambda function: (function(), 1.0)[1])


def detector(max_epochs=20):
    return DeepSADDetector(max_epochs=max_epochs, random_state=0)


def test_parts_of_flipad(model, negatives):
    parts = estimated_seconds(
        lambda model: make_flipad(model.final_layer, detector=detector()),
        model,
        None,
        negatives,
        1000,
        traces=True,
    )
    assert list(parts) == [
        "tracing the final layer",
        "drawing samples",
        "features",
        "training the detector",
    ]
    assert all(seconds >= 0 for seconds in parts.values())
    assert "final_layer" not in vars(model)  # that of a few samples is for the estimate alone


def test_time_grows_with_samples_and_epochs(model, negatives, monkeypatch):
    monkeypatch.setattr(estimate, "_pace", lambda *args: 256.0)

    def training(n_own, epochs):
        def make(model):
            return make_rawpad(detector=detector(epochs), cv=0.5)

        X = sample(model.module, 20, latent_shape=4, random_state=0)
        parts = estimated_seconds(make, model, X, negatives, n_own, traces=False)
        return parts["training the detector"]

    assert training(950, 20) == 1000 * 0.5 * 20
    assert training(950, 40) == 2 * training(950, 20) == training(1950, 20)


def test_windows_count(model, negatives, monkeypatch):
    monkeypatch.setattr(estimate, "_pace", lambda *args: 256.0)

    def make(model):
        return make_rawpad(detector=detector(1), cv=0.5, windows=4)

    X = sample(model.module, 20, latent_shape=4, random_state=0)
    parts = estimated_seconds(make, model, X, negatives, 950, traces=False)
    n_windows = make(model)["detect"].estimator.n_windows(X[:1])[0]
    assert n_windows > 1
    assert parts["training the detector"] == 500 * n_windows


def test_searches(model, negatives, clock):
    X = sample(model.module, 20, latent_shape=4, random_state=0)

    def parts(make):
        return estimated_seconds(make, model, X, negatives, 1000, traces=False)

    found = parts(
        lambda model: make_reproduction(
            model.module, encoder=LatentEncoder(max_steps=100), latent_shape=4
        )
    )
    assert list(found) == ["training the encoder, at most", "searching, at most"]
    assert found["searching, at most"] == (0.5 * 1050 + 256) / 16
    found = parts(lambda model: make_sminv(model.module, latent_shape=4, n_restarts=2))
    assert found == {"searching, at most": 2 * 1050 / 16}


def test_the_work_says_what_is_wrong(model, negatives):
    def broken(model):
        raise ValueError("no such layer")

    X = sample(model.module, 20, latent_shape=4, random_state=0)
    assert estimated_seconds(broken, model, X, negatives, 100, traces=False) is None


def test_the_longest_part_comes_first_with_advice():
    text = shown_estimate({"features": 30.0, "training the detector": 570.0, "x": 0.1}, "cpu")
    assert text == (
        "this takes about 10 min (training the detector 10 min, features 30 s). Shorter: fewer "
        "--epochs; or a GPU"
    )


CODE = """
import torch
from torch import nn

def trained():
    torch.manual_seed(1234)  # no other test has prepared this layer
    body = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 64), nn.Tanh())
    return nn.Sequential(body, nn.Unflatten(1, (1, 8, 8)))
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory, negatives):
    folder = tmp_path_factory.mktemp("estimates")
    (folder / "timed_models.py").write_text(CODE)
    (folder / "negatives").mkdir()
    for k, image in enumerate(negatives):
        Image.fromarray(image[0]).save(folder / "negatives" / f"{k}.png")
    return folder


def test_each_command_says_what_it_does(studio):
    runner = CliRunner()

    def flipad(*arguments):
        done = runner.invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.stderr
        return done.stderr

    name, negatives = f"{studio / 'timed_models.py'}:trained", studio / "negatives"
    out, table = studio / "model.flipad", studio / "verdicts.csv"
    fit = ["fit", name, "--latent-shape", 4, "--negatives", negatives, "--out", out]
    fit += ["--samples", 120, "--fnr", 0.05, "--epochs", 2, "--fpr", 0.2, "--overwrite"]
    said = flipad(*fit)
    estimated = re.search(r"- this takes about [\d.]+ \w+.*Shorter: ", said)
    assert estimated
    assert "- reading files: 50\n" in said[: estimated.start()]
    rest = said[estimated.end() :]
    for line in ("sampling: 5,000", "preparing the inversion", "inverting: 170", "epochs: 2"):
        assert line in rest
    score = ["score", out, negatives, "--out", table, "--fpr", 0.2]
    assert "- scoring files: 50\n" in flipad(*score)
    report = ["report", table, "-a", out, "--out", studio / "report.html"]
    assert "- looking at suspects: 20\n" in flipad(*report)
    assert flipad(*fit, "--quiet").strip() == ""
