"""Lists of samples that differ in size."""

import numpy as np
import torch

from sklearn_flipad.base.digests import row_digests
from sklearn_flipad.base.gray_levels import as_gray_levels
from sklearn_flipad.base.samples import as_array, shapes_of

__all__ = ["as_objects", "as_sample_list", "is_ragged", "sample_digests"]


def is_ragged(X):
    """Return whether X is a sequence of samples that do not form one array."""
    if isinstance(X, np.ndarray) and (X.dtype != object or X.ndim != 1):
        return False
    if not isinstance(X, list | tuple | np.ndarray) or not len(X):
        return False
    return len(shapes_of(X) or ()) > 1


def as_sample_list(X):
    """List of samples (channels, ...) as ndarrays of one type: uint8, float32 or float64."""
    if isinstance(X, torch.Tensor) or not isinstance(X, list | tuple | np.ndarray):
        X = as_array(X)
    samples = [np.asarray(as_array(x)) for x in X]
    if not samples:
        raise ValueError("X holds no sample: Found array with 0 sample(s).")
    for number, sample in enumerate(samples):
        if sample.ndim < 2 or not sample.size:
            raise ValueError(
                f"Sample {number} has shape {sample.shape}. Windows are cut from signals "
                "(channels, length), images (channels, height, width) and frames of these, not "
                "from rows; a single sample is passed as [x], a signal of one channel as x[None]."
            )
        if sample.ndim == 2 and sample.shape[1] == 1 < sample.shape[0]:
            raise ValueError(
                f"Sample {number} has shape {sample.shape}, a signal whose channel comes last: "
                "pass it as np.moveaxis(x, -1, 0)."
            )
        if sample.dtype.kind not in "biuf":
            raise ValueError(f"Sample {number} holds {sample.dtype}, not numbers.")
    types = {sample.dtype for sample in samples}
    if len(types) > 1:
        names = " and ".join(sorted(map(str, types)))
        raise ValueError(
            f"The samples are of several types, {names}. Gray levels (uint8) and floats mean "
            "different things: pass samples of one type."
        )
    (dtype,) = types
    if dtype.kind in "biu" and dtype != np.uint8:
        ends = [[sample.min(), sample.max()] for sample in samples]
        as_gray_levels(np.array(ends), dtype)
        samples = [sample.astype(np.uint8) for sample in samples]
    elif dtype == np.float16:
        samples = [sample.astype(np.float32) for sample in samples]
    return samples


def as_objects(samples):
    """Samples as an array of objects (n,), which takes slices and indices."""
    found = np.empty(len(samples), dtype=object)
    for number, sample in enumerate(samples):
        found[number] = sample
    return found


def sample_digests(X):
    """64-bit digest of each sample, uint64 of shape (n,); equal samples have equal digests."""
    return row_digests(X if is_ragged(X) else as_array(X))
