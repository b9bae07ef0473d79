"""Random processing: draws by content and seed, steps that do what they say, refusals."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from sklearn_flipad import (
    FNRThresholdCalibrator,
    LatentEncoder,
    RawTransformer,
    ReproductionDetector,
)
from sklearn_flipad.evaluation import (
    RandomProcessing,
    RandomSoundProcessing,
    robustness_curve,
)
from sklearn_flipad.evaluation.perturbations import GaussianBlur, JPEGCompression, WebPCompression
from sklearn_flipad.evaluation.sound_perturbations import Gain
from sklearn_flipad.zoo import load_pretrained

PRESETS = [
    *(RandomProcessing(name) for name in ("platform", "messenger", "screenshot")),
    *(RandomSoundProcessing(name) for name in ("platform", "messenger", "recording")),
]


def _name(processing):
    return f"{type(processing).__name__}-{processing.chain}"


@pytest.fixture(scope="module")
def images():
    """Forty smooth images, each other than the rest."""
    rng = np.random.default_rng(0)
    rough = rng.uniform(0, 255, (40, 3, 16, 20))
    return np.rint(ndimage.uniform_filter(rough, (1, 1, 5, 5))).astype(np.uint8)


@pytest.fixture(scope="module")
def signals():
    """Forty signals of two channels."""
    rng = np.random.default_rng(1)
    return ndimage.uniform_filter1d(rng.uniform(-0.9, 0.9, (40, 2, 300)), 5)


@pytest.fixture
def samples_of(images, signals):
    return lambda processing: images if isinstance(processing, RandomProcessing) else signals


@pytest.mark.parametrize("processing", PRESETS, ids=_name)
def test_draws_depend_on_the_sample_and_the_seed_alone(processing, samples_of):
    X = samples_of(processing)[:8]
    together, table = processing.fit_transform(X), processing.draw(X)
    assert (together.shape, together.dtype) == (X.shape, X.dtype)
    assert (together != X).any(axis=(1, 2)).all()
    order = [3, 0, 4, 2, 1, 7, 6, 5]
    np.testing.assert_array_equal(processing.transform(X[order]), together[order])
    shuffled = processing.draw(X[order])
    pd.testing.assert_frame_equal(shuffled, table.iloc[order].reset_index(drop=True))
    alone = clone(processing)
    np.testing.assert_array_equal(alone.transform(X[2:3])[0], together[2])
    pd.testing.assert_frame_equal(
        alone.draw(X[2:3]), table.iloc[2:3].reset_index(drop=True), check_exact=True
    )
    np.testing.assert_array_equal(processing.transform(X), together)
    other = clone(processing).set_params(random_state=1)
    assert not other.draw(X).equals(table)
    assert (other.transform(X) != together).any()


def test_samples_of_equal_pixels_have_one_draw_and_others_their_own(images):
    X = np.concatenate([images[:5], images[:5]])
    drawn = RandomProcessing("screenshot").draw(X)
    first, again = drawn[:5], drawn[5:].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, again)
    assert first["crop_share"].nunique() == 5


def test_floats_have_the_draw_of_the_gray_levels_that_they_stand_for(images):
    processing = RandomProcessing([("resize", 0.5), "tone", ("noise", 0.5)])
    levels = processing.fit_transform(images).astype(float)
    for dtype, output_range in ((np.float32, (-1, 1)), (np.float64, (0, 1))):
        low, high = output_range
        floats = (images / 255 * (high - low) + low).astype(dtype)
        processing = clone(processing).set_params(output_range=output_range)
        assert processing.draw(floats).equals(processing.draw(images))
        found = processing.fit_transform(floats)
        assert found.dtype == dtype
        np.testing.assert_allclose((found - low) / (high - low) * 255, levels, atol=0.51)


def test_probabilities_and_ranges_are_those_of_the_chain(images):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (600, 1, 4, 4), dtype=np.uint8)
    chain = [
        ("blur", 0.25, {"sigma": (0.4, 0.8)}),
        "tone",
        ("compress", 0.5, {"format": ("jpeg", "jpeg", "webp"), "quality": (70, 72)}),
        ("compress", 1, {"format": "webp", "quality": 90}),
    ]
    drawn = RandomProcessing(chain).draw(X)
    assert list(drawn) == [
        *("blur_sigma", "tone_gain", "tone_offset", "tone_gamma"),
        *("compress_format", "compress_quality", "compress_2_format", "compress_2_quality"),
    ]
    # Three deviations of the binomial counts: 0.053, 0.061 and 0.08.
    blurred, compressed = drawn["blur_sigma"].dropna(), drawn.dropna(subset="compress_quality")
    assert abs(len(blurred) / 600 - 0.25) < 0.053
    assert abs(len(compressed) / 600 - 0.5) < 0.061
    assert abs((compressed["compress_format"] == "jpeg").mean() - 2 / 3) < 0.08
    assert 0.4 <= blurred.min() < 0.42 < 0.78 < blurred.max() <= 0.8
    assert set(compressed["compress_quality"]) == {70, 71, 72}
    assert drawn["tone_gain"].between(0.88, 1.12).all()
    assert set(drawn["compress_2_quality"]) == {90}
    # Left out or not, a step does not change what is drawn for those after it.
    certain = RandomProcessing([("blur", 1.0), *chain[1:]]).draw(X)
    pd.testing.assert_series_equal(certain["tone_gain"], drawn["tone_gain"])


def test_images_are_put_through_what_is_drawn(images):
    chain = ["blur", "compress"]
    processing = RandomProcessing(chain)
    found = processing.fit_transform(images)
    drawn = processing.draw(images).itertuples()
    for x, processed, row in zip(images, found, drawn, strict=True):
        blurred = ndimage.gaussian_filter(
            x.astype(float), (0, *[row.blur_sigma] * 2), mode="mirror"
        )
        format = {"jpeg": JPEGCompression, "webp": WebPCompression}[row.compress_format]
        levels = np.rint(blurred).astype(np.uint8)[None]
        expected = format(int(row.compress_quality)).fit_transform(levels)[0]
        np.testing.assert_array_equal(processed, expected)


def _one(kind, X, **ranges):
    return RandomProcessing([(kind, 1, ranges)]).fit_transform(X)


def test_steps_of_images_by_hand(images):
    neutral = {
        "crop": {"share": 1},
        "resize": {"factor": 1},
        "tone": {"gain": 1, "offset": 0, "gamma": 1},
        "blur": {"sigma": 0},
        "sharpen": {"amount": 0},
        "noise": {"std": 0},
    }
    for kind, ranges in neutral.items():
        np.testing.assert_array_equal(_one(kind, images, **ranges), images, err_msg=kind)
    toned = _one("tone", images, gain=1.1, offset=-5, gamma=2)
    expected = 255 * (np.clip(1.1 * images - 5.0, 0, 255) / 255) ** 2
    np.testing.assert_array_equal(toned, np.rint(expected))
    image = np.zeros((1, 1, 8, 8), np.uint8)
    image[..., :4, 4:] = 200
    np.testing.assert_array_equal(_one("crop", image, share=0.5, top=0, left=1), 200)
    np.testing.assert_array_equal(_one("crop", image, share=0.5, top=1, left=0), 0)
    checkers = np.indices((8, 8)).sum(axis=0)[None, None].astype(np.uint8) % 2 * 200
    assert np.ptp(_one("resize", checkers, factor=0.5, kernel="bilinear")) <= 80
    flat = np.full((1, 1, 64, 64), 100, np.uint8)
    assert _one("noise", flat, std=3).std() == pytest.approx(3, rel=0.05)
    edge = np.repeat(np.uint8([60, 180]), 8)[None, None, None].repeat(16, axis=2)
    sharpened = _one("sharpen", edge, amount=0.5, sigma=1).astype(int)
    assert sharpened.max() > 185
    assert sharpened.min() < 55


def test_steps_of_signals_by_hand(signals):
    def one(kind, X, **ranges):
        return RandomSoundProcessing([(kind, 1, ranges)]).fit_transform(X)

    np.testing.assert_allclose(
        one("gain", signals, decibels=-6), Gain(-6).transform(signals), rtol=1e-12
    )
    assert one("gain", signals, decibels=60).max() == 1
    levels = one("quantize", signals, bits=4) * 8
    np.testing.assert_array_equal(levels, np.rint(levels))
    np.testing.assert_allclose(levels / 8, signals, atol=1 / 16)
    noise = one("noise", signals, snr=20) - signals
    ratio = np.square(signals).mean() / np.square(noise).mean()
    assert 10 * np.log10(ratio) == pytest.approx(20, abs=0.3)
    t = np.arange(4000)
    low, high = (0.5 * np.sin(np.pi * f * t)[None, None] for f in (0.05, 0.8))
    for kind, ranges in (("lowpass", {"cutoff": 0.4}), ("resample", {"factor": 0.5})):
        assert np.abs(one(kind, high, **ranges))[..., 200:-200].max() < 0.05, kind
        kept = one(kind, low, **ranges)[..., 200:-200]
        assert np.abs(kept).max() == pytest.approx(0.5, abs=0.02), kind


@pytest.mark.parametrize(
    ("chain", "match"),
    [
        ("cinema", "one of .*'platform'"),
        ([], "at least one step"),
        (["melt"], "the kinds are crop, resize"),
        ([("blur", 1.5)], "probability of 'blur'"),
        ([("blur", 1, {"radius": 2})], "no parameter 'radius', only sigma"),
        ([("blur", 1, {"sigma": (1, 0.5)})], "'sigma' of 'blur' must be a number"),
        ([("blur", 1, {"sigma": np.nan})], "'sigma' of 'blur' must be a number"),
        ([("compress", 1, {"quality": 75.5})], "whole number.*75.5"),
        ([("compress", 1, {"quality": (75, 101)})], r"\[1, 100\]"),
        ([("compress", 1, {"format": "gif"})], "one or several of"),
        ([("blur", {"sigma": 1})], "A step of chain is"),
        ([3], "A step of chain is"),
    ],
    ids=str,
)
def test_refused_chains(chain, match, images):
    for call in ("fit", "transform", "draw"):
        with pytest.raises(ValueError, match=match):
            getattr(RandomProcessing(chain), call)(images)


def test_refused_samples_and_seeds(images, signals):
    for call in ("fit", "transform", "draw"):
        with pytest.raises(ValueError, match=r"\(n, channels, height, width\)"):
            getattr(RandomProcessing(), call)(images.reshape(len(images), -1))
        with pytest.raises(ValueError, match=r"X\[:, None\]"):
            getattr(RandomSoundProcessing(), call)(signals[:, 0])
        with pytest.raises(ValueError, match="'random_state'"):
            getattr(RandomProcessing(random_state=-1), call)(images)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        RandomProcessing().fit_transform(images[:, :2])


@pytest.mark.parametrize("processing", PRESETS, ids=_name)
def test_scikit_learn(processing):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Can't test estimator")
        check_estimator(processing)


def test_a_search_needs_a_known_processing_and_an_encoder_does_not():
    generator = load_pretrained("fashion/dcgan-0")
    processing = RandomProcessing("messenger")
    encoder = LatentEncoder(processing=processing, max_steps=1, batch_size=4, random_state=0)
    encoder.fit(generator)
    plain = clone(encoder).set_params(processing=None).fit(generator)
    assert encoder.history_[-1]["error"] != plain.history_[-1]["error"]
    X = np.zeros((2, 1, 32, 32), np.uint8)
    for steps in (processing, [GaussianBlur(), processing]):
        with pytest.raises(ValueError, match=r"needs a known processing.*LatentEncoder"):
            ReproductionDetector(generator, encoder=encoder, processing=steps).fit(X)


def test_immunization_by_a_random_chain():
    """Noisy images against flat ones: the level of noise decides, and noise raises it."""
    rng = np.random.default_rng(0)

    def made(n):
        std = np.repeat([2.0, 12.0], n)[:, None, None, None]
        X = np.rint(128 + std * rng.standard_normal((2 * n, 1, 32, 32))).clip(0, 255)
        return X.astype(np.uint8), np.repeat([1, -1], n)

    (X, y), (X_train, y_train) = made(100), made(200)
    calibrator = FNRThresholdCalibrator(LogisticRegression(), fnr=0.1, cv=0.5, random_state=0)
    attributor = make_pipeline(_Spread(), calibrator).fit(X_train, y_train)
    noise = RandomProcessing([("noise", 1, {"std": (3, 8)})])
    curve = robustness_curve(
        attributor, {"noise": noise}, X, y, X_train=X_train, y_train=y_train
    ).set_index(["perturbation", "immunized"])
    assert curve.loc[("none", False), "fnr"] < 0.2
    assert curve.loc[("noise", False), "fnr"] > 0.5
    assert curve.loc[("noise", True), "fnr"] < 0.2


class _Spread(RawTransformer):
    """The deviation of the pixels."""

    def transform(self, X):
        return np.asarray(X, dtype=float).reshape(len(X), -1).std(axis=1, keepdims=True)
