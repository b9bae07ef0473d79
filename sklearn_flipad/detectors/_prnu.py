"""Noise residuals by wavelet denoising, as in PRNU camera identification."""

import numpy as np
from scipy import fft, ndimage

from sklearn_flipad.base.optional import import_optional

__all__ = ["noise_residual", "wiener_adaptive"]

_WINDOWS = (3, 5, 7, 9)
#: Weights of red, green and blue, ITU-R BT.601.
_GRAY = (0.299, 0.587, 0.114)


def noise_residual(images, *, sigma=5.0, wavelet="db4", levels=4):
    """Noise that a wavelet denoiser removes from images of gray levels, shape (n, height, width).

    The detail coefficients go through an adaptive Wiener filter that keeps their noise, and the
    approximation is dropped. Colors become gray, row and column means are removed, and a Wiener
    filter in the Fourier domain removes periodic patterns. Small images get fewer `levels`. See
    Lukas, Fridrich and Goljan, "Digital camera identification from sensor pattern noise", IEEE TIFS
    2006; Marra et al., "Do GANs leave artificial fingerprints?", MIPR 2019.
    """
    pywt = import_optional("pywt", "Noise residuals need PyWavelets", "fingerprint")
    height, width = images.shape[2:]
    levels = max(1, min(levels, pywt.dwt_max_level(min(height, width), wavelet)))
    approximation, *details = pywt.wavedec2(images, wavelet, level=levels, axes=(2, 3))
    noise = [tuple(wiener_adaptive(band, sigma**2) for band in bands) for bands in details]
    residual = pywt.waverec2([np.zeros_like(approximation), *noise], wavelet, axes=(2, 3))
    residual = residual[:, :, :height, :width]
    gray = residual[:, 0] if len(residual[0]) == 1 else np.tensordot(residual, _GRAY, (1, 0))
    return _wiener_fourier(_zero_mean(gray))


def wiener_adaptive(x, noise_variance):
    """Noise in zero-mean coefficients, shape (..., height, width), whose local variance varies.

    The variance of the signal is the smallest excess of the local mean square over the noise, in
    windows of 3, 5, 7 and 9 pixels a side.
    """
    square = x**2
    axes = (x.ndim - 2, x.ndim - 1)
    signal = np.full_like(square, np.inf)
    for size in _WINDOWS:
        mean = ndimage.uniform_filter(square, size, mode="constant", axes=axes)
        np.minimum(signal, np.maximum(mean - noise_variance, 0), out=signal)
    total = signal + noise_variance
    return x * np.divide(noise_variance, total, out=np.zeros_like(total), where=total > 0)


def _zero_mean(x):
    """Residuals without row and column means, on each of the four interleaved pixel grids."""
    x = x - x.mean(axis=(1, 2), keepdims=True)
    for i in (0, 1):
        for j in (0, 1):
            grid = x[:, i::2, j::2]
            if grid.size:
                grid -= grid.mean(axis=1, keepdims=True)
                grid -= grid.mean(axis=2, keepdims=True)
    return x


def _wiener_fourier(x):
    """Residuals without periodic patterns: only the noise of the spectrum's magnitude is kept."""
    spectrum = fft.fft2(x, axes=(1, 2))
    magnitude = np.abs(spectrum) / np.sqrt(x[0].size)
    variance = x.var(axis=(1, 2), keepdims=True, ddof=1)
    noise = wiener_adaptive(magnitude, variance)
    gain = np.divide(noise, magnitude, out=np.zeros_like(noise), where=magnitude > 0)
    return fft.ifft2(spectrum * gain, axes=(1, 2)).real
