"""Gray levels 0..255 and the values that they stand for."""

import numpy as np
import torch

__all__ = ["as_gray_levels", "from_gray_levels", "to_gray_levels"]


def as_gray_levels(array, given):
    """Integers as uint8 gray levels, by the type in which they were `given`; floats unchanged."""
    if array.dtype == np.uint8 or given.kind not in "biu":
        return array
    low, high = array.min(), array.max()
    if given.kind == "b" or (low >= 0 and high == 1):
        raise ValueError(
            f"X holds only 0 and 1 ({given}), which could be black and white or the gray levels "
            "0 and 1. Pass uint8 gray levels (0 is black, 255 is white), or floats."
        )
    if low < 0 or high > 255:
        bits = 8 * given.itemsize
        sound = f", as X / {2 ** (bits - 1)} for sounds of {bits} bits" if bits in (16, 32) else ""
        raise ValueError(
            f"X holds integers from {low:g} to {high:g} ({given}). Integers are gray levels "
            f"from 0 to 255; scale others to floats in the range of the model's output{sound}."
        )
    return array.astype(np.uint8)


def from_gray_levels(x, output_range):
    """Gray levels as float64, 0 and 255 at the ends of `output_range`; other types unchanged."""
    if x.dtype not in (np.uint8, torch.uint8):
        return x
    low, high = output_range
    levels = x.double() if isinstance(x, torch.Tensor) else x.astype(np.float64)
    return levels * ((high - low) / 255) + low


def to_gray_levels(x, output_range):
    """Values as the nearest uint8 gray levels; those outside `output_range` are clipped."""
    low, high = output_range
    levels = np.rint((x.astype(np.float64) - low) * (255 / (high - low)))
    return np.clip(levels, 0, 255).astype(np.uint8)
