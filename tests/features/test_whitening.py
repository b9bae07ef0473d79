"""InlierWhitener."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

from sklearn_flipad import InlierScaler, InlierWhitener
from sklearn_flipad.detectors import ExternalDetector
from sklearn_flipad.features import whitening


def correlated(n, n_features, *, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(1).normal(size=(n_features, n_features))
    return (rng.normal(size=(n, n_features)) @ mixing + 3).astype(dtype)


@pytest.fixture
def data():
    X = correlated(900, 24).reshape(900, 2, 3, 4)
    y = np.r_[np.ones(500, int), -np.ones(250, int), np.zeros(150, int)]
    X[y == -1] *= 2
    return X, y


def test_equals_pca_on_well_conditioned_data():
    X = correlated(500, 10)
    pca, whitener = PCA(whiten=True).fit(X), InlierWhitener(ridge=0).fit(X)
    np.testing.assert_allclose(whitener.variances_, pca.explained_variance_)
    np.testing.assert_allclose(np.abs(whitener.components_), np.abs(pca.components_), atol=1e-9)
    X_new = correlated(50, 10, seed=2)
    np.testing.assert_allclose(
        np.abs(whitener.transform(X_new)), np.abs(pca.transform(X_new)), atol=1e-9
    )


def test_squared_norm_is_the_mahalanobis_distance():
    X, X_new = correlated(500, 10), correlated(50, 10, seed=2)
    whitened = InlierWhitener(ridge=0).fit(X).transform(X_new)
    # The maximum-likelihood covariance divides by n, not by n - 1.
    expected = EmpiricalCovariance().fit(X).mahalanobis(X_new) * 499 / 500
    np.testing.assert_allclose(np.square(whitened).sum(axis=1), expected)


def test_statistics_are_those_of_the_inliers(data):
    X, y = data
    whitener = InlierWhitener(ridge=0).fit(X, y)
    own = X[y == 1].reshape(500, -1)
    np.testing.assert_allclose(whitener.mean_, own.mean(axis=0))
    whitened = whitener.transform(X)
    assert whitened.shape == (900, 24)
    np.testing.assert_allclose(np.cov(whitened[y == 1].T), np.eye(24), atol=1e-9)
    np.testing.assert_array_equal(
        whitened, InlierWhitener(ridge=0).fit(X[y == 1]).transform(X)
    )  # without labels, all are inliers
    assert whitener.n_inliers_ == 500


@pytest.mark.parametrize(("ridge", "exponent"), [(0, 0), (0, 0.5), (0.1, 1), (2, 0.3), (1e-4, 1)])
def test_ridge_and_exponent_against_the_definition(ridge, exponent):
    X = correlated(300, 6)
    values, vectors = np.linalg.eigh(np.cov(X.T))
    expected = (X - X.mean(axis=0)) @ vectors
    expected *= (values + ridge * values.mean()) ** (-exponent / 2)
    found = InlierWhitener(ridge=ridge, exponent=exponent).fit_transform(X)
    np.testing.assert_allclose(np.abs(found), np.abs(expected[:, ::-1]), atol=1e-9)


def test_exponent_0_keeps_distances(data):
    X, y = data
    rotated = InlierWhitener(exponent=0, ridge=0).fit(X, y).transform(X)
    distances = np.linalg.norm(rotated[:10] - rotated[10:20], axis=1)
    expected = np.linalg.norm((X[:10] - X[10:20]).reshape(10, -1), axis=1)
    np.testing.assert_allclose(distances, expected)


def test_ridge_is_relative_to_the_mean_variance(data):
    X, y = data
    whitened = InlierWhitener(ridge=0.01).fit(X, y).transform(X)
    scaled = InlierWhitener(ridge=0.01).fit(1000 * X, y).transform(1000 * X)
    np.testing.assert_allclose(scaled, whitened, atol=1e-9)


@pytest.mark.parametrize("block", [1, 5, 8, 24, 100])
def test_blocks_are_whitened_apart(data, block):
    X, y = data
    flat = X.reshape(900, -1)
    whitener = InlierWhitener(ridge=0, block=block).fit(X, y)
    found = whitener.transform(X)
    for start in range(0, 24, block):
        columns = slice(start, start + block)
        alone = InlierWhitener(ridge=0).fit(flat[:, columns], y).transform(flat[:, columns])
        np.testing.assert_allclose(found[:, columns], alone, atol=1e-9)
    np.testing.assert_allclose(whitener.inverse_transform(found), X, atol=1e-9)
    assert whitener.components_.shape == (24, min(block, 24))


def test_blocks_of_one_feature_are_standardized(data):
    X, y = data
    X = X + np.arange(24).reshape(X.shape[1:])
    found = InlierWhitener(ridge=0, block=1).fit(X, y).transform(X)
    expected = InlierScaler(eps=0).fit(X, y).transform(X).reshape(900, -1) * np.sqrt(499 / 500)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(("n_features", "size"), [(10, 10), (11, 6), (20, 10), (21, 7)])
def test_default_blocks_are_few_and_equal(monkeypatch, n_features, size):
    monkeypatch.setattr(whitening, "_MAX_BLOCK", 10)
    assert InlierWhitener().fit(correlated(40, n_features)).block_size_ == size


def test_streaming_changes_nothing(data, monkeypatch):
    X, y = data
    whitener = InlierWhitener().fit(X, y)
    monkeypatch.setattr(whitening, "_N_ROWS_FIT", 7)
    again = InlierWhitener().fit(X, y)
    np.testing.assert_allclose(again.mean_, whitener.mean_, rtol=1e-12)
    np.testing.assert_allclose(again.transform(X), whitener.transform(X), atol=1e-9)


def test_mean_far_from_0_costs_no_digits():
    X = correlated(500, 6)
    far = InlierWhitener(ridge=0).fit_transform(X + 1e6)
    np.testing.assert_allclose(far, InlierWhitener(ridge=0).fit_transform(X), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_features", [1, 7, 64, 129])
def test_sample_depends_on_no_other(dtype, n_features):
    X = correlated(150, n_features, dtype=dtype)
    whitener = InlierWhitener(block=100).fit(X)
    whole = whitener.transform(X)
    back = whitener.inverse_transform(whole)
    n_threads = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for rows in (slice(3, 4), slice(0, 70), slice(60, 149), slice(None, None, -1)):
                np.testing.assert_array_equal(whitener.transform(X[rows]), whole[rows])
                np.testing.assert_array_equal(whitener.inverse_transform(whole[rows]), back[rows])
    finally:
        torch.set_num_threads(n_threads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_types(dtype):
    X = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4)).astype(dtype)
    whitener = InlierWhitener().fit(X)
    expected = np.float64 if dtype == np.float64 else np.float32
    whitened = whitener.transform(X)
    assert {whitened.dtype, whitener.mean_.dtype, whitener.components_.dtype} == {
        np.dtype(expected)
    }
    restored = whitener.inverse_transform(whitened)
    assert restored.dtype == expected
    assert restored.shape == X.shape
    np.testing.assert_allclose(restored, X, atol=1e-2)


def test_flat_equals_deep(data):
    X, y = data
    flat = InlierWhitener().fit(X.reshape(900, -1), y)
    deep = InlierWhitener().fit(X, y)
    np.testing.assert_array_equal(flat.transform(X.reshape(900, -1)), deep.transform(X))
    np.testing.assert_array_equal(deep.transform(X.reshape(900, -1)), deep.transform(X))
    assert flat.inverse_transform(flat.transform(X.reshape(900, -1))).shape == (900, 24)


def test_frames_and_names(data):
    X, y = data
    names = [f"inlierwhitener{i}" for i in range(24)]
    whitener = InlierWhitener().fit(X, y).set_output(transform="pandas")
    assert list(whitener.transform(X).columns) == names  # of images too: they leave as rows
    frame = pd.DataFrame(X.reshape(900, -1)).add_prefix("f")
    found = whitener.fit_transform(frame, y)
    assert list(found.columns) == list(whitener.get_feature_names_out()) == names
    np.testing.assert_allclose(whitener.inverse_transform(found), frame, atol=1e-9)


def test_fewer_inliers_than_features():
    X = correlated(20, 40)
    with pytest.raises(ValueError, match=r"20 inliers is singular.* 21 directions.*ridge > 0"):
        InlierWhitener(ridge=0).fit(X)
    with pytest.warns(UserWarning, match="20 inliers are too few to whiten 40 features"):
        whitened = InlierWhitener().fit_transform(X)
    assert np.isfinite(whitened).all()
    assert np.isfinite(InlierWhitener(ridge=0, exponent=0).fit_transform(X)).all()
    InlierWhitener(ridge=0, block=8).fit(X)


def test_constant_features():
    X = np.c_[correlated(50, 3), np.ones(50)]
    with pytest.raises(ValueError, match="1 directions"):
        InlierWhitener(ridge=0).fit(X)
    assert not InlierWhitener(block=3).fit_transform(X)[:, 3].any()
    np.testing.assert_array_equal(InlierWhitener().fit_transform(np.ones((4, 2))), np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("params", "change", "match"),
    [
        ({}, lambda y: -np.abs(y), "no sample is labeled"),
        ({}, lambda y: y + 1, "got also 2"),
        ({}, lambda y: y[:-1], "899 labels for 900 samples"),
        ({"ridge": -1}, lambda y: y, "'ridge'"),
        ({"exponent": 1.5}, lambda y: y, "'exponent'"),
        ({"block": 0}, lambda y: y, "'block'"),
    ],
)
def test_bad_input(data, params, change, match):
    X, y = data
    whitener = InlierWhitener(**params)
    with pytest.raises(ValueError, match=match):
        whitener.fit(X, change(y))
    assert not hasattr(whitener, "mean_")


def test_other_shapes_and_scales_than_in_fit(data):
    X, y = data
    whitener = InlierWhitener().fit(X, y)
    with pytest.raises(ValueError, match="12 features"):
        whitener.transform(X[:, :1])
    with pytest.raises(ValueError, match="23 features"):
        whitener.inverse_transform(np.ones((2, 23)))
    with pytest.raises(ValueError, match="too large for their covariance"):
        InlierWhitener().fit(np.array([[1e200], [-1e200]]))


def test_copies_give_the_same(data):
    X, y = data
    whitener = InlierWhitener(ridge=0.1, block=7).fit(X, y)
    whitened = whitener.transform(X)
    copies = [pickle.loads(pickle.dumps(whitener)), clone(whitener).fit(X, y)]
    copies.append(make_pipeline(FrozenEstimator(whitener)).fit(X[:1]))
    for copy in copies:
        np.testing.assert_array_equal(copy.transform(X), whitened)


def test_gaussian_of_one_variance_ranks_by_the_mahalanobis_distance():
    X, X_new = correlated(500, 10), correlated(50, 10, seed=2)
    whitener = InlierWhitener(ridge=0)
    gaussian = ExternalDetector(GaussianMixture(covariance_type="spherical"))
    scores = make_pipeline(whitener, gaussian).fit(X, np.ones(500)).score_samples(X_new)
    distances = EmpiricalCovariance().fit(X).mahalanobis(X_new)
    np.testing.assert_array_equal(np.argsort(-scores), np.argsort(distances))


def test_memory_of_fit_and_transform():
    X = np.random.default_rng(0).normal(size=(40_000, 64)).astype(np.float32)
    tracemalloc.start()
    whitener = InlierWhitener().fit(X, np.ones(len(X)))
    fitted = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    whitener.transform(X)
    transformed = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fitted < X.nbytes / 2
    assert transformed < 1.5 * X.nbytes
