"""Fashion-MNIST (Xiao et al., 2017), padded to 32x32."""

import gzip
import os
import struct
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np

from sklearn_flipad.storage.files import check_regular

__all__ = ["load_fashion_mnist", "load_fashion_sample"]

_DEBIAN_DIR = "/usr/share/datasets/fashion-mnist"
_PREFIXES = {"train": "train", "test": "t10k"}
#: Refused above this, so that a damaged header does not ask for all memory.
_MAX_IMAGES = 2**20


def load_fashion_mnist(split="train", *, contrast=0.75, data_dir=None, return_X_y=False):
    """Load the Fashion-MNIST images as 32x32 gray levels.

    The 28x28 images are padded by two background pixels per side, and their contrast is
    lowered around mid gray. Otherwise the black background, more than half of the pixels,
    lies where tanh is saturated: the output activation of a generator trained on such images
    is not invertible there, and an 8-bit image says nothing about the activations.

    Parameters
    ----------
    split : {"train", "test"}, default="train"
        60,000 or 10,000 images.
    contrast : float, default=0.75
        Factor of the gray levels' distance to mid gray, in (0, 1]; 1 leaves the images
        as they were recorded, and 0.75 takes 0..255 to 32..223.
    data_dir : path-like, default=None
        Folder with the IDX files ``train-images-idx3-ubyte.gz`` and
        ``t10k-images-idx3-ubyte.gz``, and those of the labels, if asked for. By default
        that of Debian's package ``dataset-fashion-mnist``; where it is not installed, the
        images are fetched from OpenML.
    return_X_y : bool, default=False
        Whether to return the labels, too.

    Returns
    -------
    X : ndarray of uint8, shape (n, 1, 32, 32)
        The images.
    y : ndarray of uint8, shape (n,)
        The kinds of garment, 0 to 9. Only with `return_X_y`.

    Raises
    ------
    ValueError
        If `split` is unknown, `contrast` is out of range, or a file is damaged or not an
        IDX file of 28x28 images or of their labels.
    FileNotFoundError
        If `data_dir` is given and holds no such file.

    References
    ----------
    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
    Machine Learning Algorithms", arXiv:1708.07747.
    """
    if split not in _PREFIXES:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}.")
    folder = Path(os.fsdecode(data_dir or _DEBIAN_DIR))
    path = folder / f"{_PREFIXES[split]}-images-idx3-ubyte.gz"
    if data_dir is None and not path.exists():
        X, y = _fetch_openml(split)
    else:
        X = _read_idx(path)
        labels = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
        y = _read_labels(labels, len(X)) if return_X_y else None
    X = _prepare(X, contrast)
    return (X, y) if return_X_y else X


def load_fashion_sample(n=None, *, contrast=0.75):
    """Load the 2,000 real Fashion-MNIST images that are part of the package.

    They are the first images of the test split, which no shipped generator has seen.

    Parameters
    ----------
    n : int, default=None
        Number of images; all by default.
    contrast : float, default=0.75
        See :func:`load_fashion_mnist`.

    Returns
    -------
    ndarray of uint8, shape (n, 1, 32, 32)

    Raises
    ------
    ValueError
        If `n` is not between 1 and 2,000, or `contrast` is out of range.
    """
    with np.load(files(__package__) / "fashion-sample.npz", allow_pickle=False) as archive:
        images = archive["images"]
    if n is not None and not 1 <= n <= len(images):
        raise ValueError(f"n must be between 1 and {len(images)}, got {n}.")
    return _prepare(images[:n], contrast)


def _read_idx(path):
    header, body = _read_gzip(path, 16, _MAX_IMAGES * 784)
    magic, n, height, width = struct.unpack(">4i", header)
    if magic != 2051 or (height, width) != (28, 28) or n < 1 or len(body) != n * 784:
        raise ValueError(f"{path} is not an IDX file of 28x28 images, or is truncated.")
    return np.frombuffer(body, np.uint8).reshape(n, 28, 28)


def _read_labels(path, n):
    header, body = _read_gzip(path, 8, n)
    if struct.unpack(">2i", header) != (2049, n) or len(body) != n:
        raise ValueError(f"{path} is not an IDX file of {n} labels, or is truncated.")
    labels = np.frombuffer(body, np.uint8)
    if labels.max() > 9:
        raise ValueError(f"{path} holds labels up to {labels.max()}; they must be 0 to 9.")
    return labels


def _read_gzip(path, n_header, max_body):
    """The first bytes of a compressed file, and the rest, cut one byte beyond `max_body`."""
    check_regular(path)
    try:
        with gzip.open(path) as file:
            header = file.read(n_header)
            body = b"".join(_blocks(file, max_body + 1))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is truncated or not a gzip file ({error}).") from error
    if len(header) < n_header:
        raise ValueError(f"{path} is not an IDX file: it holds {len(header)} bytes.")
    return header, body


def _blocks(file, n_bytes):
    # A single read would set aside all that it is allowed to return.
    while n_bytes and (block := file.read(min(n_bytes, 2**20))):
        yield block
        n_bytes -= len(block)


def _fetch_openml(split):
    from sklearn.datasets import fetch_openml

    X, y = fetch_openml("Fashion-MNIST", version=1, as_frame=False, return_X_y=True)
    X, y = X.astype(np.uint8).reshape(-1, 28, 28), y.astype(np.uint8)
    rows = slice(60_000) if split == "train" else slice(60_000, None)
    return X[rows], y[rows]


def _prepare(images, contrast):
    if not 0 < contrast <= 1:
        raise ValueError(f"contrast must lie in (0, 1], got {contrast}.")
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))[:, None]
    levels = np.rint(127.5 + contrast * (np.arange(256) - 127.5)).astype(np.uint8)
    return levels[images]
