"""InlierScaler and ChannelSelector."""

import numpy as np
import pytest

from sklearn_flipad import ChannelSelector, InlierScaler


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(3, 2, size=(600, 4, 3, 3)).astype(np.float32)
    y = np.r_[np.ones(300, int), -np.ones(200, int), np.zeros(100, int)]
    X[y == -1, 2] += 5
    return X, y


def test_statistics_are_those_of_the_inliers(data):
    X, y = data
    scaler = InlierScaler(eps=0.1).fit(X, y)
    np.testing.assert_allclose(scaler.mean_, X[y == 1].mean(0), rtol=1e-5)
    np.testing.assert_allclose(scaler.scale_, X[y == 1].std(0) + 0.1, rtol=1e-5)
    scaled = scaler.transform(X)
    assert scaled.dtype == np.float32
    assert scaled.shape == X.shape
    np.testing.assert_allclose(scaled[y == 1].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaler.inverse_transform(scaled), X, atol=1e-4)


def test_without_labels_all_are_inliers(data):
    X, _ = data
    np.testing.assert_allclose(InlierScaler().fit(X).mean_, X.mean(0), rtol=1e-5)


def test_constant_features():
    X = np.ones((4, 2))
    np.testing.assert_array_equal(InlierScaler(eps=0).fit_transform(X), np.zeros((4, 2)))


def test_flat_equals_deep(data):
    X, y = data
    flat = InlierScaler().fit(X.reshape(600, -1), y).transform(X.reshape(600, -1))
    np.testing.assert_array_equal(flat, InlierScaler().fit(X, y).transform(X).reshape(600, -1))


def test_channel_that_differs_is_kept(data):
    X, y = data
    selector = ChannelSelector(k=1).fit(X, y)
    expected = np.abs(X[y == 1].mean(0) - X[y == -1].mean(0)).mean((1, 2))
    np.testing.assert_allclose(selector.scores_, expected, rtol=1e-5)
    np.testing.assert_array_equal(selector.transform(X), X[:, 2:3])
    support = selector.get_support().reshape(X.shape[1:])
    np.testing.assert_array_equal(support.any((1, 2)), [False, False, True, False])
    np.testing.assert_array_equal(support.all((1, 2)), [False, False, True, False])
    assert ChannelSelector().fit(X, y).transform(X).shape == X.shape


def test_columns_of_a_table_are_channels(data):
    X, y = data
    flat = X[:, :, 0, 0]
    selector = ChannelSelector(k=2).fit(flat, y)
    np.testing.assert_array_equal(selector.transform(flat), flat[:, selector.get_support()])


@pytest.mark.parametrize(
    ("estimator", "change", "match"),
    [
        (InlierScaler(), lambda y: -np.abs(y), "no sample is labeled"),
        (InlierScaler(), lambda y: y + 1, "got also 2"),
        (InlierScaler(), lambda y: y[:-1], "599 labels for 600 samples"),
        (InlierScaler(eps=-1), lambda y: y, "'eps'"),
        (ChannelSelector(), lambda y: np.ones_like(y), "one class only"),
        (ChannelSelector(k=5), lambda y: y, "more than the 4 channels"),
        (ChannelSelector(k=0), lambda y: y, "'k'"),
    ],
)
def test_bad_input(data, estimator, change, match):
    X, y = data
    with pytest.raises(ValueError, match=match):
        estimator.fit(X, change(y))
    assert not [name for name in vars(estimator) if name in ("mean_", "scores_")]


def test_another_shape_than_in_fit(data):
    X, y = data
    with pytest.raises(ValueError, match="36 features"):
        InlierScaler().fit(X, y).transform(X[:, :2])


def test_selected_channels_go_back_to_their_places(data):
    X, y = data
    selector = ChannelSelector(k=2).fit(X, y)
    kept = selector.get_support().reshape(X.shape[1:]).all(axis=(1, 2))
    back = selector.inverse_transform(selector.transform(X))
    np.testing.assert_array_equal(back[:, kept], X[:, kept])
    assert not back[:, ~kept].any()
    rows = X.reshape(len(X), -1)
    flat = selector.transform(rows)
    np.testing.assert_array_equal(flat, selector.transform(X).reshape(len(X), -1))
    np.testing.assert_array_equal(selector.inverse_transform(flat), back.reshape(len(X), -1))
    assert len(selector.get_feature_names_out()) == flat.shape[1]
    with pytest.raises(ValueError, match="X must have shape"):
        selector.inverse_transform(X)


def test_gray_levels_can_be_scaled_and_scaled_back():
    X = np.random.default_rng(0).integers(0, 256, (50, 1, 4, 4), dtype=np.uint8)
    scaler = InlierScaler().fit(X)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(X)), X, atol=1e-3)


def test_variances_that_overflow_are_refused():
    with pytest.raises(ValueError, match="too large for their variance"):
        InlierScaler().fit(np.array([[1e200], [-1e200]]))
