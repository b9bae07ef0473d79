"""DeepSADDetector, its loss and its networks."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_flipad import DeepSADDetector, FNRThresholdCalibrator, InlierScaler
from sklearn_flipad.detectors import MLP, DeepSADLoss, LeNet


def _detector(**params):
    return DeepSADDetector(
        **{"max_epochs": 3, "lr": 1e-2, "module_params": {"hidden": (32,)}, "random_state": 0}
        | params
    )


@pytest.fixture
def blobs():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (300, 8)), rng.normal(3, 1, (300, 8))])
    return X, np.repeat([1, -1], 300)


def test_loss_is_equation_6():
    loss = DeepSADLoss(eta=2.0, eps=1e-6)
    loss.center = torch.tensor([1.0, 0.0])
    representation = torch.tensor([[1.0, 2.0], [1.0, 2.0], [2.0, 0.0]])
    y = torch.tensor([0.0, 1.0, -1.0])
    expected = (4 + 2 * 4 + 2 * 1 / 1) / 3
    assert float(loss(representation, y)) == pytest.approx(expected, rel=1e-5)


def test_loss_survives_an_outlier_at_the_center():
    loss = DeepSADLoss()
    loss.center = torch.zeros(2)
    representation = torch.zeros(1, 2, requires_grad=True)
    value = loss(representation, torch.tensor([-1.0]))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(representation.grad).all()


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (LeNet((1, 32, 32)), (1, 32, 32)),
        (LeNet((3, 128, 128), channels=(32, 64, 128, 256)), (3, 128, 128)),
        (LeNet((64, 16, 16), channels=(128, 256, 128), rep_dim=32), (64, 16, 16)),
        (LeNet((2, 3, 5)), (2, 3, 5)),
        (LeNet((32, 500)), (32, 500)),
        (MLP((11,)), (11,)),
        (MLP((2, 3), hidden=(8,), rep_dim=4), (2, 3)),
    ],
)
def test_networks(network, shape):
    out = network.eval()(torch.randn(2, *shape))
    assert out.ndim == 2
    assert len(out) == 2
    # A bias or an affine normalization would allow the trivial solution.
    assert all(name.endswith("weight") for name, _ in network.named_parameters())
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    assert not [m for m in network.modules() if isinstance(m, norms) and m.affine]
    torch.testing.assert_close(network(torch.zeros(1, *shape)), torch.zeros(1, out.shape[1]))


def test_paper_network_for_32_pixels():
    shapes = [tuple(p.shape) for p in LeNet((3, 32, 32)).parameters()]
    assert shapes == [(32, 3, 5, 5), (64, 32, 5, 5), (128, 64, 5, 5), (128, 128 * 16)]


def test_separates_blobs(blobs):
    X, y = blobs
    detector = _detector(max_epochs=10).fit(X, y)
    assert (detector.predict(X) == y).mean() > 0.95
    scores = detector.score_samples(X)
    np.testing.assert_allclose(detector.decision_function(X), scores - detector.offset_)
    assert scores[y == 1].min() > scores[y == -1].min()
    assert (scores <= 0).all()
    assert len(detector.history_) == 10
    assert detector.history_[-1] < detector.history_[0]


def test_score_is_minus_the_distance_to_the_center(blobs):
    X, y = blobs
    detector = _detector().fit(X, y)
    scores = detector.score_samples(X)
    network = detector.net_.module_.cpu().eval()
    with torch.no_grad():
        representation = network(torch.from_numpy(X).float()).numpy()
    expected = -np.linalg.norm(representation - detector.center_, axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_center_is_the_initial_mean_kept_off_zero(blobs):
    X, y = blobs
    detector = _detector(lr=1e-12, max_epochs=1, min_center=0.05).fit(X, y)
    assert (np.abs(detector.center_) >= 0.05 - 1e-7).all()
    far = _detector(lr=1e-12, max_epochs=1, min_center=10).fit(X, y)
    np.testing.assert_allclose(np.abs(far.center_), 10)


def test_threshold_has_the_asked_training_rate(blobs):
    X, y = blobs
    detector = _detector(fnr=0.1).fit(X, y)
    assert (detector.predict(X[y == 1]) == -1).mean() == pytest.approx(0.1, abs=0.01)


def test_seeded_and_leaves_the_global_generator_alone(blobs):
    X, y = blobs
    state = torch.get_rng_state()
    first = _detector().fit(X, y).score_samples(X)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    np.testing.assert_array_equal(_detector().fit(X, y).score_samples(X), first)
    assert not np.array_equal(_detector(random_state=1).fit(X, y).score_samples(X), first)


def test_unlabeled_samples(blobs):
    X, y = blobs
    mixed = np.where(np.arange(600) % 10 == 0, 0, y)
    detector = _detector(max_epochs=10).fit(X, mixed)
    assert roc_auc_score(y, detector.score_samples(X)) > 0.9
    alone = _detector().fit(X[y == 1])
    assert np.isfinite(alone.score_samples(X)).all()


def test_eta_weighs_the_labeled(blobs):
    X, y = blobs
    mixed = np.where(np.arange(600) % 2 == 0, 0, y)
    losses = [
        _detector(eta=eta, lr=1e-12, max_epochs=1).fit(X, mixed).history_[0] for eta in (1, 3)
    ]
    unlabeled = _detector(lr=1e-12, max_epochs=1).fit(X).history_[0]
    assert losses[1] > losses[0]
    assert losses[0] != unlabeled


def test_learning_rate_schedule(blobs):
    X, y = blobs
    detector = _detector(max_epochs=4, milestones=(1, 3), gamma=0.5).fit(X, y)
    rates = detector.net_.history[:, "event_lr"]
    np.testing.assert_allclose(rates, [1e-2, 5e-3, 5e-3, 2.5e-3])


def test_pickle_holds_the_weights_and_little_else():
    X = np.random.default_rng(0).normal(size=(64, 200)).astype(np.float32)
    detector = DeepSADDetector(max_epochs=1, random_state=0).fit(X)
    weights = sum(4 * value.numel() for value in detector.net_.module_.parameters())
    assert len(pickle.dumps(detector)) < 1.2 * weights
    back = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(back.score_samples(X), detector.score_samples(X))


def test_parameters_of_the_network_can_be_searched(blobs):
    X, y = blobs
    detector = _detector(max_epochs=1).set_params(module__rep_dim=3)
    assert detector.get_params()["module__rep_dim"] == 3
    assert detector.fit(X, y).center_.shape == (3,)
    assert clone(detector).set_params(module__rep_dim=2).fit(X, y).center_.shape == (2,)
    assert detector.module_params["rep_dim"] == 3
    calibrator = FNRThresholdCalibrator(detector, fnr=0.2, random_state=0)
    search = GridSearchCV(calibrator, {"estimator__module__rep_dim": [2, 4]}, cv=2).fit(X, y)
    assert search.best_estimator_.estimator_.center_.shape[0] in (2, 4)


def test_training_that_diverges_is_refused(blobs):
    X, y = blobs
    detector = _detector(max_epochs=2)
    with pytest.raises(ValueError, match=r"loss is NaN or infinite from epoch 1 on. Scale the"):
        detector.fit(X * 1e25, y)
    assert not hasattr(detector, "n_features_in_")
    assert not hasattr(detector, "net_")
    InlierScaler().fit(X * 1e25, y)
    scaled = InlierScaler(eps=0).fit_transform(X * 1e25, y)
    assert np.isfinite(detector.fit(scaled, y).score_samples(scaled)).all()


def test_values_too_large_for_the_network_are_named(blobs):
    X, y = blobs
    large = X.astype(np.float64)
    large[7] = 1e39
    with pytest.raises(ValueError, match=r"too large for float32: 1 of .* is sample 7"):
        _detector().fit(large, y)
    detector = _detector(max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="too large for float32"):
        detector.score_samples(large)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_fitted_where_gradients_are_off(blobs, mode):
    X, y = blobs
    with mode():
        detector = _detector(max_epochs=1).fit(X, y)
    expected = _detector(max_epochs=1).fit(X, y)
    np.testing.assert_array_equal(detector.score_samples(X), expected.score_samples(X))


def test_threads_do_not_change_seeded_results(blobs):
    X, y = blobs
    state = torch.get_rng_state()

    def scores(seed):
        return _detector(max_epochs=1).set_params(random_state=seed).fit(X, y).score_samples(X)

    expected = [scores(seed) for seed in range(4)]
    found = Parallel(n_jobs=4, backend="threading")(delayed(scores)(seed) for seed in range(4))
    np.testing.assert_array_equal(found, expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_images_and_their_flat_form():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2, 8, 8)).astype(np.float32)
    y = np.repeat([1, -1], 30)
    detector = DeepSADDetector(max_epochs=1, random_state=0).fit(X, y)
    assert isinstance(detector.net_.module_, LeNet)
    flat = detector.score_samples(X.reshape(60, -1))
    np.testing.assert_allclose(flat, detector.score_samples(X))


@pytest.mark.parametrize("shape", [(30,), (2, 500), (1, 8, 8), (1, 32, 32), (3, 64, 64)])
def test_scores_do_not_depend_on_the_batch(shape):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, *shape)).astype(np.float32), np.repeat([1, -1], 10)
    detector = DeepSADDetector(max_epochs=1, random_state=0).fit(X, y)
    whole = detector.score_samples(X)
    order = rng.permutation(20)
    np.testing.assert_array_equal(detector.score_samples(X[order]), whole[order])
    np.testing.assert_array_equal([detector.score_samples(x[None])[0] for x in X], whole)


def test_a_last_batch_of_one_is_no_problem(blobs):
    X, y = blobs
    detector = _detector(batch_size=2).fit(X[298:303], y[298:303])
    assert np.isfinite(detector.score_samples(X)).all()


def test_own_module(blobs):
    class Linear(nn.Module):
        def __init__(self, input_shape, width):
            super().__init__()
            self.layer = nn.Linear(input_shape[0], width, bias=False)

        def forward(self, x):
            return self.layer(x)

    X, y = blobs
    detector = _detector(module=Linear, module_params={"width": 3}).fit(X, y)
    assert detector.center_.shape == (3,)


def test_outliers_far_out_do_not_draw_the_center_to_themselves():
    """Inliers of unit variance near 0, as after whitening, and outliers 60 times as far."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 0.5, (200, 64)), rng.normal(0, 30, (200, 64))])
    y = np.repeat([1, -1], 200)
    detector = _detector(module=MLP, module_params={"hidden": (256,)}, lr=5e-4)
    with pytest.warns(UserWarning, match='pass center="inliers"'):
        misled = clone(detector).fit(X, y)
    assert (misled.predict(X[200:]) == 1).mean() > 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector.set_params(center="inliers").fit(X, y)  # as it advises
    assert (detector.predict(X) == y).mean() > 0.95


def test_clone_and_pickle(blobs):
    X, y = blobs
    detector = _detector(verbose=1).fit(X, y)
    assert clone(detector).get_params() == detector.get_params()
    back = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(back.score_samples(X), detector.score_samples(X))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda X, y: (X, np.abs(y)), "one class only"),
        (lambda X, y: (X, -np.abs(y)), "one class only"),
        (lambda X, y: (X, y * 2), "got also -2, 2"),
        (lambda X, y: (X, np.where(y == 1, "a", "b")), "got also a, b"),
        (lambda X, y: (X, y[:-1]), "599 labels"),
        (lambda X, y: (X * np.nan, y), "NaN"),
        (lambda X, y: (X[:0], y[:0]), "minimum of 1"),
        (lambda X, y: (X[:1], None), "n_samples=1"),
        (lambda X, y: (np.where(y[:, None] == 1, 0, X), y), "300 inliers have the same features"),
    ],
)
def test_bad_data_leaves_the_detector_unfitted(blobs, change, match):
    detector = _detector()
    with pytest.raises(ValueError, match=match):
        detector.fit(*change(*blobs))
    assert not hasattr(detector, "net_")


@pytest.mark.parametrize(
    "params",
    [
        {"eta": 0},
        {"lr": -1},
        {"max_epochs": 0},
        {"batch_size": 1},
        {"center": "outliers"},
        {"fnr": 1},
        {"device": "cuda:99"},
    ],
)
def test_bad_parameters(blobs, params):
    with pytest.raises(ValueError, match=next(iter(params))):
        _detector(**params).fit(*blobs)


@pytest.mark.gpu
def test_trains_on_cuda(blobs):
    X, y = blobs
    detector = _detector(max_epochs=10, device="cuda").fit(X, y)
    assert (detector.predict(X) == y).mean() > 0.95
