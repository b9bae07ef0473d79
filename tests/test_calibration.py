"""Threshold rules and FNRThresholdCalibrator."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, PredefinedSplit, ShuffleSplit

from sklearn_flipad import FNRThresholdCalibrator
from sklearn_flipad.calibration import (
    conformal_threshold,
    min_calibration_size,
    pac_threshold,
    quantile_threshold,
)


class FirstColumn(BaseEstimator):
    """A detector whose anomaly score is the first column."""

    def fit(self, X, y=None):
        self.seen_ = np.asarray(X)[:, 0].copy()
        self.labels_ = y
        return self

    def score_samples(self, X):
        return -np.asarray(X)[:, 0]


def test_quantile_is_the_paper_s():
    scores = np.random.default_rng(0).normal(size=777)
    assert quantile_threshold(scores, 0.005) == np.quantile(scores, 0.995)


@pytest.mark.parametrize(("n", "fnr", "rank"), [(199, 0.005, 199), (399, 0.005, 398), (9, 0.1, 9),
                                                (99, 0.05, 95), (1000, 0.005, 996)])  # fmt: skip
def test_conformal_rank(n, fnr, rank):
    scores = np.random.default_rng(0).permutation(n) + 1.0
    assert conformal_threshold(scores, fnr) == rank


def test_conformal_rate_holds_on_average():
    """The expected rate is 1 - rank/(n + 1), whatever the distribution."""
    rng = np.random.default_rng(0)
    n, fnr = 60, 0.05
    rates = [stats.expon.sf(conformal_threshold(rng.exponential(size=n), fnr)) for _ in range(4000)]
    exact = 1 - np.ceil((n + 1) * (1 - fnr)) / (n + 1)
    assert exact <= fnr
    assert np.mean(rates) == pytest.approx(exact, abs=4 * np.std(rates) / np.sqrt(4000))
    # The paper's rule exceeds the nominal rate with so few scores.
    rates = [stats.expon.sf(quantile_threshold(rng.exponential(size=n), fnr)) for _ in range(4000)]
    assert np.mean(rates) > fnr + 4 * np.std(rates) / np.sqrt(4000)


@pytest.mark.parametrize(("n", "fnr", "confidence"), [(100, 0.05, 0.9), (1000, 0.005, 0.95)])
def test_pac_rate_holds_with_its_confidence(n, fnr, confidence):
    scores = np.arange(n) + 1.0
    rank = int(pac_threshold(scores, fnr, confidence))

    def risk(r):  # P(the rate of rank r exceeds fnr), by the beta law of order statistics
        return stats.beta.cdf(1 - fnr, r, n - r + 1)

    assert risk(rank) <= 1 - confidence + 1e-12
    assert rank == 1 or risk(rank - 1) > 1 - confidence


@pytest.mark.parametrize(
    ("method", "fnr", "confidence", "needed"),
    [
        ("conformal", 0.005, 0.95, 199),
        ("conformal", 0.05, 0.95, 19),
        ("pac", 0.005, 0.95, 598),
        ("pac", 0.05, 0.95, 59),
        ("quantile", 0.005, 0.95, 1),
    ],
)
def test_sizes_that_the_rules_need(method, fnr, confidence, needed):
    assert min_calibration_size(method, fnr, confidence) == needed
    rule = {
        "conformal": conformal_threshold,
        "pac": lambda s, f: pac_threshold(s, f, confidence),
        "quantile": quantile_threshold,
    }[method]
    rule(np.arange(float(needed)), fnr)
    if needed > 1:
        with pytest.raises(ValueError, match=f"at least {needed} held-out inliers, got"):
            rule(np.arange(needed - 1.0), fnr)


@pytest.mark.parametrize("rule", [quantile_threshold, conformal_threshold, pac_threshold])
def test_rules_refuse_bad_input(rule):
    for scores in ([], [np.nan] * 300, [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="non-empty vector of finite"):
            rule(scores, 0.1)
    for fnr in (0, 1, -0.1):
        with pytest.raises(ValueError, match="fnr must lie strictly"):
            rule(np.arange(300.0), fnr)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y = np.r_[np.ones(1200, int), -np.ones(500, int), np.zeros(300, int)]
    X[y == -1, 0] += 6
    return X, y


def test_held_out_inliers_calibrate_and_the_rest_trains(data):
    X, y = data
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.02, random_state=0).fit(X, y)
    held_out = calibrator.calibration_scores_
    assert len(held_out) == 240
    assert np.isin(held_out, X[y == 1, 0]).all()
    assert not np.isin(held_out, calibrator.estimator_.seen_).any()
    assert len(calibrator.estimator_.seen_) == 2000 - 240
    assert (calibrator.estimator_.labels_ == 0).sum() == 300
    assert calibrator.threshold_ == conformal_threshold(held_out, 0.02)
    assert calibrator.offset_ == -calibrator.threshold_
    np.testing.assert_array_equal(calibrator.classes_, [-1, 1])


def test_prediction_is_the_threshold(data):
    X, y = data
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, random_state=0).fit(X, y)
    expected = np.where(X[:, 0] <= calibrator.threshold_, 1, -1)
    np.testing.assert_array_equal(calibrator.predict(X), expected)
    np.testing.assert_array_equal(calibrator.decision_function(X) >= 0, expected == 1)
    labelled = y != 0
    assert calibrator.score(X[labelled], y[labelled]) > 0.95


@pytest.mark.parametrize("method", ["conformal", "quantile", "pac"])
def test_false_negative_rate_on_new_samples(data, method):
    X, y = data
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, method=method, random_state=0)
    rate = stats.norm.sf(calibrator.fit(X, y).threshold_)
    # The 240 held-out inliers give the rate a beta law; this is its central 99.9 %.
    n_above = (calibrator.calibration_scores_ > calibrator.threshold_).sum()
    low, high = stats.beta.ppf([5e-4, 1 - 5e-4], n_above + 1, 240 - n_above)
    assert low < rate < high


def test_frozen_estimator_calibrates_on_all_inliers(data):
    X, y = data
    fitted = FirstColumn().fit(X[:10])
    calibrator = FNRThresholdCalibrator(FrozenEstimator(fitted), fnr=0.02).fit(X[10:], y[10:])
    assert len(calibrator.calibration_scores_) == 1190
    assert len(fitted.seen_) == 10


def test_no_labels_means_all_are_the_model_s(data):
    X, _ = data
    forest = IsolationForest(n_estimators=10, random_state=0)
    calibrator = FNRThresholdCalibrator(forest, fnr=0.05, random_state=0).fit(X)
    assert len(calibrator.calibration_scores_) == 400
    recorder = FNRThresholdCalibrator(FirstColumn(), fnr=0.05).fit(X)
    assert recorder.estimator_.labels_ is None


def test_splitters(data):
    X, y = data
    fold = np.where(np.arange(2000) < 700, 0, -1)
    for cv in (PredefinedSplit(fold), [(np.arange(700, 2000), np.arange(700))]):
        calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.02, cv=cv).fit(X, y)
        np.testing.assert_array_equal(calibrator.calibration_scores_, np.sort(X[:700, 0]))
    shuffled = ShuffleSplit(n_splits=1, test_size=0.5, random_state=0)
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.02, cv=shuffled).fit(X, y)
    assert 500 < len(calibrator.calibration_scores_) < 700
    with pytest.raises(ValueError, match="must yield one split, got 3"):
        FNRThresholdCalibrator(FirstColumn(), fnr=0.02, cv=KFold(3)).fit(X, y)


def test_split_is_seeded(data):
    X, y = data
    fits = [
        FNRThresholdCalibrator(FirstColumn(), fnr=0.02, random_state=s).fit(X, y).threshold_
        for s in (0, 0, 1)
    ]
    assert fits[0] == fits[1] != fits[2]


@pytest.mark.parametrize(
    ("params", "rows", "match"),
    [
        ({}, slice(0, 900), "needs at least 199 held-out inliers .* n_samples=900, of which "
                            "cv=0.2 holds out 180. Provide at least 995 inliers"),
        ({"method": "pac"}, slice(None), "Provide at least 2990 inliers"),
        ({"cv": [(np.arange(5), np.arange(9))]}, slice(None), "Provide more inliers"),
        ({"fnr": 0}, slice(None), "'fnr'"),
        ({"method": "exact"}, slice(None), "'method'"),
        ({"cv": 1.5}, slice(None), "'cv'"),
        ({}, slice(1200, None), "no sample labelled"),
    ],
)  # fmt: skip
def test_bad_input_fits_nothing(data, params, rows, match):
    X, y = data
    detector = FirstColumn()
    calibrator = FNRThresholdCalibrator(detector, **params)
    with pytest.raises(ValueError, match=match):
        calibrator.fit(X[rows], y[rows])
    assert not hasattr(calibrator, "estimator_")
    assert not hasattr(detector, "seen_")


def test_too_few_for_a_frozen_estimator(data):
    X, y = data
    frozen = FrozenEstimator(FirstColumn().fit(X))
    with pytest.raises(ValueError, match=r"n_samples=100\. Provide more inliers, or ask"):
        FNRThresholdCalibrator(frozen).fit(X[:100], y[:100])


def test_unknown_labels(data):
    X, y = data
    with pytest.raises(ValueError, match="got also 3"):
        FNRThresholdCalibrator(FirstColumn()).fit(X, np.where(y == 0, 3, y))


def test_estimator_without_scores():
    with pytest.raises(ValueError, match="'estimator'"):
        FNRThresholdCalibrator(BaseEstimator()).fit([[0.0]], [1])
