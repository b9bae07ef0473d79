"""Python numbers in place of those of NumPy and torch."""

import numpy as np
import torch

__all__ = ["plain_numbers"]


def plain_numbers(value):
    """The value with scalars and arrays of one element as Python numbers, also in sequences."""
    if isinstance(value, tuple | list):
        kind = list if isinstance(value, list) else tuple
        return kind(map(plain_numbers, value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 and not value.is_meta else value
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype != object:
        return value.item()
    return value
