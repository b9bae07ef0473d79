"""Bands of spatial frequency: rings of equal width up to the highest one."""

import numpy as np


def bands_of(sides, n_bands):
    """Band of each Fourier coefficient of a channel with these sides."""
    frequencies = np.meshgrid(*map(np.fft.fftfreq, sides), indexing="ij")
    radii = np.sqrt(sum(np.square(f) for f in frequencies))
    return (n_bands * radii / (np.max(radii) or 1)).astype(int).clip(max=n_bands - 1)


def energies_by_band(x, bands):
    """Mean energies of each band, shape (n, n_bands); those of white unit noise are 1."""
    axes = tuple(range(2, x.ndim))
    power = np.square(np.abs(np.fft.fftn(x.astype(np.float64), axes=axes, norm="ortho")))
    power = power.mean(axis=1).reshape(len(x), -1)
    counts = np.bincount(bands.ravel())
    return np.stack([np.bincount(bands.ravel(), row) / counts for row in power])


def limited_to(band, noise, bands):
    """The part of noise in one band, with the energy of all of it."""
    axes, each = tuple(range(2, noise.ndim)), tuple(range(1, noise.ndim))
    kept = np.fft.ifftn(np.fft.fftn(noise, axes=axes) * (bands == band), axes=axes).real
    energies = [np.square(x).mean(axis=each, keepdims=True) for x in (noise, kept)]
    return (kept * np.sqrt(energies[0] / energies[1])).astype(np.float32)
