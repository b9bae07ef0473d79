"""The ECG generator of the package deepfake-ecg (MIT), and a recorded ECG of pydicom.

It makes 8 leads of 5,000 values from 8 x 5,000 uniform ones.
"""

import sys
import warnings

import numpy as np
import torch
from scipy import signal

from benchmarks.data.packages import module_from, python_files

__all__ = ["SHAPE", "as_ecg_file", "ecg_generator", "real_ecg", "uniform"]

SHAPE = (8, 5000)


def ecg_generator(folder):
    """The generator, from its package."""
    root = python_files("deepfake-ecg==1.1.2", folder) / "deepfakeecg"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # old names of initializers
        generator = module_from(root / "models" / "pulse2pulse.py").Pulse2pulseGenerator(
            model_size=50
        )
    state = torch.load(root / "checkpoints" / "g_stat.pt", map_location="cpu", weights_only=True)
    generator.load_state_dict(state["stat_dict"])
    return generator.eval()


def uniform(n, rng):
    """Latents: as in the package, uniform on [-1, 1]."""
    return rng.uniform(-1, 1, (n, *SHAPE)).astype(np.float32)


def real_ecg(folder):
    """Leads I, II and V1 to V6 of a recording, 10 s at 500 Hz, float32 of shape (1, 8, 5000).

    Integers of microvolts, divided by 6,000, as the generator scales them.
    """
    root = python_files("pydicom==3.0.1", folder)
    sys.path.insert(0, str(root))
    import pydicom

    record = pydicom.dcmread(root / "pydicom/data/test_files/waveform_ecg.dcm")
    channels = record.WaveformSequence[0].ChannelDefinitionSequence
    names = [c.ChannelSourceSequence[0].CodeMeaning.split()[1] for c in channels]
    leads = [names.index(name) for name in ("I", "II", *(f"V{k}" for k in range(1, 7)))]
    rate = int(record.WaveformSequence[0].SamplingFrequency)
    x = signal.resample_poly(record.waveform_array(0)[:, leads].T, 500, rate, axis=1)
    return as_ecg_file(x[None, :, :5000] / 6000)


def as_ecg_file(X):
    """ECGs as the package stores them: whole microvolts, cut off towards zero."""
    return (np.trunc(np.float64(X) * 6000) / 6000).astype(np.float32)
