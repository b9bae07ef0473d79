"""Groups and weights through attributors, with metadata routing and without."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    cross_val_score,
    cross_validate,
)
from torch import nn

from sklearn_flipad import (
    FinalLayer,
    FNRThresholdCalibrator,
    OpenSetAttributor,
    make_combined,
    make_dctpad,
    make_flipad,
    make_posterior,
    make_rawpad,
    make_reproduction,
    make_residual,
    make_smf,
    make_sminv,
    make_spectral,
    make_whitened,
)

ROUTING = pytest.mark.parametrize("routing", [False, True])


class Recorder(BaseEstimator):
    """A detector by the distance from the mean, which keeps what its fit got."""

    def fit(self, X, y=None, sample_weight=None):
        X = np.asarray(X).reshape(len(X), -1)
        self.n_, self.weights_ = len(X), sample_weight
        self.mean_ = X.mean(axis=0)
        return self

    def score_samples(self, X):
        return -np.linalg.norm(np.asarray(X).reshape(len(X), -1) - self.mean_, axis=1)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(-1, keepdim=True).expand_as(x)


def _generator():
    import torch

    torch.manual_seed(0)
    net = nn.Sequential(nn.ConvTranspose2d(4, 1, 8), nn.Tanh())
    net.latent_shape = (4, 1, 1)
    return net


KEYS = {"detector": Recorder(), "fnr": 0.2, "random_state": 0}
MAKES = {
    "calibrator": lambda: FNRThresholdCalibrator(Recorder(), fnr=0.2, random_state=0),
    "rawpad": lambda: make_rawpad(**KEYS),
    "rawpad, groups by cv": lambda: make_rawpad(
        cv=GroupShuffleSplit(1, test_size=0.3, random_state=0), **KEYS
    ),
    "rawpad, windows": lambda: make_rawpad(windows=4, **KEYS),
    "dctpad": lambda: make_dctpad(**KEYS),
    "flipad": lambda: make_flipad(
        FinalLayer.from_generator(_generator(), n_samples=20, random_state=0), **KEYS
    ),
    "whitened": lambda: make_whitened("tanh", **KEYS),
    "residual": lambda: make_residual(Mean(), **KEYS),
    "combined": lambda: make_combined(
        {"raw": make_rawpad(**KEYS), "dct": make_dctpad(**KEYS)}, fnr=0.2, random_state=0
    ),
    "smf": lambda: make_smf(fnr=0.2, random_state=0),
}
WEIGHTED = [name for name in MAKES if name != "smf"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (120, 1, 8, 8), dtype="u1")
    X[80:] //= 2
    return X, np.repeat([1, -1], [80, 40]), np.arange(120) // 2


def _calibrator(attributor):
    return attributor if isinstance(attributor, FNRThresholdCalibrator) else attributor["detect"]


def _recorder(attributor):
    """The recorders in an attributor."""
    found, waiting = [], [_calibrator(attributor).estimator_]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Recorder):
            found.append(part)
        waiting += [step for _, step in getattr(part, "steps", [])]
        waiting += list(getattr(part, "estimators_", []))
        waiting += [part.estimator_] if hasattr(part, "estimator_") else []
    return found


@ROUTING
@pytest.mark.parametrize("name", MAKES)
def test_fit_and_score(name, routing, data):
    X, y, groups = data
    with config_context(enable_metadata_routing=routing):
        plain, grouped = MAKES[name](), MAKES[name]()
        if name != "rawpad, groups by cv":
            assert plain.fit(X, y).score(X, y) > 0
            assert len(_calibrator(plain).calibration_scores_) == 16
        grouped.fit(X, y, groups=groups)
        assert grouped.score(X, y) > 0
        # One of the two samples of a group.
        assert len(_calibrator(grouped).calibration_scores_) in (8, 11, 12, 13)


@ROUTING
@pytest.mark.parametrize("name", ["calibrator", "rawpad", "combined", "rawpad, groups by cv"])
def test_meta_estimators(name, routing, data):
    X, y, groups = data
    key = "fnr" if name == "calibrator" else "detect__fnr"
    with config_context(enable_metadata_routing=routing):
        attributor = MAKES[name]()
        options = {"cv": GroupKFold(2), "error_score": "raise"}
        params = {"groups": groups}
        if routing:
            found = cross_validate(attributor, X, y, params=params, **options)
        else:
            found = cross_validate(attributor, X, y, groups=groups, params=params, **options)
        assert len(found["test_score"]) == 2
        search = GridSearchCV(attributor, {key: [0.4, 0.45]}, **options)
        prefix = "" if name == "calibrator" else "detect__"
        # Without routing, scikit-learn gives a search's groups to its splitter alone.
        to_fit = {"groups": groups} | ({} if routing else {f"{prefix}groups": groups})
        if name != "calibrator" or routing:
            search.fit(X, y, **to_fit)
            calibrator = _calibrator(search.best_estimator_)
            assert len(calibrator.calibration_scores_) < 0.2 * 80
        if routing and name != "combined":  # whose parts would have too few groups
            scores = cross_val_score(search, X, y, params=params, **options)
            assert len(scores) == 2


@ROUTING
@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_reach_the_detector(name, routing, data):
    X, y, groups = data
    weights = np.arange(120.0)
    attributor = MAKES[name]()
    with config_context(enable_metadata_routing=routing):
        if routing:
            with pytest.raises((UnsetMetadataPassedError, TypeError), match="sample_weight"):
                clone(attributor).fit(X, y, sample_weight=weights, groups=groups)
            for part in _unfitted(attributor):
                part.set_fit_request(sample_weight=True)
        attributor.fit(X, y, sample_weight=weights, groups=groups)
    for recorder in _recorder(attributor):
        assert len(recorder.weights_) == recorder.n_
        assert len(np.unique(recorder.weights_)) > 50


def _unfitted(attributor):
    return [v for v in attributor.get_params().values() if isinstance(v, Recorder)]


def test_names_of_steps(data):
    X, y, groups = data
    named = MAKES["rawpad"]().fit(
        X, y, detect__groups=groups, detect__detector__sample_weight=np.arange(120)
    )
    plain = MAKES["rawpad"]().fit(X, y, groups=groups, sample_weight=np.arange(120))
    np.testing.assert_array_equal(
        _calibrator(named).calibration_scores_, _calibrator(plain).calibration_scores_
    )
    np.testing.assert_array_equal(_recorder(named)[0].weights_, _recorder(plain)[0].weights_)


@ROUTING
def test_groups_reach_all_that_calibrates(routing, data):
    X, y, groups = data
    with config_context(enable_metadata_routing=routing):
        combined = MAKES["combined"]().fit(X, y, groups=groups)
        for part in combined["detect"].estimator_.estimators_:
            assert len(part["detect"].calibration_scores_) == 7  # of 32 groups
        parts = [("a", MAKES["rawpad"]()), ("b", MAKES["rawpad"]())]
        names = np.repeat(["a", "b"], [80, 40])
        several = OpenSetAttributor(parts).fit(X, names, groups=groups)
        sizes = [len(p["detect"].calibration_scores_) for p in several.estimators_]
        assert sizes == [8, 4]


@ROUTING
def test_signals_and_searches(routing):
    rng = np.random.default_rng(0)
    sounds = rng.uniform(-1, 1, (60, 1, 64)).astype("f4")
    with config_context(enable_metadata_routing=routing):
        spectral = make_spectral(n_fft=16, **KEYS).fit(sounds, groups=np.arange(60) // 2)
        assert len(spectral["detect"].calibration_scores_) == 6
        search = make_sminv(_generator(), n_restarts=1, max_iter=2, fnr=0.2)
        images = rng.integers(0, 256, (20, 1, 8, 8), dtype="u1")
        search.fit(images, groups=np.arange(20) // 2)
        assert len(search["detect"].calibration_scores_) == 10
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Unflatten(1, (4, 1, 1)))
        search = make_reproduction(
            _generator(), encoder=encoder, n_restarts=1, max_iter=2, fnr=0.3, random_state=0
        )
        search.fit(images, groups=np.arange(20) // 2)
        assert len(search["detect"].calibration_scores_) == 5
        rows = rng.normal(size=(20, 3))
        decoder = nn.Linear(2, 3)
        decoder.latent_shape = (2,)
        search = make_posterior(decoder, n_starts=1, n_drawn=100, fnr=0.2)
        search.fit(rows, groups=np.arange(20) // 2)
        assert len(search["detect"].calibration_scores_) == 10


def test_logistic_regression_with_routing():
    """The plain calls of a user who enables routing for something else."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(300, 4)), 2 + rng.normal(size=(150, 4))]
    y = np.repeat([1, -1], [300, 150])
    weights = rng.uniform(size=450)
    with config_context(enable_metadata_routing=True):
        detector = LogisticRegression().set_fit_request(sample_weight=True)
        attributor = make_rawpad(detector=detector, fnr=0.1, random_state=0)
        attributor.fit(X, y, sample_weight=weights)
        attributor["detect"].set_score_request(sample_weight=True)
        weighted = attributor.score(X, y, sample_weight=weights)
        expected = np.average(attributor.predict(X) == y, weights=weights)
        assert weighted == pytest.approx(expected)
