"""Perturbations of sound, as editing and transmission cause them.

Like :mod:`sklearn_flipad.evaluation.perturbations` these are stateless transformers that prepare
samples, not steps of an attributor. None of them rounds; see
:func:`~sklearn_flipad.datasets.quantize_audio`.
"""

import io
from math import gcd
from numbers import Integral, Real

import numpy as np
from scipy.signal import resample_poly
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.evaluation._bases import SoundPerturbation, noise_of

__all__ = ["AudioCompression", "Gain", "MuLaw", "Resampling", "WhiteNoise"]

#: soundfile's format and subtype of each codec.
_CODECS = {"vorbis": ("OGG", "VORBIS"), "mp3": ("MP3", "MPEG_LAYER_III")}


class Gain(SoundPerturbation):
    """Amplification by a constant factor; values outside [-1, 1] are clipped.

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


class WhiteNoise(SoundPerturbation):
    """White Gaussian noise at a signal-to-noise ratio.

    The noise is seeded by the signal itself and by `random_state`, so it does not depend on the
    other signals of a batch or on their order. Silence stays silent.

    Parameters
    ----------
    snr : float, default=30.0
        Power of the signal relative to that of the noise, in decibels.
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


class Resampling(SoundPerturbation):
    """Resampling to another rate and back, by polyphase filters.

    Frequencies above half the lower rate are lost. The length stays the same.

    Parameters
    ----------
    rate : int
        Sampling rate of X, in samples per second.
    through : int, default=16000
        Intermediate sampling rate; telephones use 8,000.
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


class MuLaw(SoundPerturbation):
    """Rounding to 8 bits on the logarithmic scale of telephones (mu-law).

    The continuous formula with mu = 255, which ITU-T G.711 approximates by segments. For a
    telephone call, apply :class:`Resampling` through 8,000 samples per second first.

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


class AudioCompression(SoundPerturbation):
    """A round trip through a lossy file format; needs soundfile.

    Parameters
    ----------
    rate : int
        Sampling rate of X in samples per second, which the codec takes into account.
    codec : {"vorbis", "mp3"}, default="vorbis"
        OGG Vorbis or MP3.
    level : float, default=0.5
        Compression level of soundfile, from 0 (best quality) to less than 1 (smallest file).

    Raises
    ------
    ImportError
        In ``transform``, if soundfile is not installed.
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
