"""Conditions of networks: tensors with a row for each sample."""

import numpy as np
import torch

__all__ = ["as_tensors", "rows_of"]


def as_tensors(condition):
    """Conditions with arrays and sequences as tensors, floats in single precision."""
    return {
        name: _as_tensor(value) if isinstance(value, list | tuple | np.ndarray) else value
        for name, value in condition.items()
    }


def _as_tensor(value):
    x = torch.as_tensor(np.asarray(value))
    return x.float() if x.is_floating_point() else x


def rows_of(condition, n):
    """Conditions as tensors; ValueError if one has not a row for each of n samples."""
    condition = as_tensors(condition)
    for name, value in condition.items():
        if not isinstance(value, torch.Tensor) or value.ndim == 0 or len(value) != n:
            given = f"shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
            raise ValueError(
                f"{name} must have a row for each of the {n} samples, as torch.tensor([...]) of "
                f"shape ({n}, ...), got {given}."
            )
    return condition
