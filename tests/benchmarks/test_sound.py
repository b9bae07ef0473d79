"""The benchmark of sounds, and the search of ECGs, with small generators in place of others'."""

import numpy as np
import pytest
from torch import nn

from benchmarks.attribution import sound
from benchmarks.data import ecg
from benchmarks.data import sound as data
from benchmarks.speed import large_latents
from sklearn_flipad.base.randomness import seeded


def vocoder(name, folder):
    with seeded(sound.VOCODERS.index(name)):
        return nn.Sequential(
            nn.ConvTranspose1d(80, 4, 256, 256), nn.Conv1d(4, 1, 7, padding=3), nn.Tanh()
        )


def glitches(name, folder):
    with seeded(sound.DETECTORS.index(name)):
        generator = nn.Sequential(nn.ConvTranspose1d(1, 4, 4, 4), nn.Conv1d(4, 1, 5), nn.Tanh())
    generator.latent_shape = (1, 100)
    return generator


def ecgs(folder):
    with seeded(0):
        return nn.Sequential(
            nn.Conv1d(8, 8, 5, padding=2), nn.Conv1d(8, 8, 25, padding=12), nn.Tanh()
        )


@pytest.fixture
def generators(monkeypatch):
    """Small ones, noise in place of speech, and zeros in place of a recorded ECG."""
    speech = np.random.default_rng(0).normal(0, 0.1, (60, 1, data.LENGTH)).astype(np.float32)
    monkeypatch.setattr(data, "vocoder", vocoder)
    monkeypatch.setattr(data, "glitch_generator", glitches)
    monkeypatch.setattr(data, "speech", lambda folder: speech)
    monkeypatch.setattr(ecg, "ecg_generator", ecgs)
    monkeypatch.setattr(large_latents, "ecg_generator", ecgs)
    walk = large_latents.random_walks(1, np.random.default_rng(0))
    monkeypatch.setattr(ecg, "real_ecg", lambda folder: walk)


@pytest.mark.filterwarnings("ignore:.*too few to whiten", "ignore:.*not reproduced")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_small(run_small, generators):
    rows = run_small("sound")
    methods = sound.OPTIONS[1].small
    assert {(row["task"], row["owner"]) for row in rows} == {
        *((task, owner) for task in ("one second", "quarter") for owner in sound.VOCODERS),
        *(("detector noise", owner) for owner in sound.DETECTORS),
        ("ECG", "deepfake-ecg"),
    }
    for row in rows[:-1]:
        assert row["method"] in methods
        assert 0 <= row["accuracy"] <= 1
    assert rows[-1]["p_value"] <= 1


def test_large_latents_are_searched(run_small, generators):
    rows = run_small("large_latents")
    assert [row["source"] for row in rows] == ["own", "copy, 20 % of noise", "random walks"]
    assert all(error > 0 for row in rows for error in row["relative_errors"])


def test_spectrograms_of_the_vocoders():
    filters = data._mel_filters()
    assert filters.shape == (80, 513)
    # Each is a triangle of area one; narrow ones are sampled coarsely.
    np.testing.assert_allclose(filters[40:].sum(axis=1) * 22050 / 1024, 1, atol=0.03)
    tone = np.sin(2 * np.pi * 2000 * np.arange(data.LENGTH) / data.RATE)[None, None]
    spectrogram = data.mel_spectrograms(0.5 * tone)
    assert spectrogram.shape == (1, 80, 86)
    # 2 kHz is mel 25.08 of 0 to 45.25 on Slaney's scale.
    assert (spectrogram[0, :, 5:-5].argmax(axis=0) == round(25.08 / 45.25 * 81) - 1).all()


def test_surrogates_have_the_spectrum_of_what_they_are_made_of():
    X = np.random.default_rng(0).normal(0, 0.1, (3, 1, 501))
    found = data.surrogates(X, 0)
    np.testing.assert_allclose(
        np.abs(np.fft.rfft(found))[..., 1:], np.abs(np.fft.rfft(X))[..., 1:], atol=2e-3
    )
    assert np.abs(found - X).max() > 0.1
