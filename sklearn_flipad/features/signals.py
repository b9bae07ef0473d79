"""Spectra of short frames of a signal."""

from numbers import Integral, Real

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft
from scipy.signal import windows
from sklearn.utils._param_validation import Interval

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.samples import shape_of
from sklearn_flipad.features._stateless import StatelessTransformer

__all__ = ["SpectrogramTransformer"]

#: Elements of the frames that are transformed at a time.
_MAX_ELEMENTS = 2**22


class SpectrogramTransformer(StatelessTransformer):
    """Logarithmic short-time spectra of signals, or their mean over time.

    Each channel is cut into frames of `n_fft` samples, which overlap and are weighted by a Hann
    window. A feature is the logarithm of the magnitude of a Fourier coefficient plus a small
    constant. Unlike DCT coefficients of the whole signal, magnitudes of short frames hardly depend
    on where in the signal a sound begins.

    Parameters
    ----------
    n_fft : int, default=512
        Samples of a frame, at most the length of the signals.
    hop_length : int, default=None
        Samples from the start of a frame to that of the next; a quarter of `n_fft` by default.
        Samples after the last whole frame are not used.
    average : bool, default=False
        Whether features are the means over all frames, one for each channel and frequency. They
        are few and stable: the fingerprint that a model leaves in all of its sounds.
    eps : float, default=1e-5
        Constant inside the logarithm, > 0. The default is the size of rounding to 16 bits for
        signals in [-1, 1].
    output_range : pair of float or None, default=(-1, 1)
        Range of floats; None for any.
    image_shape : tuple of int, default=None
        Shape ``(channels, length)`` of signals of several channels that come flattened. Without
        it, each row of a 2-D X is a signal of one channel.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one signal.

    See Also
    --------
    DCTTransformer : Spectra of whole samples, the features of DCTPAD.
    make_spectral : The attributor.

    Notes
    -----
    The transformer is stateless, like :class:`DCTTransformer`.

    References
    ----------
    Frank and Schönherr, "WaveFake: A Data Set to Facilitate Audio Deepfake Detection", NeurIPS
    2021 (Datasets and Benchmarks), whose Figure 2 shows that mean spectra differ by vocoder.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad import SpectrogramTransformer
    >>> tone = np.sin(2 * np.pi * np.arange(32) / 4)[None, None]
    >>> SpectrogramTransformer(n_fft=8, average=True).fit_transform(tone).round(1)
    array([[[-11.5,   0. ,   0.7,   0. , -11.5]]])
    >>> SpectrogramTransformer(n_fft=8).fit_transform(tone).shape
    (1, 1, 5, 13)
    """

    _parameter_constraints: dict = {
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left"), None],
        "average": ["boolean"],
        "eps": [Interval(Real, 0, None, closed="neither")],
        "output_range": [tuple, list, None],
        "image_shape": [tuple, None],
    }

    def __init__(
        self,
        *,
        n_fft=512,
        hop_length=None,
        average=False,
        eps=1e-5,
        output_range=(-1.0, 1.0),
        image_shape=None,
    ):
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.average = average
        self.eps = eps
        self.output_range = output_range
        self.image_shape = image_shape

    _takes_images = False

    def _checked(self, X, *, reset=False):
        shape = shape_of(X)
        if self.image_shape is not None and len(self.image_shape) != 2:
            raise ValueError(
                f"image_shape must be the (channels, length) of signals, got {self.image_shape}."
            )
        if len(shape) == 4:
            raise ValueError(
                Message(
                    f"X must have shape (n, channels, length) or (n, n_features), got {shape}, "
                    "which are images. ",
                    Term("DCTTransformer takes those", "dct"),
                    ".",
                )
            )
        return super()._checked(X, reset=reset)

    def _side(self):
        return None

    def _hop(self):
        return self.hop_length or max(self.n_fft // 4, 1)

    def _shape_of_one(self, X):
        """Shape (channels, length) of one signal; rows of unknown shape are one channel."""
        shape = super()._shape_of_one(X)
        return shape if len(shape) == 2 else (1, X.shape[-1])

    def _out_shape(self, shape):
        channels, length = shape
        if length < self.n_fft:
            raise ValueError(
                Message(
                    f"Signals of n_features={length} for each channel are shorter than a frame of "
                    f"n_fft={self.n_fft} samples: ",
                    Term("pass a smaller n_fft", "python"),
                    ".",
                )
            )
        n_frequencies = self.n_fft // 2 + 1
        if self.average:
            return (channels, n_frequencies)
        return (channels, n_frequencies, (length - self.n_fft) // self._hop() + 1)

    def _transform(self, samples):
        step = max(1, _MAX_ELEMENTS // int(4 * np.prod(samples.shape[1:])))
        parts = [self._spectra(samples[i : i + step]) for i in range(0, len(samples), step)]
        return np.concatenate(parts)

    def _spectra(self, samples):
        frames = sliding_window_view(samples.astype(np.float64), self.n_fft, axis=-1)
        frames = frames[:, :, :: self._hop()] * windows.hann(self.n_fft, sym=False)
        spectra = np.log(np.abs(fft.rfft(frames)) + self.eps)
        spectra = spectra.mean(axis=2) if self.average else spectra.swapaxes(2, 3)
        return np.ascontiguousarray(spectra, dtype=samples.dtype)
