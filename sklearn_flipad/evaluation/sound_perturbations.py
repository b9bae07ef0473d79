"""Perturbations that people apply to sound, on purpose or by sending it.

Stateless transformers of signals, in the manner of
:mod:`sklearn_flipad.evaluation.perturbations`: they prepare training samples and suspects, and are
no step of an attributor. None of them rounds: see
:func:`~sklearn_flipad.datasets.quantize_audio`.
"""

import io
from math import gcd
from numbers import Integral, Real

import numpy as np
from scipy.signal import resample_poly
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.base.samples import check_samples, shape_of
from sklearn_flipad.evaluation._stateless import StatelessPerturbation, noise_of

__all__ = ["AudioCompression", "Gain", "MuLaw", "Resampling", "WhiteNoise"]

#: Format and subtype of soundfile by the name of the codec.
_CODECS = {"vorbis": ("OGG", "VORBIS"), "mp3": ("MP3", "MPEG_LAYER_III")}


class _SoundPerturbation(StatelessPerturbation):
    """A stateless transformer of signals in [-1, 1]."""

    def transform(self, X):
        """Perturb signals.

        Parameters
        ----------
        X : array-like of float, shape (n, n_channels, length)
            Signals in [-1, 1].

        Returns
        -------
        ndarray, shape (n, n_channels, length)
            Of the type of X, clipped to [-1, 1].

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or has another shape.
        """
        self._validate_params()
        X = self._checked(X)
        perturbed = np.stack([self._perturb(signal) for signal in X.astype(np.float64)])
        return np.clip(perturbed, -1, 1).astype(X.dtype)

    def _checked(self, X, *, reset=False):
        shape = shape_of(X)
        if len(shape) != 3:
            raise ValueError(
                f"X must have shape (n, n_channels, length), got {shape}. For signals of one "
                "channel pass X[:, None]."
            )
        return check_samples(self, X, reset=reset, value_range=(-1, 1), output_range=None)


class Gain(_SoundPerturbation):
    """Louder or softer; what leaves [-1, 1] is clipped.

    Parameters
    ----------
    decibels : float, default=-6.0
        20 times the decimal logarithm of the factor.

    Examples
    --------
    >>> from sklearn_flipad.evaluation.sound_perturbations import Gain
    >>> Gain(20).fit_transform([[[0.01, -0.5]]])
    array([[[ 0.1, -1. ]]])
    """

    _parameter_constraints: dict = {"decibels": [Interval(Real, None, None, closed="neither")]}

    def __init__(self, decibels=-6.0):
        self.decibels = decibels

    def _perturb(self, signal):
        return signal * 10 ** (self.decibels / 20)


class WhiteNoise(_SoundPerturbation):
    """White Gaussian noise at a signal-to-noise ratio.

    The noise of a signal is seeded by the signal itself and `random_state`, so it depends on no
    other signal, on no batch and on no order. Silence stays silence.

    Parameters
    ----------
    snr : float, default=30.0
        Power of the signal over that of the noise, in decibels.
    random_state : int, default=0
        Seed.
    """

    _parameter_constraints: dict = {
        "snr": [Interval(Real, None, None, closed="neither")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, snr=30.0, random_state=0):
        self.snr = snr
        self.random_state = random_state

    def _perturb(self, signal):
        std = np.sqrt(np.square(signal).mean()) * 10 ** (-self.snr / 20)
        return signal + std * noise_of(signal, self.random_state)


class Resampling(_SoundPerturbation):
    """To another rate and back, by polyphase filters.

    What lies above half the lower rate is lost. The length stays the same.

    Parameters
    ----------
    rate : int
        Samples a second of X.
    through : int, default=16000
        Samples a second in between; 8,000 is that of a telephone.
    """

    _parameter_constraints: dict = {
        "rate": [Interval(Integral, 1, None, closed="left")],
        "through": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, rate, through=16000):
        self.rate = rate
        self.through = through

    def _perturb(self, signal):
        common = gcd(self.rate, self.through)
        up, down = self.through // common, self.rate // common
        there = resample_poly(signal, up, down, axis=-1)
        return resample_poly(there, down, up, axis=-1)[:, : signal.shape[-1]]


class MuLaw(_SoundPerturbation):
    """Rounding to 8 bits on the logarithmic scale of telephones.

    By the formula of the mu-law, mu = 255, that the segments of ITU-T G.711 approximate. A
    telephone call is this after :class:`Resampling` through 8,000 samples a second.

    Examples
    --------
    >>> from sklearn_flipad.evaluation.sound_perturbations import MuLaw
    >>> MuLaw().fit_transform([[[0.0, 0.5, 1.0]]]).round(3)
    array([[[0.   , 0.495, 1.   ]]])
    """

    _parameter_constraints: dict = {}

    def _perturb(self, signal):
        compressed = np.sign(signal) * np.log1p(255 * np.abs(signal)) / np.log(256)
        levels = np.rint(127 * compressed) / 127
        return np.sign(levels) * np.expm1(np.abs(levels) * np.log(256)) / 255


class AudioCompression(_SoundPerturbation):
    """A round trip through a lossy file format; needs soundfile.

    Parameters
    ----------
    rate : int
        Samples a second, of which the codec makes use.
    codec : {"vorbis", "mp3"}, default="vorbis"
        OGG Vorbis or MP3.
    level : float, default=0.5
        Compression, from 0 (best quality) to less than 1 (small files), as soundfile has it.

    Raises
    ------
    ImportError
        By ``transform``, if soundfile is not installed.
    """

    _parameter_constraints: dict = {
        "rate": [Interval(Integral, 1, None, closed="left")],
        "codec": [StrOptions(set(_CODECS))],
        "level": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(self, rate, codec="vorbis", level=0.5):
        self.rate = rate
        self.codec = codec
        self.level = level

    def _perturb(self, signal):
        soundfile = import_optional("soundfile", "AudioCompression needs soundfile", "audio")
        container, subtype = _CODECS[self.codec]
        file = io.BytesIO()
        soundfile.write(
            file,
            signal.T,
            self.rate,
            format=container,
            subtype=subtype,
            compression_level=self.level,
        )
        file.seek(0)
        decoded, _ = soundfile.read(file, always_2d=True)
        return decoded.T[:, : signal.shape[-1]]
