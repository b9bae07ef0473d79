"""Perturbations of sound: their effect on signals, one signal at a time."""

import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from sklearn_flipad.evaluation.perturbations import named
from sklearn_flipad.evaluation.sound_perturbations import (
    AudioCompression,
    Gain,
    MuLaw,
    Resampling,
    WhiteNoise,
)

RATE = 22050
ALL = [Gain(), WhiteNoise(20), Resampling(RATE), MuLaw(), AudioCompression(RATE)]


def _names(perturbation):
    return type(perturbation).__name__


@pytest.fixture(scope="module")
def tones():
    """Two channels of tones of 440 to 840 Hz, fading in."""
    t = np.arange(6000) / RATE
    frequencies = 440.0 + 100 * np.arange(5)[:, None, None] * np.array([1.0, 0.5])[:, None]
    return 0.5 * np.minimum(1, 10 * t) * np.sin(2 * np.pi * frequencies * t)


def _skip_without_soundfile(perturbation):
    if isinstance(perturbation, AudioCompression):
        pytest.importorskip("soundfile")


@pytest.mark.parametrize("perturbation", ALL, ids=_names)
def test_signals_do_not_influence_each_other(perturbation, tones):
    _skip_without_soundfile(perturbation)
    together = perturbation.fit_transform(tones)
    assert together.shape == tones.shape
    assert (together != tones).any()
    order = [3, 0, 4, 2, 1]
    np.testing.assert_array_equal(perturbation.transform(tones[order]), together[order])
    alone = clone(perturbation).transform(tones[2:3])
    np.testing.assert_array_equal(alone[0], together[2])
    single = perturbation.transform(tones.astype(np.float32))
    assert single.dtype == np.float32
    assert np.abs(single).max() <= 1


@pytest.mark.parametrize("perturbation", ALL, ids=_names)
def test_refused_signals(perturbation, tones):
    perturbation = clone(perturbation)
    for X, match in [
        (tones[:, 0], r"For signals of one channel pass X\[:, None\]"),
        (tones[:0], "minimum of 1"),
        (3 * tones, "outside the range"),
        (np.full((1, 1, 16), np.nan), "NaN"),
        ((tones * 32767).astype(np.int16), "integers from"),
    ]:
        with pytest.raises(ValueError, match=match):
            perturbation.fit(X)
        with pytest.raises(ValueError, match=match):
            perturbation.transform(X)
    assert not hasattr(perturbation, "n_features_in_")


@pytest.mark.parametrize(
    ("perturbation", "match"),
    [
        (Gain(np.inf), "'decibels'"),
        (WhiteNoise(random_state=-1), "'random_state'"),
        (Resampling(0), "'rate'"),
        (Resampling(RATE, 0), "'through'"),
        (AudioCompression(RATE, "wma"), "'codec'"),
        (AudioCompression(RATE, level=1), "'level'"),
    ],
    ids=str,
)
def test_refused_parameters(perturbation, match, tones):
    with pytest.raises(ValueError, match=match):
        perturbation.fit(tones)


def test_gain(tones):
    np.testing.assert_allclose(Gain(-6).transform(tones), tones * 10**-0.3)
    assert Gain(20).transform(tones).max() == 1


def test_noise_has_the_ratio_it_says(tones):
    noise = WhiteNoise(20, random_state=1).transform(tones) - tones
    ratio = np.square(tones).mean(axis=(1, 2)) / np.square(noise).mean(axis=(1, 2))
    np.testing.assert_allclose(10 * np.log10(ratio), 20, atol=0.3)
    assert abs(np.corrcoef(noise[0, 0], noise[1, 0])[0, 1]) < 0.05
    assert (WhiteNoise(20, random_state=2).transform(tones) - tones != noise).any()
    np.testing.assert_array_equal(WhiteNoise().transform(np.zeros((1, 1, 9))), 0)


def test_resampling_keeps_low_and_removes_high_tones(tones):
    kept = Resampling(RATE, 8000).transform(tones)
    assert np.abs(kept - tones)[..., 200:-200].max() < 0.01
    high = 0.5 * np.sin(2 * np.pi * 6000 * np.arange(6000) / RATE)[None, None]
    assert np.abs(Resampling(RATE, 8000).transform(high))[..., 200:-200].max() < 0.01
    np.testing.assert_allclose(Resampling(RATE, RATE).transform(tones), tones, atol=1e-12)


def test_mu_law_has_255_levels_fine_where_it_is_quiet():
    x = np.linspace(-1, 1, 20_001)[None, None]
    found = MuLaw().transform(x)
    assert len(np.unique(found)) == 255
    error = np.abs(found - x)[0, 0]
    assert error[np.abs(x[0, 0]) < 0.01].max() < 4e-4
    assert 0.01 < error.max() < 0.03
    np.testing.assert_array_equal(found[0, 0, ::-1], -found[0, 0])


@pytest.mark.parametrize("codec", ["vorbis", "mp3"])
def test_codecs_keep_time_and_lose_more_where_they_compress_more(codec, tones):
    pytest.importorskip("soundfile")
    errors = [
        np.sqrt(np.square(AudioCompression(RATE, codec, level).transform(tones) - tones).mean())
        for level in (0.0, 0.9)
    ]
    # Shifted by one sample, the difference would be 0.04 and more.
    assert 0 < errors[0] < errors[1] < 0.03


def test_without_soundfile_the_extra_is_named(tones, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"sklearn-flipad\[audio\]"):
        AudioCompression(RATE).transform(tones)


def test_names():
    found = list(named([Gain(-3.0), MuLaw(), Resampling(RATE, 8000)]))
    assert found == ["Gain(decibels=-3.0)", "MuLaw()", "Resampling(rate=22050, through=8000)"]


@pytest.mark.parametrize("perturbation", ALL, ids=_names)
def test_scikit_learn(perturbation):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Can't test estimator")
        check_estimator(perturbation)
