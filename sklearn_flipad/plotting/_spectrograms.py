"""Signals as pictures."""

from math import inf

import numpy as np

from sklearn_flipad.base.samples import check_samples
from sklearn_flipad.features import SpectrogramTransformer

__all__ = ["draw_spectrogram", "to_spectrograms"]

#: Decibels below the loudest that are black.
_RANGE = 80.0
_N_FFT = 512


def to_spectrograms(signals):
    """Spectrograms in decibels, of signals of one channel.

    Parameters
    ----------
    signals : array-like of float, shape (n, 1, length)
        Signals.

    Returns
    -------
    ndarray, shape (n, n_frequencies, n_frames)

    Raises
    ------
    ValueError
        If signals have another shape, or are shorter than 16 samples.
    """
    signals = check_samples(None, signals, value_range=(-inf, inf))
    if signals.ndim != 3 or signals.shape[1] != 1 or signals.shape[2] < 16:
        raise ValueError(
            "Spectrograms are drawn of signals of shape (n, 1, length), with at least 16 samples, "
            f"got {signals.shape}. Of several channels pass one: X[:, [0]]."
        )
    # About eight frames at least, where signals are short.
    n_fft = min(_N_FFT, 2 ** int(np.log2(max(signals.shape[2] // 4, 8))))
    transformer = SpectrogramTransformer(n_fft=n_fft, output_range=None)
    return transformer.transform(signals)[:, 0] * (20 / np.log(10))


def draw_spectrogram(ax, spectrogram, loudest):
    """Draw one, with low frequencies at the bottom.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    spectrogram : ndarray, shape (n_frequencies, n_frames)
        Decibels.
    loudest : float
        The decibels of the brightest color.
    """
    limits = {"vmin": loudest - _RANGE, "vmax": loudest}
    ax.imshow(spectrogram, cmap="magma", origin="lower", aspect="auto", **limits)
    ax.set(xticks=[], yticks=[])
