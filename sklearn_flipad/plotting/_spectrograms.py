"""Signals as spectrograms."""

from math import inf

import numpy as np

from sklearn_flipad.base.samples import check_samples
from sklearn_flipad.features import SpectrogramTransformer

__all__ = ["draw_spectrogram", "to_spectrograms"]

#: Decibels between the brightest color and black.
_RANGE = 80.0
_N_FFT = 512


def to_spectrograms(signals):
    """Spectrograms in decibels, (n, n_frequencies, n_frames), of signals (n, 1, length)."""
    signals = check_samples(None, signals, value_range=(-inf, inf))
    if signals.ndim != 3 or signals.shape[1] != 1 or signals.shape[2] < 16:
        raise ValueError(
            "Spectrograms need signals of shape (n, 1, length), with at least 16 samples, got "
            f"{signals.shape}. Pass one of several channels: X[:, [0]]."
        )
    # At least about eight frames, even for short signals.
    n_fft = min(_N_FFT, 2 ** int(np.log2(max(signals.shape[2] // 4, 8))))
    transformer = SpectrogramTransformer(n_fft=n_fft, output_range=None)
    return transformer.transform(signals)[:, 0] * (20 / np.log(10))


def draw_spectrogram(ax, spectrogram, loudest):
    """Draw a spectrogram, shape (n_frequencies, n_frames), up to `loudest` decibels."""
    limits = {"vmin": loudest - _RANGE, "vmax": loudest}
    ax.imshow(spectrogram, cmap="magma", origin="lower", aspect="auto", **limits)
    ax.set(xticks=[], yticks=[])
