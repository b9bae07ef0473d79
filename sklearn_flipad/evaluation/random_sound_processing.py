"""Random processing of sounds: the counterpart of random processing of images."""

from fractions import Fraction

import numpy as np
from scipy.signal import butter, resample_poly, sosfilt

from sklearn_flipad.evaluation._bases import SoundPerturbation
from sklearn_flipad.evaluation._random_chains import Number, RandomChain, Step

__all__ = ["RandomSoundProcessing"]

#: Largest denominator of a resampling, on which the length of its filters depends.
_DENOMINATOR = 50
#: Order of the low-pass filter.
_ORDER = 4


def _gain(signal, rng, decibels):
    return signal * 10 ** (decibels / 20)


def _resample(signal, rng, factor):
    found = Fraction(factor).limit_denominator(_DENOMINATOR)
    there = resample_poly(signal, found.numerator, found.denominator, axis=-1)
    back = resample_poly(there, found.denominator, found.numerator, axis=-1)
    return back[:, : signal.shape[-1]]


def _lowpass(signal, rng, cutoff):
    return sosfilt(butter(_ORDER, cutoff, output="sos"), signal, axis=-1)


def _noise(signal, rng, snr):
    std = np.sqrt(np.square(signal).mean()) * 10 ** (-snr / 20)
    return signal + std * rng.standard_normal(signal.shape)


def _quantize(signal, rng, bits):
    return np.rint(signal * 2 ** (bits - 1)) / 2 ** (bits - 1)


_KINDS = {
    "gain": Step(_gain, {"decibels": Number(-6.0, 6.0, -120.0, 120.0)}),
    "resample": Step(_resample, {"factor": Number(0.4, 1.0, 0.05, 4.0)}),
    "lowpass": Step(_lowpass, {"cutoff": Number(0.3, 0.9, 0.01, 0.99)}),
    "noise": Step(_noise, {"snr": Number(20.0, 60.0, -40.0, 120.0)}),
    "quantize": Step(_quantize, {"bits": Number(12, 16, 2, 24, whole=True)}),
}
_PRESETS = {
    "platform": (
        ("gain", 0.7, {"decibels": (-6, 3)}),
        ("resample", 0.5, {"factor": (0.7, 1.0)}),
        ("lowpass", 0.7, {"cutoff": (0.7, 0.9)}),
        ("quantize", 1.0, {"bits": 16}),
    ),
    "messenger": (
        ("gain", 0.5),
        ("resample", 1.0, {"factor": (0.36, 0.75)}),
        ("noise", 0.5, {"snr": (35, 60)}),
        ("quantize", 1.0),
    ),
    "recording": (
        ("gain", 1.0, {"decibels": (-12, 0)}),
        ("lowpass", 1.0, {"cutoff": (0.3, 0.8)}),
        ("noise", 1.0, {"snr": (20, 45)}),
        ("quantize", 1.0, {"bits": 16}),
    ),
}


class RandomSoundProcessing(RandomChain, SoundPerturbation):
    """Steps of processing that are drawn for each signal.

    The draw is seeded by the signal itself and by `random_state`, so it does not depend on the
    other signals of a batch or on their order. The steps are applied in order, each with its
    probability, with parameters that are drawn uniformly. Values are clipped to [-1, 1] after each
    step.

    ============  ====================================================================
    Kind          Parameters and default ranges
    ============  ====================================================================
    ``gain``      ``decibels``, -6 to 6
    ``resample``  to ``factor`` of the sampling rate, 0.4 to 1, and back
    ``lowpass``   Butterworth filter of order 4; ``cutoff``, 0.3 to 0.9 of half the
                  sampling rate
    ``noise``     white, Gaussian; signal-to-noise ratio ``snr`` in decibels, 20 to 60
    ``quantize``  rounding to ``bits``, 12 to 16
    ============  ====================================================================

    The presets are assumptions, not measurements of any service:

    - ``"platform"``, a site that normalizes the loudness of uploads and encodes them: gain
      (probability 0.7; -6 to 3), resample (0.5; 0.7 to 1), lowpass (0.7; 0.7 to 0.9), quantize (1;
      16).
    - ``"messenger"``, a voice message at a low rate: gain (0.5), resample (1; 0.36 to 0.75), noise
      (0.5; 35 to 60), quantize (1).
    - ``"recording"``, a sound that is played and recorded again: gain (1; -12 to 0), lowpass (1;
      0.3 to 0.8), noise (1; 20 to 45), quantize (1; 16).

    Lossy codecs are not among the steps; see
    :class:`~sklearn_flipad.evaluation.sound_perturbations.AudioCompression`.

    Parameters
    ----------
    chain : {"platform", "messenger", "recording"} or sequence, default="platform"
        A preset, or the steps, as in :class:`RandomProcessing`.
    random_state : int, default=0
        Seed.

    See Also
    --------
    RandomProcessing : The same for images.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.evaluation import RandomSoundProcessing
    >>> X = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 1, 500))
    >>> processing = RandomSoundProcessing(["gain", ("noise", 0.5, {"snr": 30})]).fit(X)
    >>> processing.transform(X).shape
    (3, 1, 500)
    >>> list(processing.draw(X))
    ['gain_decibels', 'noise_snr']
    """

    _kinds, _presets = _KINDS, _PRESETS
    #: The sixth decimal is a thirtieth of a step of 16 bits.
    _limits, _decimals = (-1, 1), 6

    _parameter_constraints: dict = {
        **RandomChain._parameter_constraints,
        "chain": [str, list, tuple],
    }

    def __init__(self, chain="platform", random_state=0):
        self.chain = chain
        self.random_state = random_state

    def _perturb(self, signal):
        return self._processed(signal, self._steps())
