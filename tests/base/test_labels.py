"""One meaning of a label, also inside scikit-learn's meta-estimators."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import (
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupShuffleSplit,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_flipad import DeepSADDetector, FNRThresholdCalibrator, InlierScaler
from sklearn_flipad.base.labels import check_labels, classes_of
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import attribution_scores, labeled_scorer


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (200, 5)), rng.normal(4, 1, (200, 5))])
    return X.astype(np.float32), np.repeat([1, -1], 200)


@pytest.fixture
def calibrator():
    detector = DeepSADDetector(
        module=MLP, module_params={"hidden": (16,), "rep_dim": 8}, max_epochs=8, lr=1e-2
    )
    detector.set_params(batch_size=16, random_state=0)
    return FNRThresholdCalibrator(detector, fnr=0.1, cv=0.4, random_state=0)


@pytest.mark.parametrize(
    ("y", "labels", "classes"),
    [
        ([1, -1, 0], [1, -1, 0], [-1, 1]),
        ([1.0, -1.0], [1, -1], [-1, 1]),
        ([1, 1], [1, 1], [-1, 1]),
        ([0, 0], [0, 0], [-1, 1]),
        ([1, 0, 0], [1, -1, -1], [0, 1]),
        ([True, False], [1, -1], [False, True]),
        ([True, True], [1, 1], [False, True]),
        (pd.Series([1, -1]), [1, -1], [-1, 1]),
        (torch.tensor([1, -1, 0]), [1, -1, 0], [-1, 1]),
    ],
)
def test_what_labels_mean(y, labels, classes):
    np.testing.assert_array_equal(check_labels(y, len(y)), labels)
    np.testing.assert_array_equal(classes_of(y), classes)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([1, -1, 7], "got also 7"),
        (["own", "other", "own"], "got also other, own"),
        ([0, 1, 2], "as a meta-estimator encodes them: leave the unlabeled samples out"),
        ([1, -1], "2 labels for 3 samples"),
        ([1, -1, np.nan], "got also nan"),
    ],
)
def test_labels_that_are_refused(y, match):
    with pytest.raises(ValueError, match=match):
        check_labels(y, 3)


def test_encoded_classes_give_the_same_verdicts(data, calibrator):
    X, y = data
    expected = calibrator.fit(X, y).predict(X)
    zero_one = calibrator.fit(X, (y + 1) // 2)
    np.testing.assert_array_equal(zero_one.classes_, [0, 1])
    np.testing.assert_array_equal(zero_one.predict(X), (expected + 1) // 2)
    truth = calibrator.fit(X, y == 1)
    np.testing.assert_array_equal(truth.predict(X), expected == 1)
    assert truth.score(X, y == 1) > 0.9
    bool_scaler, scaler = InlierScaler().fit(X, y == 1), InlierScaler().fit(X, y)
    np.testing.assert_array_equal(bool_scaler.mean_, scaler.mean_)


@pytest.mark.parametrize(
    "meta",
    [
        lambda c: VotingClassifier([("a", c), ("b", c)]),
        lambda c: StackingClassifier([("a", c), ("b", c)], cv=2),
        lambda c: BaggingClassifier(c, n_estimators=2, random_state=0),
        lambda c: CalibratedClassifierCV(c, ensemble=False, cv=2),
        lambda c: CalibratedClassifierCV(c, cv=2),
        lambda c: OneVsRestClassifier(c),
    ],
)
def test_inside_meta_estimators(data, calibrator, meta):
    X, y = data
    fitted = meta(calibrator).fit(X[::2], y[::2])
    assert set(fitted.predict(X[1::2])) <= {-1, 1}
    assert (fitted.predict(X[1::2]) == y[1::2]).mean() > 0.9


def test_which_of_three_models(data, calibrator):
    X, _ = data
    third = np.random.default_rng(1).normal(-4, 1, (200, 5)).astype(np.float32)
    X, y = np.concatenate([X, third]), np.repeat(["a", "b", "c"], 200)
    assert OneVsRestClassifier(calibrator).fit(X, y).score(X, y) > 0.8


def test_out_of_fold_scores(data, calibrator):
    X, y = data
    scores = cross_val_predict(calibrator, X, y, cv=3, method="decision_function")
    assert roc_auc_score(y, scores) > 0.99
    assert attribution_scores(y, np.where(scores >= 0, 1, -1), scores).accuracy > 0.9


def test_halving_search_over_epochs_and_over_samples(data, calibrator):
    X, y = data
    grid = {"estimator__lr": [1e-3, 1e-2]}
    resource = "estimator__max_epochs"
    search = HalvingGridSearchCV(calibrator, grid, cv=2, resource=resource, max_resources=4)
    assert search.fit(X, y).best_params_[resource] > 1
    enough = 2 * int(2 * calibrator.set_params(cv=0.5, fnr=0.1).fnr ** -1)
    search = HalvingGridSearchCV(calibrator, grid, cv=2, min_resources=4 * enough, factor=2)
    assert np.isfinite(search.fit(X, y).best_score_)


def test_unlabeled_samples_are_no_errors(data, calibrator):
    X, y = data
    some = y.copy()
    some[:200:2] = 0
    fitted, known = calibrator.fit(X, some), some != 0
    assert fitted.score(X, some) == fitted.score(X[known], some[known]) > 0.9
    weights = np.where(y == 1, 1.0, 0.0)
    weighted = fitted.score(X, some, sample_weight=weights)
    assert weighted == fitted.score(X[known & (y == 1)], y[known & (y == 1)])
    with pytest.raises(ValueError, match="No sample is labeled"):
        fitted.score(X, np.zeros(400, int))
    for scoring in ("roc_auc", "balanced_accuracy"):
        search = GridSearchCV(
            calibrator, {"estimator__lr": [1e-2]}, cv=3, scoring=labeled_scorer(scoring)
        )
        assert search.fit(X, some).best_score_ > 0.9
    assert GridSearchCV(calibrator, {"fnr": [0.05]}, cv=3).fit(X, some).best_score_ > 0.9


def test_groups_reach_the_splitter(data, calibrator):
    X, y = data
    groups = np.arange(400) // 2
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.3, random_state=0)
    calibrator.set_params(cv=splitter)
    fitted = calibrator.fit(X, y, groups=groups)
    ((_, held_out),) = splitter.split(X, y, groups)
    inliers = X[held_out][y[held_out] == 1]
    scores = -fitted.estimator_.score_samples(inliers)
    # One sample of each group calibrates.
    of_groups = scores.reshape(-1, 2)
    assert len(fitted.calibration_scores_) == len(of_groups)
    assert np.isin(fitted.calibration_scores_, scores).all()
    assert np.isin(of_groups, fitted.calibration_scores_).any(axis=1).all()
    with pytest.raises(ValueError, match="groups"):
        calibrator.fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(StandardScaler(), calibrator).fit(X, y, groups=groups)
        assert routed[-1].calibration_scores_.shape == fitted.calibration_scores_.shape
        found = cross_validate(calibrator, X, y, params={"groups": groups}, cv=2)
        assert np.isfinite(found["test_score"]).all()


def test_sample_weights_reach_a_detector_that_takes_them(data):
    X, y = data
    weights = np.where(X[:, 0] > 0, 1.0, 0.1)
    density = KernelDensity()
    plain = FNRThresholdCalibrator(density, fnr=0.1, random_state=0).fit(X, y)
    calibrator = FNRThresholdCalibrator(density, fnr=0.1, random_state=0)
    weighted = calibrator.fit(X, y, sample_weight=weights)
    assert not np.array_equal(plain.score_samples(X), weighted.score_samples(X))
    with sklearn.config_context(enable_metadata_routing=True):
        density.set_fit_request(sample_weight=True)
        routed = FNRThresholdCalibrator(density, fnr=0.1, random_state=0)
        routed.fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(routed.score_samples(X), weighted.score_samples(X))


def test_detectors_that_ignore_labels_learn_from_own_samples_alone(data):
    X, y = data
    with_labels = FNRThresholdCalibrator(EllipticEnvelope(random_state=0), fnr=0.1, random_state=0)
    alone = FNRThresholdCalibrator(EllipticEnvelope(random_state=0), fnr=0.1, random_state=0)
    with_labels.fit(X, y)
    alone.fit(X[y == 1])
    np.testing.assert_allclose(with_labels.threshold_, alone.threshold_)
    assert (with_labels.predict(X[y == -1]) == -1).all()
