"""Features of signals: values, DCT coefficients and short-time spectra."""

import numpy as np
import pytest
from scipy.fft import dct
from scipy.signal import get_window
from sklearn.svm import OneClassSVM

from sklearn_flipad import (
    DCTTransformer,
    RawTransformer,
    SpectrogramTransformer,
    inspect_attributor,
    load_attributor,
    make_dctpad,
    make_rawpad,
    make_spectral,
    save_attributor,
)

MAKERS = {
    "raw": make_rawpad,
    "dct": make_dctpad,
    "spectrogram": lambda **options: make_spectral(n_fft=16, **options),
}


OPTIONS = {"detector": OneClassSVM(gamma="auto"), "fnr": 0.1, "cv": 0.4, "random_state": 0}


@pytest.fixture(scope="module")
def mono():
    return np.random.default_rng(0).uniform(-1, 1, (5, 1, 60))


@pytest.fixture(scope="module")
def stereo():
    return np.random.default_rng(1).uniform(-1, 1, (5, 2, 60))


def test_values_and_spectra_of_each_channel(mono, stereo):
    np.testing.assert_array_equal(RawTransformer().fit_transform(mono), mono)
    expected = np.log(np.abs(dct(stereo, norm="ortho")) + 1e-10)
    found = DCTTransformer(image_shape=(2, 60)).fit_transform(stereo)
    np.testing.assert_allclose(found, expected)
    found = DCTTransformer(crop_size=20).fit_transform(mono)
    np.testing.assert_allclose(found, np.log(np.abs(dct(mono, norm="ortho")) + 1e-10)[..., 20:40])


def test_length(mono, stereo):
    np.testing.assert_array_equal(RawTransformer(size=20).transform(mono), mono[..., 1::3])
    cropped = RawTransformer(size=20, mode="crop", image_shape=(2, 60)).fit_transform(stereo)
    np.testing.assert_array_equal(cropped, stereo[..., 20:40])
    with pytest.raises(ValueError, match="crop of 61 elements"):
        RawTransformer(size=61, mode="crop").fit(mono)


def test_spectrogram_against_the_definition(stereo):
    found = SpectrogramTransformer(n_fft=10, hop_length=7, eps=1e-3).fit_transform(stereo)
    assert found.shape == (5, 2, 6, 8)
    time, frequency = np.arange(10), np.arange(6)
    waves = np.exp(-2j * np.pi * frequency[:, None] * time / 10) * get_window("hann", 10)
    for frame in range(8):
        part = stereo[..., 7 * frame : 7 * frame + 10]
        expected = np.log(np.abs(part @ waves.T) + 1e-3)
        np.testing.assert_allclose(found[..., frame], expected)
    average = SpectrogramTransformer(n_fft=10, hop_length=7, eps=1e-3, average=True)
    np.testing.assert_allclose(average.fit_transform(stereo), found.mean(axis=3))


def test_mean_spectrum_hardly_depends_on_the_start():
    X = np.random.default_rng(0).normal(0, 0.1, (1, 1, 5000)).clip(-1, 1)
    shifted = np.roll(X, 300)
    average = SpectrogramTransformer(n_fft=64, average=True)
    assert np.abs(average.transform(X) - average.transform(shifted)).max() < 0.1
    whole = DCTTransformer()
    assert np.median(np.abs(whole.transform(X) - whole.transform(shifted))) > 0.5


@pytest.mark.parametrize(
    "transformer",
    [
        RawTransformer(image_shape=(2, 60)),
        DCTTransformer(image_shape=(2, 60)),
        SpectrogramTransformer(n_fft=8, image_shape=(2, 60)),
        SpectrogramTransformer(n_fft=8, average=True, image_shape=(2, 60)),
    ],
)
def test_flat_in_flat_out(transformer, stereo):
    deep = transformer.fit(stereo).transform(stereo)
    rows = stereo.reshape(5, -1)
    flat = transformer.fit(rows).transform(rows)
    np.testing.assert_array_equal(flat, deep.reshape(5, -1))
    assert len(transformer.get_feature_names_out()) == flat.shape[1]
    one = np.concatenate([transformer.transform(row[None]) for row in rows])
    np.testing.assert_array_equal(one, flat)
    assert transformer.fit_transform(stereo.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("transformer", [RawTransformer(), DCTTransformer()])
def test_images_without_their_channel_are_no_signals(transformer, stereo):
    with pytest.raises(ValueError, match=r"pass X\[:, None\]. For signals .* image_shape=\(2, 60"):
        transformer.fit(stereo)


@pytest.mark.parametrize(
    ("options", "shape", "match"),
    [
        ({}, (3, 1, 511), "shorter than a frame of n_fft=512"),
        ({}, (3, 1, 32, 32), "which are images"),
        ({"image_shape": (3, 32, 32)}, (3, 3072), r"\(channels, length\) of signals"),
        ({"n_fft": 1}, (3, 1, 600), "'n_fft'"),
        ({"hop_length": 0}, (3, 1, 600), "'hop_length'"),
    ],
)
def test_what_is_no_signal(options, shape, match):
    with pytest.raises(ValueError, match=match):
        SpectrogramTransformer(**options).fit(np.zeros(shape))


def test_signals_fitted_are_not_images(mono):
    fitted = RawTransformer().fit(mono)
    with pytest.raises(ValueError, match=r"fitted to samples of shape \(1, 60\)"):
        fitted.transform(mono[:, :, None])


@pytest.fixture(scope="module")
def sounds():
    """Own random walks and louder noise, and their labels."""
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(0, 0.01, (80, 1, 96)), axis=2)
    noise = rng.normal(0, 0.3, (40, 1, 96)).clip(-1, 1)
    return np.concatenate([walks, noise]), np.repeat([1, -1], [80, 40])


@pytest.mark.parametrize("first", MAKERS)
def test_attributors_on_disk(first, sounds, tmp_path):
    X, y = sounds
    attributor = MAKERS[first](**OPTIONS).fit(X[::2], y[::2])
    assert list(attributor.named_steps) == [first, "detect"]
    assert (attributor.predict(X[81::2]) == -1).all()
    assert (attributor.predict(X[1:80:2]) == 1).mean() > 0.7
    path = tmp_path / "model.flipad"
    save_attributor(attributor, path)
    np.testing.assert_array_equal(
        load_attributor(path).score_samples(X), attributor.score_samples(X)
    )
    known = {"raw": "rawpad", "dct": "dctpad", "spectrogram": "spectral"}
    assert inspect_attributor(path).method == known[first]


@pytest.mark.parametrize("first", MAKERS)
def test_attributors_of_windows(first, sounds):
    X, y = sounds
    attributor = MAKERS[first](windows=32, **OPTIONS).fit(X[::2], y[::2])
    assert (attributor.predict(X[1:80:2]) == 1).mean() > 0.7
    whole = attributor.score_samples([X[1], X[81]])
    with pytest.warns(UserWarning, match="more or fewer windows"):
        assert attributor.predict([X[81][:, :40], X[83]]).tolist() == [-1, -1]
    parts = attributor["detect"].estimator_.score_windows([X[1]])[0].scores
    np.testing.assert_allclose(parts.mean(), whole[0])


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_channels_that_come_last(name, n_channels):
    X = np.random.default_rng(0).uniform(-1, 1, (60, n_channels, 60))
    last, advice = np.moveaxis(X, 1, -1), r"come last.*np.moveaxis\(X, -1, 1\)"
    shape = {} if n_channels == 1 else {"image_shape": (2, 60)}
    shape = {} if name == "spectrogram" else shape
    with pytest.raises(ValueError, match=advice):
        MAKERS[name](**OPTIONS).fit(last)
    if n_channels == 1 and name != "spectrogram":
        with pytest.raises(ValueError, match=advice):
            MAKERS[name](**OPTIONS, image_shape=(60, 1)).fit(last)
    advised = MAKERS[name](**OPTIONS, **shape).fit(np.moveaxis(last, -1, 1))
    np.testing.assert_array_equal(
        advised.score_samples(X), MAKERS[name](**OPTIONS, **shape).fit(X).score_samples(X)
    )


def test_windows_of_channels_that_come_last():
    mono = np.random.default_rng(0).uniform(-1, 1, (60, 1, 60))
    for x in (list(np.moveaxis(mono, 1, -1)), np.moveaxis(mono, 1, -1)):
        with pytest.raises(ValueError, match=r"channel comes last.*np.moveaxis\(x, -1, 0\)"):
            make_rawpad(windows=8, **OPTIONS).fit(x)
    with pytest.raises(ValueError, match=r"a signal of one channel as x\[None\]"):
        make_rawpad(windows=8, **OPTIONS).fit(list(mono[:, 0]))


def test_advice_for_sounds_speaks_of_sounds(mono):
    with pytest.raises(ValueError, match=r"Scale the sounds as .* the range of the generator's"):
        RawTransformer().fit_transform(2 * mono)
    with pytest.raises(ValueError, match=r"as X / 32768 for sounds of 16 bits"):
        RawTransformer().fit_transform((mono * 32767).astype(np.int16))
