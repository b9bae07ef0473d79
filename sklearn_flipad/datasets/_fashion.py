"""Fashion-MNIST (Xiao et al., 2017), padded to 32x32."""

import gzip
from importlib.resources import files
from pathlib import Path

import numpy as np

__all__ = ["load_fashion_mnist", "load_fashion_sample"]

_DEBIAN_DIR = "/usr/share/datasets/fashion-mnist"
_PREFIXES = {"train": "train", "test": "t10k"}


def load_fashion_mnist(split="train", *, data_dir=None):
    """Load the Fashion-MNIST images as 32x32 grey levels.

    The 28x28 images are padded by two black pixels a side, which leaves every pixel as
    it was recorded.

    Parameters
    ----------
    split : {"train", "test"}, default="train"
        60,000 or 10,000 images.
    data_dir : path-like, default=None
        Folder with the IDX files ``train-images-idx3-ubyte.gz`` and
        ``t10k-images-idx3-ubyte.gz``. By default that of Debian's package
        ``dataset-fashion-mnist``; where it is not installed, the images are fetched
        from OpenML.

    Returns
    -------
    ndarray of uint8, shape (n, 1, 32, 32)

    Raises
    ------
    ValueError
        If `split` is unknown or the file is not an IDX file of 28x28 images.
    FileNotFoundError
        If `data_dir` is given and holds no such file.

    References
    ----------
    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
    Machine Learning Algorithms", arXiv:1708.07747.
    """
    if split not in _PREFIXES:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}.")
    path = Path(data_dir or _DEBIAN_DIR) / f"{_PREFIXES[split]}-images-idx3-ubyte.gz"
    if data_dir is None and not path.exists():
        return _pad(_fetch_openml(split))
    return _pad(_read_idx(path))


def load_fashion_sample(n=None):
    """Load the 2,000 real Fashion-MNIST images that are part of the package.

    They are the first images of the test split, which no shipped generator has seen.

    Parameters
    ----------
    n : int, default=None
        How many to return; all by default.

    Returns
    -------
    ndarray of uint8, shape (n, 1, 32, 32)

    Raises
    ------
    ValueError
        If `n` is not between 1 and 2,000.
    """
    with np.load(files(__package__) / "fashion-sample.npz", allow_pickle=False) as archive:
        images = archive["images"]
    if n is not None and not 1 <= n <= len(images):
        raise ValueError(f"n must be between 1 and {len(images)}, got {n}.")
    return _pad(images[:n])


def _read_idx(path):
    with gzip.open(path) as file:
        data = file.read()
    magic, n, height, width = np.frombuffer(data[:16], dtype=">i4")
    if magic != 2051 or (height, width) != (28, 28) or len(data) != 16 + n * 784:
        raise ValueError(f"{path} is not an IDX file of 28x28 images, or is truncated.")
    return np.frombuffer(data, np.uint8, offset=16).reshape(n, 28, 28)


def _fetch_openml(split):
    from sklearn.datasets import fetch_openml

    X = fetch_openml("Fashion-MNIST", version=1, as_frame=False).data
    X = X.astype(np.uint8).reshape(-1, 28, 28)
    return X[:60_000] if split == "train" else X[60_000:]


def _pad(images):
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[:, None]
