"""WAV files as signals, and signals as WAV files hold them."""

from collections import Counter

import numpy as np
from sklearn.utils import Bunch

from sklearn_flipad.datasets.files.facts import count_facts, facts_of
from sklearn_flipad.datasets.files.loading import read_samples
from sklearn_flipad.datasets.files.wav import check_wav_options, decode_wav, max_wav_size

__all__ = ["load_audio", "quantize_audio"]

#: Largest fraction of the values that may be clipped.
_MAX_CLIPPED = 0.05
_ROUNDINGS = {"nearest": np.rint, "truncate": np.trunc}


def load_audio(paths, *, rate, length=None, n_channels=None, same_length=True, on_error="raise"):
    """Load WAV files as signals, channels first.

    Integers of 8, 16, 24 and 32 bits are divided by the magnitude of their smallest one, so
    that they lie in [-1, 1): 16-bit samples v become v / 32768. Floats are taken as they are.
    Nothing is resampled, mixed or cut. Files that were written to a pipe, whose headers tell no
    length, are read to their end; RF64 is read too.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Files and folders, as :func:`~sklearn_flipad.scoring.score_files` takes them.
    rate : int
        Samples per second. Files of another rate are refused.
    length : int, default=None
        Samples per channel. Files of another length are refused; by default, all must have one
        length.
    n_channels : int, default=None
        Channels. Files with another number are refused; by default, all must have the same if
        `same_length`.
    same_length : bool, default=True
        Whether signals must have one length. With False, they are a list of arrays of any length,
        as attributors of windows take them.
    on_error : {"raise", "skip"}, default="raise"
        See :func:`load_images`.

    Returns
    -------
    Bunch
        ``signals`` : ndarray of float32, shape (n, n_channels, length), or a list of arrays
        (n_channels, length);
        ``filenames``, ``errors``, ``n_hidden``, ``file_facts`` and ``facts`` (bits per sample) as
        of :func:`load_images`.

    Raises
    ------
    ValueError
        If a parameter is out of range, if files could not be read and `on_error` is ``"raise"``,
        if no file could be read, or if lengths or numbers of channels differ and must not.
    TypeError
        If `paths` holds something that is not a path.
    FileNotFoundError
        If `paths` is a single path that does not exist.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from scipy.io import wavfile
    >>> from sklearn_flipad.datasets import load_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     wavfile.write(f"{folder}/a.wav", 8000, np.array([0, 16384, -32768], np.int16))
    ...     load_audio(folder, rate=8000).signals
    array([[[ 0. ,  0.5, -1. ]]], dtype=float32)
    """
    check_wav_options(rate, length, n_channels)
    found = read_samples(
        paths,
        lambda data: decode_wav(data, rate=rate, length=length, n_channels=n_channels),
        max_bytes=max_wav_size(length),
        same_shape=same_length,
        on_error=on_error,
    )
    return Bunch(
        signals=found.samples,
        filenames=found.filenames,
        errors=found.errors,
        n_hidden=found.n_hidden,
        file_facts=count_facts(Counter(map("; ".join, found.steps))),
        facts=[facts_of("; ".join(steps)) for steps in found.steps],
    )


def quantize_audio(X, *, bits=16, rounding="nearest"):
    """Round signals to the values that a WAV file of integers holds.

    They are what :func:`load_audio` returns for a file that stores ``round(x * 2**(bits - 1))``,
    or that number without its fraction. Own samples must be rounded as the program that wrote the
    suspects' files does.

    Parameters
    ----------
    X : array-like of float, shape (n, n_channels, length)
        Signals in [-1, 1].
    bits : {8, 16, 24, 32}, default=16
        Bits per sample.
    rounding : {"nearest", "truncate"}, default="nearest"
        ``"truncate"`` drops the fraction, toward zero, as ``astype("int16")`` does in the scripts
        of HiFi-GAN and of other vocoders.

    Returns
    -------
    ndarray of float32, shape (n, n_channels, length)
        Multiples of ``2**(1 - bits)`` in [-1, 1); values outside are clipped, as writers do.

    Raises
    ------
    ValueError
        If `bits` or `rounding` is another value, or more than one value in twenty lies outside
        of [-1, 1].

    Examples
    --------
    >>> from sklearn_flipad.datasets import quantize_audio
    >>> quantize_audio([[[0.3, -1.0, 1.0]]], bits=8)
    array([[[ 0.296875 , -1.       ,  0.9921875]]], dtype=float32)
    >>> quantize_audio([[[0.3, -1.0, 0.34]]], bits=8, rounding="truncate") * 128
    array([[[  38., -128.,   43.]]], dtype=float32)
    """
    if bits not in (8, 16, 24, 32):
        raise ValueError(f"bits must be 8, 16, 24 or 32, got {bits!r}.")
    if rounding not in _ROUNDINGS:
        raise ValueError(f"rounding must be 'nearest' or 'truncate', got {rounding!r}.")
    X = np.asarray(X, dtype=np.float64)
    outside = float((np.abs(X) > 1.001).mean()) if X.size else 0.0
    if outside > _MAX_CLIPPED:
        raise ValueError(
            f"{outside:.1%} of the values lie outside of [-1, 1], the range of WAV files of "
            f"integers: they range from {X.min():.6g} to {X.max():.6g}. Rescale them as the "
            "writer of the files does."
        )
    scale = 2.0 ** (bits - 1)
    return (np.clip(_ROUNDINGS[rounding](X * scale), -scale, scale - 1) / scale).astype(np.float32)
