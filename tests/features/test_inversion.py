"""FinalLayerInverter: inputs, outputs, and independence of batches and order."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from sklearn_flipad import FinalLayer, FinalLayerInverter, OutputActivation
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.features import _engine
from sklearn_flipad.generators import sample
from sklearn_flipad.solvers import FISTA, DouglasRachford, LassoProblem
from tests.bits import assert_same_bits


@pytest.fixture(scope="module")
def images(dcgan):
    """Four images of the generator and four real ones."""
    return np.concatenate([sample(dcgan, 4, random_state=1), load_fashion_sample(4)])


@pytest.fixture(scope="module")
def features(dcgan_layer, images):
    return FinalLayerInverter(dcgan_layer).fit_transform(images)


def test_shapes_follow_the_input(dcgan_layer, images, features):
    inverter = FinalLayerInverter(dcgan_layer).fit(images)
    assert features.shape == (8, *dcgan_layer.input_shape)
    assert features.dtype == np.float32
    assert inverter.n_features_in_ == 32 * 32
    flat = inverter.transform(images.reshape(8, -1))
    assert flat.shape == (8, features[0].size)
    np.testing.assert_array_equal(flat.reshape(features.shape), features)
    assert len(inverter.get_feature_names_out()) == features[0].size


@pytest.fixture(scope="module", params=["image", "table"])
def many(request, dcgan_layer, linear_layer):
    """A layer, samples, and their features."""
    if request.param == "image":
        layer, X = dcgan_layer, load_fashion_sample(21)
    else:
        layer, X = linear_layer, np.random.default_rng(0).normal(size=(53, 5))
    return layer, X, FinalLayerInverter(layer).transform(X)


def test_alone_equals_in_a_batch(many):
    layer, X, features = many
    for i in (0, 5, 20):
        alone = FinalLayerInverter(layer).transform(X[i : i + 1])
        assert_same_bits(alone[0], features[i])


@pytest.mark.parametrize("batch_size", [1, 3, 8, 40])
def test_any_batch_size(many, batch_size):
    layer, X, features = many
    found = FinalLayerInverter(layer, batch_size=batch_size).transform(X)
    assert_same_bits(found, features)


def test_order_does_not_matter(many):
    layer, X, features = many
    order = np.random.default_rng(0).permutation(len(X))
    assert_same_bits(FinalLayerInverter(layer).transform(X[order]), features[order])


@pytest.mark.parametrize("workers", [False, True])
@pytest.mark.parametrize("n_threads", [2, 3])
def test_any_number_of_threads(many, n_threads, workers, monkeypatch):
    monkeypatch.setattr(_engine, "_is_of_rows", lambda layer: workers)
    layer, X, features = many
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        found = FinalLayerInverter(layer).transform(X)
        path = FinalLayerInverter(layer).transform_path(X, [1e-1, 1e-3])
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert_same_bits(found, features)
    np.testing.assert_array_equal(path, FinalLayerInverter(layer).transform_path(X, [1e-1, 1e-3]))


def test_result_certifies_itself(dcgan_layer, images, features):
    inverter = FinalLayerInverter(dcgan_layer, tol=5e-3)
    result = inverter.invert(images)
    assert result.converged.all()
    assert (result.gap <= 5e-3).all()
    # The objective of equation (5), computed anew in float64.
    operator = dcgan_layer.operator(dtype=torch.float64)
    z = torch.from_numpy(result.activations.astype(np.float64) - dcgan_layer.mean_activation)
    x = torch.from_numpy(images.astype(np.float64) / 127.5 - 1)
    b = dcgan_layer.shifted_target(x, clip_eps=inverter.clip_eps)
    problem = LassoProblem(operator, b, inverter.lam)
    objective = problem.primal(z, problem.residual(z)).numpy()
    np.testing.assert_allclose(result.objective, objective, rtol=1e-4)


def test_solvers_agree(linear_layer):
    X = np.random.default_rng(0).normal(size=(6, 5))
    inverter = FinalLayerInverter(linear_layer, lam=0.05, tol=1e-5, max_iter=100_000)
    found = [
        inverter.set_params(solver=solver).transform(X)
        for solver in (
            "auto",
            "douglas-rachford",
            "fista",
            FISTA(restart=True),
            DouglasRachford(10),
        )
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=5e-3)


def test_uint8_means_exact_gray_levels(dcgan_layer, images):
    inverter = FinalLayerInverter(dcgan_layer)
    as_float = inverter.transform(images.astype(np.float64) / 127.5 - 1)
    np.testing.assert_allclose(as_float, inverter.transform(images), atol=1e-5)


def test_inverse_transform(dcgan_layer, images):
    inverter = FinalLayerInverter(dcgan_layer, lam=1e-4).fit(images)
    result = inverter.invert(images)
    back = inverter.inverse_transform(result.activations)
    assert back.shape == images.shape
    assert np.abs(back - (images / 127.5 - 1)).max() < 0.02
    flat = inverter.inverse_transform(result.activations.reshape(8, -1))
    np.testing.assert_allclose(flat.reshape(back.shape), back, atol=1e-6)


def test_pooling(dcgan_layer, images, features):
    pooled = FinalLayerInverter(dcgan_layer, pool_size=2).fit_transform(images)
    expected = features.reshape(8, 32, 8, 2, 8, 2).max(axis=(3, 5))
    np.testing.assert_allclose(pooled, expected, atol=1e-5)


def test_path_equals_separate_solves(dcgan_layer, images):
    lams = [1e-3, 1e-2, 3e-3]
    inverter = FinalLayerInverter(dcgan_layer, tol=1e-3, max_iter=10_000)
    path = inverter.transform_path(images[:2], lams)
    assert path.shape == (3, 2, *dcgan_layer.input_shape)
    for lam, found in zip(lams, path, strict=True):
        alone = FinalLayerInverter(dcgan_layer, lam=lam, tol=1e-3, max_iter=10_000)
        scale = np.abs(found - dcgan_layer.mean_activation).max()
        difference = np.abs(found - alone.transform(images[:2]))
        assert np.sqrt(np.mean(difference**2)) < 0.05 * scale


def test_transform_changes_nothing(dcgan_layer, images):
    inverter = FinalLayerInverter(dcgan_layer).fit(images)
    before = dict(vars(inverter))
    inverter.transform(images)
    inverter.invert(images)
    assert vars(inverter) == before


def test_one_warning_says_how_many_and_by_how_much(dcgan_layer, images):
    inverter = FinalLayerInverter(dcgan_layer, max_iter=20)
    with pytest.warns(ConvergenceWarning) as record:
        inverter.transform(images)
    assert len(record) == 1
    message = str(record[0].message)
    assert message.startswith("8 of 8 inversions missed tol=0.01 after max_iter=20")
    assert "largest relative duality gap is 0." in message


def test_converged_gives_no_warning(dcgan_layer, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert FinalLayerInverter(dcgan_layer).invert(images).converged.all()


def test_table_layer(linear_layer):
    X = np.random.default_rng(0).normal(size=(7, 5))
    features = FinalLayerInverter(linear_layer, lam=1e-2).fit_transform(X)
    assert features.shape == (7, 12)
    np.testing.assert_allclose(
        FinalLayerInverter(linear_layer).inverse_transform(features), X, atol=0.1
    )


BAD_IMAGES = {
    "NaN": (lambda X: np.where(np.arange(1024).reshape(X[0].shape) == 5, np.nan, X / 300),
            "contains NaN or infinity: 8 of 8 samples, the first is sample 0"),
    "inf": (lambda X: X / np.r_[1000.0, 0, np.full(6, 1000.0)][:, None, None, None],
            "first is sample 1"),
    "range": (lambda X: X / 100.0 - 1, r"outside the range \[-1, 1\]"),
    "shape": (lambda X: X[:, :, :-1], r"shape \(n, 1, 32, 32\) or \(n, 1024\)"),
    "flat shape": (lambda X: X.reshape(8, -1)[:, :-1], r"got \(8, 1023\)"),
    "empty": (lambda X: X[:0], "minimum of 1 is required"),
    "empty table": (lambda X: X[:0].reshape(0, 1024), "minimum of 1 is required"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images(dcgan_layer, images, name):
    spoil, match = BAD_IMAGES[name]
    inverter = FinalLayerInverter(dcgan_layer)
    with pytest.raises(ValueError, match=match):
        inverter.transform(spoil(images))
    with pytest.raises(ValueError, match=match):
        inverter.fit(spoil(images))
    assert not hasattr(inverter, "n_features_in_")


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"lam": -1e-3}, "'lam'"),
        ({"lam": 0}, "'lam'"),
        ({"tol": 0}, "'tol'"),
        ({"solver": "ista"}, "'solver'"),
        ({"device": "cuda:99"}, "device='cuda:99' cannot be used"),
        ({"device": "abacus"}, "device='abacus' cannot be used"),
        ({"batch_size": 0}, "'batch_size'"),
        ({"pool_size": 17}, "larger than the activations"),
    ],
)
def test_bad_parameters(dcgan_layer, images, params, match):
    with pytest.raises(ValueError, match=match):
        FinalLayerInverter(dcgan_layer, **params).fit(images).transform(images)


def test_bad_penalties_of_a_path(dcgan_layer, images):
    for lams in ([], [1e-3, -1], 1e-3):
        with pytest.raises(ValueError, match="lams must be"):
            FinalLayerInverter(dcgan_layer).transform_path(images, lams)


def test_pooling_needs_space(linear_layer):
    with pytest.raises(ValueError, match="spatial axes"):
        FinalLayerInverter(linear_layer, pool_size=2).transform(np.zeros((1, 5)))


def test_pooled_activations_cannot_be_mapped_back(dcgan_layer):
    with pytest.raises(ValueError, match="Pooled activations"):
        FinalLayerInverter(dcgan_layer).inverse_transform(np.zeros((2, 32, 8, 8)))


def test_uint8_needs_a_range():
    module = torch.nn.Conv2d(4, 1, 3, padding=1)
    unbounded = FinalLayer.from_module(module, input_shape=(4, 8, 8))
    X = np.zeros((2, 1, 8, 8), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"output_range=\(low, high\)"):
        FinalLayerInverter(unbounded).transform(X)
    ranged = FinalLayer.from_module(module, input_shape=(4, 8, 8), output_range=(-1, 1))
    found = FinalLayerInverter(ranged).transform(X)
    np.testing.assert_allclose(found, FinalLayerInverter(unbounded).transform(X - 1.0), atol=1e-5)


def test_leaky_relu_and_softplus_layers():
    torch.manual_seed(0)
    module = torch.nn.Linear(30, 6)
    for activation in (OutputActivation("leaky_relu", slope=0.1), OutputActivation("softplus")):
        layer = FinalLayer.from_module(module, input_shape=(30,), activation=activation)
        X = layer.decode(torch.randn(5, 30)).detach().numpy()
        inverter = FinalLayerInverter(layer, lam=1e-4)
        np.testing.assert_allclose(inverter.inverse_transform(inverter.transform(X)), X, atol=0.02)


@pytest.mark.gpu
def test_cuda_equals_cpu(dcgan_layer, images, features):
    found = FinalLayerInverter(dcgan_layer, device="cuda").transform(images)
    np.testing.assert_allclose(found, features, atol=1e-2)
