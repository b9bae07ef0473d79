"""Fashion-MNIST: the sample in the package and the files of the data set."""

import numpy as np
import pytest

from sklearn_flipad.datasets import load_fashion_mnist, load_fashion_sample


def test_fashion_sample():
    X = load_fashion_sample()
    assert X.shape == (2000, 1, 32, 32)
    assert X.dtype == np.uint8
    assert X.min() == 32
    assert X.max() == 223
    assert (X[:, :, :2] == 32).all()
    recorded = load_fashion_sample(10, contrast=1)
    np.testing.assert_array_equal(np.rint(127.5 + 0.75 * (recorded - 127.5)), X[:10])
    for n in (0, 2001):
        with pytest.raises(ValueError, match="between 1 and 2000"):
            load_fashion_sample(n)
    with pytest.raises(ValueError, match="contrast"):
        load_fashion_sample(contrast=0)


def test_fashion_mnist_from_idx_files(tmp_path):
    import gzip

    images = np.arange(2 * 784, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)
    header = np.array([2051, 2, 28, 28], dtype=">i4").tobytes()
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(header + images.tobytes()))
    X = load_fashion_mnist("test", contrast=1, data_dir=tmp_path)
    np.testing.assert_array_equal(X[:, 0, 2:-2, 2:-2], images)
    path.write_bytes(gzip.compress(header + images.tobytes()[:-1]))
    with pytest.raises(ValueError, match="truncated"):
        load_fashion_mnist("test", data_dir=tmp_path)
    with pytest.raises(FileNotFoundError):
        load_fashion_mnist("train", data_dir=tmp_path)
    path.write_bytes(gzip.compress(header + images.tobytes()))
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    header = np.array([2049, 2], dtype=">i4").tobytes()
    labels.write_bytes(gzip.compress(header + bytes([9, 3])))
    X, y = load_fashion_mnist("test", data_dir=tmp_path, return_X_y=True)
    assert X.shape == (2, 1, 32, 32)
    np.testing.assert_array_equal(y, [9, 3])
    labels.write_bytes(gzip.compress(header + bytes([9])))
    with pytest.raises(ValueError, match="IDX file of 2 labels"):
        load_fashion_mnist("test", data_dir=tmp_path, return_X_y=True)
