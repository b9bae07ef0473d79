"""The displays draw what they are given."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from sklearn_flipad import DCTTransformer, FNRThresholdCalibrator
from sklearn_flipad.perturbations import GaussianBlur, GaussianNoise
from sklearn_flipad.plotting import (
    FeatureMapDisplay,
    PerturbationDisplay,
    SampleGridDisplay,
    ScoreHistogramDisplay,
)

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def test_score_histogram():
    scores = np.r_[np.linspace(0, 1, 50), np.linspace(-5, -4, 50)]
    source = np.repeat(["own", "other"], 50)
    options = {"offset": -1.0, "own": "own", "bins": 10}
    display = ScoreHistogramDisplay.from_predictions(scores, source, **options)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert set(labels) == {"own", "other", "threshold"}
    np.testing.assert_array_equal(display.scores["other"], scores[50:])
    assert any(np.allclose(line.get_xdata(), -1) for line in display.ax_.lines)


def test_score_histogram_from_estimator():
    X = np.random.default_rng(0).normal(size=(200, 2))
    estimator = FNRThresholdCalibrator(IsolationForest(random_state=0), fnr=0.1).fit(X)
    display = ScoreHistogramDisplay.from_estimator(estimator, X, ["a"] * 200)
    assert display.offset == estimator.offset_
    np.testing.assert_allclose(display.scores["a"], estimator.score_samples(X))


def test_feature_maps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 5, 8, 8))
    X[10:, 3] += 4
    source = np.repeat(["own", "other"], 10)
    display = FeatureMapDisplay.from_features(X, source, channels=1)
    assert display.channels == [3]
    np.testing.assert_allclose(display.maps[1, 0], X[10:, 3].mean(axis=0))
    assert display.axes_.shape == (1, 2)
    assert [ax.get_title() for ax in display.axes_[0]] == ["own", "other"]
    chosen = FeatureMapDisplay.from_features(X, source, channels=[4, 0])
    assert chosen.channels == [4, 0]
    with pytest.raises(ValueError, match="must have shape"):
        FeatureMapDisplay.from_features(X[:, 0], source)


def test_feature_maps_from_transformer():
    X = np.random.default_rng(0).normal(size=(6, 2, 8, 8))
    display = FeatureMapDisplay.from_estimator(DCTTransformer(), X, ["a", "b"] * 3, channels=2)
    np.testing.assert_allclose(display.maps[0], DCTTransformer().transform(X[::2]).mean(axis=0))


def test_sample_grid(dcgan):
    display = SampleGridDisplay.from_generators({"a": dcgan, "b": dcgan}, n_samples=3)
    assert display.axes_.shape == (2, 3)
    drawn = display.axes_[1, 2].images[0].get_array()
    np.testing.assert_array_equal(drawn, display.images["b"][2, 0])
    assert display.axes_[1, 0].get_ylabel() == "b"


def test_sample_grid_with_rows_of_unequal_length_and_colours():
    rng = np.random.default_rng(0)
    images = {"one": rng.uniform(-1, 1, (1, 3, 4, 4)), "two": rng.uniform(-1, 1, (2, 3, 4, 4))}
    display = SampleGridDisplay.from_samples(images)
    assert not display.axes_[0, 1].axison
    drawn = display.axes_[1, 1].images[0].get_array()
    np.testing.assert_allclose(drawn, np.moveaxis(images["two"][1], 0, 2) / 2 + 0.5)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        SampleGridDisplay.from_samples({"x": np.zeros((1, 2, 4, 4))})


def test_perturbations():
    X = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8)).astype(np.uint8)
    blur, noise = GaussianBlur(3, sigma=1.0), GaussianNoise(0.1, random_state=0)
    display = PerturbationDisplay.from_perturbations({"blur": blur, "noise": noise}, X)
    assert [ax.get_title() for ax in display.axes_[0]] == ["original", "blur", "noise"]
    drawn = display.axes_[1, 1].images[0].get_array()
    np.testing.assert_array_equal(drawn, blur.fit_transform(X)[1, 0])
    titles = PerturbationDisplay.from_perturbations([blur], X).axes_[0]
    assert "GaussianBlur" in titles[1].get_title()
