"""Outputs of code from elsewhere, by which to know it again: its weights are not enough."""

from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["check_output", "on_cpu", "ramps"]

#: Largest difference between outputs, as a part of the largest output, that other processors and
#: versions of torch may cause.
_TOLERANCE = 1e-4


def ramps(sample_shape):
    """Two samples in [-1, 1], shape (2, *sample_shape)."""
    ramp = torch.linspace(-1, 1, int(np.prod(sample_shape)), device="cpu").reshape(1, *sample_shape)
    return torch.cat([ramp, -ramp])


def check_output(found, expected, name):
    """Raise ValueError if an output differs from the stored one by more than rounding."""
    expected = np.asarray(expected)
    scale = np.abs(expected).max(initial=0.0)
    if found.shape == expected.shape and np.abs(found - expected).max() <= _TOLERANCE * scale:
        return
    raise ValueError(
        f"{name} returns something else than what was stored: its weights are the same, but its "
        "code is not, or what it was built with. Use the code with which the attributor was fitted"
    )


@contextmanager
def on_cpu(*modules):
    """Keep modules on the CPU for the time of a ``with`` block."""
    devices = [_device(module) for module in modules]
    try:
        for module in modules:
            module.cpu()
        yield
    finally:
        for module, device in zip(modules, devices, strict=True):
            module.to(device)


def _device(module):
    return next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))
