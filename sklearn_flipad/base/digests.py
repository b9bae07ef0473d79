"""Digests of arrays, by which equal samples are found."""

import sys
from hashlib import blake2b

import numpy as np

__all__ = ["row_digests"]


def row_digests(X):
    """64-bit digest of each row of an array, data frame or sequence of arrays, uint64 (n,).

    Equal values have equal digests, whatever their type.
    """
    X = X.to_numpy() if hasattr(X, "to_numpy") else X
    if hasattr(X, "tocsr"):
        X = X.tocsr()
        samples = (X[[row]].toarray() for row in range(X.shape[0]))
    elif hasattr(X, "shape"):
        samples = np.asarray(X)  # at once what is read from a file, or computed, when asked for
    else:
        samples = X
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    return np.fromiter(map(_digest, samples), np.uint64, n)


def _digest(sample):
    sample = np.asarray(sample)
    if sample.dtype.kind in "biuf":
        content = (sample.astype(np.float64) + 0.0).tobytes()  # -0.0 + 0.0 is 0.0, its equal
    else:
        content = repr(sample.tolist()).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), sys.byteorder)
