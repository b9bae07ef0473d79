"""Torch devices."""

import torch

__all__ = ["DEVICE_ERRORS", "resolve_device"]

#: What torch raises where the fault is not that of the data.
DEVICE_ERRORS = (
    torch.OutOfMemoryError,
    getattr(torch, "AcceleratorError", torch.OutOfMemoryError),
)


def resolve_device(device):
    """Torch device that a parameter ``device`` names; for None CUDA if available, else the CPU."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError) as error:
        found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise ValueError(
            f"device={str(device)!r} cannot be used: {str(error).splitlines()[0]} "
            f"Devices on this machine: {', '.join(found)}."
        ) from error
    return resolved
