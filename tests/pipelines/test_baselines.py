"""SM-F and SM-Inv."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from benchmarks.zoo.initialization import initialize_weights
from sklearn_flipad import (
    FingerprintDetector,
    FNRThresholdCalibrator,
    SMInvDetector,
    make_smf,
    make_sminv,
)
from sklearn_flipad.detectors._prnu import noise_residual, wiener_adaptive
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction import FeatureDistance
from sklearn_flipad.reproduction._inception import inception_distance
from sklearn_flipad.reproduction.search.distances import euclidean_distance
from sklearn_flipad.zoo import ConditionalDCGANGenerator, DCGANGenerator


@pytest.fixture(scope="module")
def color():
    return np.random.default_rng(0).integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)


def test_wiener_filter_by_hand():
    """One coefficient of 12 among zeros, noise variance 2."""
    x = np.zeros((1, 11, 11))
    x[0, 5, 5] = 12
    # Local mean squares 144/9, 144/25, 144/49, 144/81: the least excess is max(16/9 - 2, 0).
    assert wiener_adaptive(x, 2.0)[0, 5, 5] == 12
    # With noise variance 1 it is 144/81 - 1 = 7/9, and the factor 1 / (7/9 + 1).
    assert wiener_adaptive(x, 1.0)[0, 5, 5] == pytest.approx(12 * 9 / 16)
    assert np.count_nonzero(wiener_adaptive(x, 1.0)) == 1


def test_residual_by_an_independent_computation():
    """Haar, one level, computed from sums and differences of 2x2 blocks."""
    image = np.random.default_rng(1).integers(0, 256, (8, 8)).astype(float)
    a, b, c, d = image[::2, ::2], image[::2, 1::2], image[1::2, ::2], image[1::2, 1::2]
    signs = [(1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1)]
    bands = [(p * a + q * b + r * c + s * d) / 2 for p, q, r, s in signs]
    restored = np.zeros((8, 8))
    for band, (p, q, r, s) in zip(bands, signs, strict=True):
        noise = _filtered(band, 25.0)
        for rows, columns, sign in ((0, 0, p), (0, 1, q), (1, 0, r), (1, 1, s)):
            restored[rows::2, columns::2] += sign * noise / 2
    restored -= restored.mean()
    for i in (0, 1):
        for j in (0, 1):
            grid = restored[i::2, j::2]
            grid -= grid.mean(axis=0)
            grid -= grid.mean(axis=1)[:, None]
    spectrum = np.fft.fft2(restored)
    magnitude = np.abs(spectrum) / 8
    noise = _filtered(magnitude, restored.var(ddof=1))
    with np.errstate(invalid="ignore"):
        gain = np.nan_to_num(noise / magnitude)
    expected = np.fft.ifft2(spectrum * gain).real
    found = noise_residual(image[None, None], wavelet="haar", levels=1)
    np.testing.assert_allclose(found[0], expected, atol=1e-10)
    assert np.abs(expected).max() > 1


def _filtered(x, noise):
    """The adaptive Wiener filter by loops over pixels and windows."""
    out = np.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            excess = []
            for half in (1, 2, 3, 4):
                window = x[max(i - half, 0) : i + half + 1, max(j - half, 0) : j + half + 1]
                excess.append(max((window**2).sum() / (2 * half + 1) ** 2 - noise, 0))
            out[i, j] = x[i, j] * noise / (min(excess) + noise)
    return out


def test_colors_become_gray(color):
    gray = np.repeat(color[:, :1], 3, axis=1)
    np.testing.assert_allclose(
        noise_residual(gray.astype(float)), noise_residual(gray[:, :1].astype(float)), atol=1e-8
    )


def test_fingerprint_recognizes_a_pattern():
    rng = np.random.default_rng(0)
    pattern = rng.normal(0, 4, (1, 1, 32, 32))

    def photographs(n, with_pattern):
        smooth = rng.uniform(60, 190, (n, 1, 4, 4)).repeat(8, axis=2).repeat(8, axis=3)
        noise = rng.normal(0, 3, (n, 1, 32, 32)) + (pattern if with_pattern else 0)
        return np.clip(np.rint(smooth + noise), 0, 255).astype(np.uint8)

    detector = FNRThresholdCalibrator(FingerprintDetector(), fnr=0.05, random_state=0)
    detector.fit(photographs(200, True))
    assert (detector.predict(photographs(100, True)) == 1).mean() > 0.85
    assert (detector.predict(photographs(100, False)) == -1).mean() > 0.95


def test_streaming_equals_fitting(color):
    whole = FingerprintDetector().fit(color)
    stream = FingerprintDetector()
    for start in range(0, 12, 5):
        stream.partial_fit(color[start : start + 5])
    np.testing.assert_allclose(stream.fingerprint_, whole.fingerprint_, atol=1e-12)
    assert stream.n_samples_seen_ == 12
    assert stream.offset_ == 0
    np.testing.assert_allclose(stream.score_samples(color), whole.score_samples(color))
    with pytest.raises(ValueError, match="X has 1536 features"):
        stream.partial_fit(color[:, :, :16])
    assert stream.n_samples_seen_ == 12


def test_fingerprint_is_of_the_models_samples_alone(color):
    y = np.repeat([1, -1, 0], 4)
    among = FingerprintDetector().fit(color, y)
    np.testing.assert_array_equal(
        among.fingerprint_, FingerprintDetector().fit(color[:4]).fingerprint_
    )
    with pytest.raises(ValueError, match=r"no sample labeled \+1"):
        FingerprintDetector().fit(color, np.full(12, -1))
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        FingerprintDetector().fit(color[:, :2])
    with pytest.raises(ValueError, match="got \\(12, 96, 32\\)"):
        FingerprintDetector().fit(color.reshape(12, 96, 32))


@pytest.mark.parametrize(
    "options", [{"n_jobs": 2}, {"batch_size": 5}, {"image_shape": (3, 32, 32)}]
)
def test_fingerprint_scores_depend_on_nothing_else(color, options):
    detector = FingerprintDetector().fit(color)
    expected = detector.score_samples(color)
    other = FingerprintDetector(**options)
    X = color.reshape(12, -1) if "image_shape" in options else color
    np.testing.assert_allclose(other.fit(X).score_samples(X), expected, atol=1e-12)
    np.testing.assert_allclose(detector.score_samples(color[3:4]), expected[3:4], atol=1e-12)


@pytest.fixture(scope="module")
def small():
    generator = initialize_weights(DCGANGenerator(4, (8, 8), 1), 0).eval()
    for parameter in generator.parameters():
        parameter.data.mul_(8)
    return generator


def _detector(generator, **options):
    defaults = {"n_restarts": 4, "max_iter": 150, "random_state": 1}
    return SMInvDetector(generator, **{**defaults, **options})


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_own_samples_are_recovered(small, optimizer):
    own = sample(small, 10, random_state=0)
    other = initialize_weights(DCGANGenerator(4, (8, 8), 1), 5).eval()
    for parameter in other.parameters():
        parameter.data.mul_(8)
    foreign = sample(other, 10, random_state=0)
    detector = _detector(small, optimizer=optimizer)
    distances = -detector.score_samples(own), -detector.score_samples(foreign)
    assert np.median(distances[0]) < 0.5 * np.median(distances[1])
    found = detector.reconstruct(own)
    np.testing.assert_array_equal(found.distances, distances[0])
    assert found.reconstructions.dtype == np.uint8
    difference = (own - found.reconstructions.astype(float)).reshape(10, -1)
    # The reconstruction's own rounding is not part of the distance.
    np.testing.assert_allclose(np.sqrt(np.square(difference).mean(axis=1)), distances[0], atol=0.4)
    np.testing.assert_array_equal(found.equal, (difference == 0).mean(axis=1))
    calibrated = FNRThresholdCalibrator(FrozenEstimator(detector), fnr=0.3).fit(own)
    assert (calibrated.predict(foreign) == -1).mean() > 0.5


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_reconstruction_does_not_depend_on_the_batch(small, optimizer):
    X = sample(small, 9, random_state=0)
    options = {"max_iter": 30, "optimizer": optimizer}
    together = _detector(small, **options).score_samples(X)
    for batch_size in (1, 4):
        found = _detector(small, batch_size=batch_size, **options).score_samples(X)
        np.testing.assert_allclose(found, together, rtol=1e-4)
    flat = _detector(small, **options).score_samples(X.reshape(9, -1))
    np.testing.assert_array_equal(flat, together)


def test_lbfgs_comes_closer_than_adam(small):
    X = sample(small, 6, random_state=4)
    adam, lbfgs = (
        -_detector(small, optimizer=name, max_iter=60).score_samples(X)
        for name in ("adam", "lbfgs")
    )
    assert np.median(lbfgs) < np.median(adam)


def test_starting_points_are_not_those_of_samples_with_the_same_seed(small):
    X = sample(small, 4, dtype="float32", random_state=1)
    distances = -_detector(small, max_iter=1, random_state=1).score_samples(X)
    assert distances.min() > 1e-4


def test_classes_are_drawn_with_the_starts():
    generator = ConditionalDCGANGenerator(4, (8, 8), 1).eval()
    X = sample(generator, 3, random_state=0)
    found = _detector(generator, max_iter=5).reconstruct(X)
    assert found.latents.shape == (3, 4, 1, 1)
    assert set(found.conditions) <= {0, 1}


def test_more_effort_is_never_worse(small):
    X = sample(small, 4, random_state=3)
    short = _detector(small, max_iter=20).score_samples(X)
    assert (_detector(small, max_iter=60).score_samples(X) >= short).all()


def test_rows_of_a_data_frame():
    torch.manual_seed(0)
    generator = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh())
    X = sample(generator, 5, latent_shape=2, dtype="float32", random_state=0)
    detector = _detector(generator, latent_shape=2, max_iter=20)
    expected = detector.score_samples(X)
    np.testing.assert_array_equal(detector.score_samples(pd.DataFrame(X)), expected)


def test_patience_stops(small):
    calls = []

    def distance(x, reconstruction):
        calls.append(len(x))
        return euclidean_distance(x, reconstruction) * 0 + 1

    detector = _detector(small, distance=distance, patience=7, max_iter=500)
    np.testing.assert_array_equal(detector.score_samples(sample(small, 3, random_state=0)), -1)
    assert len(calls) <= 10


def test_generator_is_left_as_it_was(small):
    small.train()
    weights = {k: v.clone() for k, v in small.state_dict().items()}
    _detector(small, max_iter=3).score_samples(sample(small, 2, random_state=0))
    assert small.training
    assert all(parameter.requires_grad for parameter in small.parameters())
    assert all(parameter.grad is None for parameter in small.parameters())
    for name, value in small.state_dict().items():
        assert torch.equal(value, weights[name]), name
    small.eval()


def test_feature_distance(small):
    extractor = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 3), torch.nn.Dropout())
    X = sample(small, 3, random_state=0)
    detector = _detector(small, distance=FeatureDistance(extractor), max_iter=40)
    assert (detector.score_samples(X) <= 0).all()
    assert extractor.training
    assert all(parameter.grad is None for parameter in extractor.parameters())


def test_missing_inception_weights_say_where_they_are(small, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"inception_v3_google-\*\.pth"):
        _detector(small, distance="inception").fit(np.zeros((1, 1, 16, 16))).score_samples(
            np.zeros((1, 1, 16, 16))
        )
    with pytest.raises(FileNotFoundError, match="is no file"):
        inception_distance(tmp_path / "missing.pth")


def test_threshold_of_its_own(small):
    X = sample(small, 12, random_state=0)
    detector = _detector(small, max_iter=20)
    detector.fit(X)
    for method in ("predict", "decision_function", "fit_predict"):
        assert not hasattr(detector, method)
    detector = _detector(small, max_iter=20, fnr=0.25).fit(X, np.repeat([1, -1], 6))
    assert (detector.predict(X[:6]) == 1).sum() == 4
    with pytest.raises(ValueError, match="generator makes"):
        _detector(small).score_samples(X[:, :, :8])
    with pytest.raises(ValueError, match=r"no sample labeled \+1"):
        _detector(small).fit(X, np.full(12, -1))
    assert clone(detector).fnr == 0.25


def test_pipelines_of_the_baselines(small, color):
    own = sample(small, 24, random_state=0)
    X, y = np.concatenate([own, 255 - own]), np.repeat([1, -1], 24)
    sminv = make_sminv(small, n_restarts=4, max_iter=80, fnr=0.2).fit(X, y)
    assert len(sminv["detect"].calibration_scores_) == 24
    assert (sminv.predict(255 - own) == -1).mean() > 0.9
    smf = make_smf(fnr=0.2, cv=0.5, random_state=0).fit(X, y)
    assert smf["detect"].estimator_.n_samples_seen_ == 12
    np.testing.assert_array_equal(
        smf.predict(X) == 1, smf.score_samples(X) >= smf["detect"].offset_
    )
