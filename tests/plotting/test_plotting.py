"""Displays: pictures of the arrays and estimators that they are given."""

import matplotlib as mpl
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.svm import OneClassSVM

from sklearn_flipad import (
    DCTTransformer,
    FinalLayer,
    FinalLayerInverter,
    FNRThresholdCalibrator,
    OpenSetAttributor,
)
from sklearn_flipad.evaluation.perturbations import GaussianBlur, GaussianNoise
from sklearn_flipad.evaluation.sound_perturbations import Gain
from sklearn_flipad.generators import sample
from sklearn_flipad.plotting import (
    DistanceHistogramDisplay,
    FeatureMapDisplay,
    InversionDisplay,
    PerturbationDisplay,
    PredictionSetDisplay,
    PValueDisplay,
    ReproductionDisplay,
    SampleGridDisplay,
    ScoreHistogramDisplay,
)
from sklearn_flipad.reproduction import ReconstructionResult

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


@pytest.fixture(scope="module")
def calibrated():
    """A calibrator without a reference population, and one with photographs for it."""
    X = np.random.default_rng(0).normal(size=(400, 2))
    without = FNRThresholdCalibrator(IsolationForest(random_state=0), fnr=0.1, random_state=0)
    calibrator = clone(without).fit(X)
    return without.fit(X), calibrator.calibrate_reference(X + 2.5, name="photographs")


def test_score_histogram_from_calibration(calibrated):
    without, calibrator = calibrated
    X = np.random.default_rng(1).normal(size=(30, 2))
    display = ScoreHistogramDisplay.from_calibration(calibrator, X, fnr=0.2, fpr=0.1)
    assert list(display.scores) == ["own samples held out", "photographs", "suspects"]
    np.testing.assert_array_equal(display.scores["photographs"], -calibrator.reference_scores_)
    np.testing.assert_array_equal(display.scores["suspects"], calibrator.score_samples(X))
    evidence = calibrator.evidence(X, fnr=0.2, fpr=0.1)
    undecided = evidence.verdicts == "undecided"
    low, high = sorted([display.offset, display.reference_offset])
    scores = display.scores["suspects"]
    np.testing.assert_array_equal(undecided, (scores >= low) & (scores <= high))
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert {"undecided", "threshold of the reference"} <= set(labels)
    display = ScoreHistogramDisplay.from_calibration(without)
    assert display.reference_offset is None
    assert display.offset == without.offset_
    assert list(display.scores) == ["own samples held out"]


def test_p_values(calibrated):
    without, calibrator = calibrated
    X, source = np.random.default_rng(1).normal(size=(30, 2)), ["a", "b"] * 15
    display = PValueDisplay.from_estimator(calibrator, X, source, fpr=0.1)
    points = display.ax_.collections[-1].get_offsets()
    evidence = calibrator.evidence(X)
    expected = np.c_[evidence.p_own, evidence.p_reference][1::2]
    np.testing.assert_array_equal(points, expected)
    assert display.ax_.get_ylabel().endswith("photographs")
    assert (display.fnr, display.fpr) == (0.1, 0.1)
    with pytest.raises(ValueError, match="no p-values against a reference"):
        PValueDisplay.from_estimator(without, X)
    with pytest.raises(ValueError, match="30 suspects, got 2 names"):
        PValueDisplay.from_evidence(evidence, ["a", "b"])


def test_prediction_sets():
    X = np.random.default_rng(0).normal(size=(900, 2)) + np.repeat([0, 2, 9], 300)[:, None]
    source = np.repeat(["a", "b", "other"], 300)
    part = FNRThresholdCalibrator(OneClassSVM(), fnr=0.05, random_state=0)
    attributor = OpenSetAttributor([("a", part), ("b", part)]).fit(X, source)
    order = np.random.default_rng(1).permutation(900)
    display = PredictionSetDisplay.from_estimator(attributor, X[order], source[order], fnr=0.1)
    sets = attributor.predict_set(X, fnr=0.1)
    assert display.models == ["a", "b"]
    assert set(display.sources) == {"a", "b", "other"}
    for name, shares, sizes in zip(display.sources, display.shares, display.sizes, strict=True):
        own = sets[source == name]
        np.testing.assert_allclose(shares, own.mean(axis=0))
        np.testing.assert_allclose(sizes, [(own.sum(axis=1) == k).mean() for k in range(3)])
    matrix, bars = display.axes_
    np.testing.assert_array_equal(matrix.images[0].get_array(), display.shares)
    assert [label.get_text() for label in matrix.get_yticklabels()] == display.sources
    widths = [[patch.get_width() for patch in group] for group in bars.containers]
    np.testing.assert_allclose(np.transpose(widths), display.sizes)
    np.testing.assert_allclose(np.sum(widths, axis=0), 1)
    with pytest.raises(ValueError, match="each of the 900 suspects"):
        PredictionSetDisplay.from_estimator(attributor, X, source[:5])


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
    X = np.random.default_rng(0).uniform(-1, 1, size=(6, 2, 8, 8))
    display = FeatureMapDisplay.from_estimator(DCTTransformer(), X, ["a", "b"] * 3, channels=2)
    np.testing.assert_allclose(display.maps[0], DCTTransformer().transform(X[::2]).mean(axis=0))


def test_sample_grid(dcgan):
    display = SampleGridDisplay.from_generators({"a": dcgan, "b": dcgan}, n_samples=3)
    assert display.axes_.shape == (2, 3)
    drawn = display.axes_[1, 2].images[0].get_array()
    np.testing.assert_array_equal(drawn, display.images["b"][2, 0])
    assert display.axes_[1, 0].get_ylabel() == "b"


def test_sample_grid_with_rows_of_unequal_length_and_colors():
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


def test_signals_as_spectrograms():
    time = np.arange(4000)
    tones = [np.sin(2 * np.pi * f * time) for f in (0.125, 0.25)]
    signals = {"low": tones[0][None, None], "high": 0.1 * tones[1][None, None]}
    display = SampleGridDisplay.from_samples(signals, kind="spectrogram")
    low, high = (ax.images[0] for ax in display.axes_[:, 0])
    assert low.get_array().shape[0] == 257
    assert (low.get_array().argmax(axis=0) == 64).all()
    assert (high.get_array().argmax(axis=0) == 128).all()
    assert low.get_array().max() - high.get_array().max() == pytest.approx(20, abs=0.1)
    assert low.get_clim() == high.get_clim() == (low.get_array().max() - 80, low.get_array().max())
    display = PerturbationDisplay.from_perturbations(
        [Gain(-20)], signals["low"], kind="spectrogram"
    )
    before, after = (ax.images[0].get_array().max() for ax in display.axes_[0])
    assert before - after == pytest.approx(20, abs=0.1)
    for wrong in (np.zeros((1, 2, 400)), np.zeros((1, 1, 15)), np.zeros((1, 400))):
        with pytest.raises(ValueError, match=r"shape \(n, 1, length\)"):
            SampleGridDisplay.from_samples({"a": wrong}, kind="spectrogram")
    with pytest.raises(ValueError, match="kind must be"):
        SampleGridDisplay.from_samples(signals, kind="sound")


@pytest.fixture(scope="module")
def inverted(dcgan, dcgan_layer):
    """An inverter, three samples and their activations."""
    inverter = FinalLayerInverter(dcgan_layer, lam=1e-2)
    X = sample(dcgan, 3, random_state=0)
    return inverter, X, inverter.invert(X).activations


def test_inversion(inverted):
    inverter, X, activations = inverted
    display = InversionDisplay.from_estimator(inverter, X, ["a", "b", "c"], channels=[7, 2])
    assert display.axes_.shape == (3, 5)
    assert [ax.get_ylabel() for ax in display.axes_[:, 0]] == ["a", "b", "c"]
    titles = [ax.get_title() for ax in display.axes_[0]]
    assert titles == ["sample", "reconstruction", "residual", "channel 7", "channel 2"]
    samples = X / 127.5 - 1
    reconstructions = inverter.inverse_transform(activations)
    changes = activations - inverter.final_layer.mean_activation
    np.testing.assert_allclose(display.residuals, samples - reconstructions, atol=1e-12)
    np.testing.assert_allclose(display.changes, changes[:, [7, 2]])
    drawn = [ax.images[0] for ax in display.axes_[1]]
    np.testing.assert_allclose(drawn[0].get_array(), X[1, 0] / 255, atol=1e-12)
    np.testing.assert_allclose(drawn[1].get_array(), reconstructions[1, 0] / 2 + 0.5)
    np.testing.assert_allclose(drawn[2].get_array(), display.residuals[1, 0])
    np.testing.assert_allclose(drawn[4].get_array(), changes[1, 2])


def test_inversion_scales_are_symmetrical_and_shared_by_the_rows(inverted):
    inverter, X, _ = inverted
    display = InversionDisplay.from_estimator(inverter, X)
    for columns, values in [((2,), display.residuals), ((3, 4, 5), display.changes)]:
        limit = np.abs(values).max()
        for ax in display.axes_[:, columns].ravel():
            np.testing.assert_allclose(ax.images[0].get_clim(), (-limit, limit))
    # Two color bars beside the 18 axes.
    assert len(display.figure_.axes) == 3 * 6 + 2


def test_inversion_takes_the_channels_that_change_most(inverted):
    inverter, X, activations = inverted
    display = InversionDisplay.from_estimator(inverter, X, channels=2)
    size = np.abs(activations - inverter.final_layer.mean_activation).mean(axis=(0, 2, 3))
    assert display.channels == sorted(np.argsort(size)[-2:])
    assert display.axes_[0, 0].get_ylabel() == ""


def test_inversion_of_flattened_samples_and_with_pooling(inverted):
    inverter, X, _ = inverted
    expected = InversionDisplay.from_estimator(inverter, X)
    pooled = FinalLayerInverter(inverter.final_layer, lam=inverter.lam, pool_size=2)
    display = InversionDisplay.from_estimator(pooled, X.reshape(3, -1))
    np.testing.assert_allclose(display.changes, expected.changes)
    np.testing.assert_allclose(display.residuals, expected.residuals)


def test_inversion_of_colors_with_an_unbounded_activation():
    torch.manual_seed(0)
    module = torch.nn.Conv2d(4, 3, 3, padding=1)
    inverter = FinalLayerInverter(FinalLayer.from_module(module, input_shape=(4, 6, 6)), lam=1.0)
    X = np.random.default_rng(0).normal(size=(2, 3, 6, 6))
    display = InversionDisplay.from_estimator(inverter, X, channels=1)
    assert display.output_range == (X.min(), X.max())
    drawn = display.axes_[1, 2].images[0].get_array()
    np.testing.assert_allclose(np.abs(drawn), np.abs(display.residuals[1]).max(axis=0))
    assert drawn.min() < 0 < drawn.max()


def test_inversion_that_changes_nothing():
    flat = np.zeros((1, 1, 4, 4))
    display = InversionDisplay(flat, flat, flat, channels=[0]).plot()
    assert display.axes_[0, 2].images[0].get_clim() == (-1, 1)


def test_inversion_refuses_what_it_cannot_draw(linear_layer, inverted):
    with pytest.raises(ValueError, match=r"got one from \(12,\) to \(5,\)"):
        InversionDisplay.from_estimator(FinalLayerInverter(linear_layer), np.zeros((2, 5)))
    inverter, X, _ = inverted
    with pytest.raises(ValueError, match="each of the 3 samples, got 2 names"):
        InversionDisplay.from_estimator(inverter, X, ["a", "b"])
    for channels in (0, 33, [], [-1], [32]):
        with pytest.raises(ValueError, match="a number from 1 to 32"):
            InversionDisplay.from_estimator(inverter, X, channels=channels)


def _result(X, made, distances):
    n = len(X)
    return ReconstructionResult(
        latents=np.zeros((n, 2)),
        conditions=np.zeros(n, int),
        reconstructions=made,
        distances=np.array(distances),
        reproduced=np.array(distances) < 0.3,
        outcomes=np.repeat("undecided", n),
        equal=(made == X).reshape(n, -1).mean(axis=1),
        n_iter=np.ones(n, int),
        boxes=np.full((n, 4), np.nan),
    )


def test_reproductions_beside_their_suspects():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, (2, 1, 6, 6)).astype(np.uint8)
    made = X.copy()
    made[1, 0, 2, 3] += 1
    display = ReproductionDisplay(X, _result(X, made, [0.28, 1.0]), names=["own", "other"]).plot()
    assert display.axes_.shape == (2, 3)
    difference = display.axes_[1, 2].images[0].get_array()
    assert difference[2, 3] == -1
    assert np.count_nonzero(difference) == 1
    assert "97% equal" in display.axes_[1, 2].get_xlabel()
    assert display.axes_[0, 0].get_ylabel() == "own"
    with pytest.raises(ValueError, match="gray levels"):
        ReproductionDisplay(X / 255, _result(X, made, [0.28, 1.0])).plot()


def test_reproductions_of_an_attributor():
    class Detector:
        def reconstruct(self, X):
            return _result(X, X, np.full(len(X), 0.28))

    class Calibrator:
        estimator_ = Detector()

    X = np.zeros((3, 3, 4, 4), np.uint8)
    assert ReproductionDisplay.from_estimator(Calibrator(), X).result.equal.tolist() == [1, 1, 1]


def test_distances_on_a_logarithmic_axis():
    rng = np.random.default_rng(0)
    distances = np.concatenate([rng.uniform(0.27, 0.29, 40), rng.uniform(5, 20, 60)])
    source = np.repeat(["own", "other"], [40, 60])
    display = DistanceHistogramDisplay.from_predictions(
        distances, source, threshold=0.3, floor=0.289, own="own"
    )
    assert display.ax_.get_xscale() == "log"
    labels = {text.get_text() for text in display.ax_.get_legend().get_texts()}
    assert labels == {"own", "other", "threshold", "floor"}
    assert all(edge > 0 for edge in display.ax_.get_xlim())


def test_distances_from_calibration_show_what_is_undecided(calibrated):
    without, calibrator = calibrated
    X = np.random.default_rng(1).normal(size=(30, 2))
    display = DistanceHistogramDisplay.from_calibration(calibrator, X, fnr=0.2, fpr=0.1)
    evidence = calibrator.evidence(X, fnr=0.2, fpr=0.1)
    distances = display.distances["suspects"]
    np.testing.assert_array_equal(distances, evidence.anomaly_scores)
    low, high = sorted([display.threshold, display.reference_threshold])
    undecided = evidence.verdicts == "undecided"
    assert undecided.any()
    np.testing.assert_array_equal(undecided, (distances >= low) & (distances <= high))
    labels = {text.get_text() for text in display.ax_.get_legend().get_texts()}
    assert {"undecided", "threshold", "threshold of the reference", "photographs"} <= labels
    display = DistanceHistogramDisplay.from_calibration(without, floor=0.1)
    labels = {text.get_text() for text in display.ax_.get_legend().get_texts()}
    assert labels == {"own samples held out", "threshold", "floor"}
