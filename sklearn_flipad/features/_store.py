"""A content-addressed store of features on disk."""

import hashlib

import numpy as np

__all__ = ["FeatureStore"]


class FeatureStore:
    """Features by a digest of the sample and of all that its features depend on.

    The store is a :mod:`diskcache` folder: entries appear whole or not at all, several
    processes may share it, and the entries used least recently leave when it grows past
    its limit.

    Parameters
    ----------
    folder : path-like
        Where the store is kept.
    size_limit : int
        Bytes on disk.
    context : str
        What the features depend on besides the sample.
    shape : tuple of int
        Shape of the features of one sample.

    Raises
    ------
    ImportError
        If diskcache is not installed.
    """

    def __init__(self, folder, *, size_limit, context, shape):
        try:
            import diskcache
        except ImportError as error:
            raise ImportError(
                "cache_dir needs diskcache: pip install 'sklearn-flipad[cache]'."
            ) from error
        self._cache = diskcache.Cache(
            str(folder), size_limit=size_limit, eviction_policy="least-recently-used"
        )
        self._context = hashlib.sha256(context.encode())
        self._shape = shape

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._cache.close()

    def keys(self, X):
        """One key for each sample of X."""
        keys = []
        for sample in np.ascontiguousarray(X):
            digest = self._context.copy()
            digest.update(f"{sample.dtype}{sample.shape}".encode())
            digest.update(sample.tobytes())
            keys.append(digest.hexdigest())
        return keys

    def get(self, key):
        """Features and duality gap of a sample, or None."""
        content = self._cache.get(key)
        if content is None or len(content) != 8 + 4 * int(np.prod(self._shape)):
            return None
        gap = np.frombuffer(content, np.float64, count=1)[0]
        return np.frombuffer(content, np.float32, offset=8).reshape(self._shape), gap

    def put(self, keys, features, gaps):
        """Store a batch of samples."""
        with self._cache.transact():
            for key, sample, gap in zip(keys, features, gaps, strict=True):
                self._cache.set(key, np.float64(gap).tobytes() + sample.tobytes())
