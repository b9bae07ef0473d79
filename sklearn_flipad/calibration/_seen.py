"""Digests of the samples seen in fit, which are no fresh samples of a reference population."""

import warnings
from hashlib import blake2b

import numpy as np

from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import as_array

__all__ = ["check_fresh", "digests"]


def digests(X, rows=slice(None)):
    """64-bit digest of each row, uint64 of shape (n_rows,); empty if X holds no numbers."""
    if is_ragged(X):
        X = [as_array(sample) for sample in X]
    else:
        X = as_array(X)
        X = X.to_numpy() if hasattr(X, "to_numpy") else X
        if not isinstance(X, np.ndarray) or X.dtype.kind not in "biuf":
            return np.empty(0, dtype=np.uint64)
    samples = (np.asarray(X[row], dtype=np.float64) for row in np.arange(len(X))[rows])
    hashed = [blake2b(sample.tobytes(), digest_size=8).digest() for sample in samples]
    return np.frombuffer(b"".join(hashed), dtype=np.uint64)


def check_fresh(X, seen):
    """Raise ValueError if most samples were seen in fit; warn if a few are equal to such."""
    known = np.isin(digests(X), seen)
    if not known.any():
        return
    message = (
        f"{known.sum()} of {len(known)} samples are equal to samples that the detector was fitted "
        f"to; the first is sample {known.argmax()}. Such samples do not score as new ones do, and "
        "p-values against them would be wrong. "
    )
    if 2 * known.sum() > len(known):
        raise ValueError(
            message + "Pass others, or hold out negatives: pass their name as reference= to the "
            "calibrator and fit again."
        )
    advice = "Leave them out, unless equal samples are common in this population."
    warnings.warn(message + advice, UserWarning, stacklevel=4)
