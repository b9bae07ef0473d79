"""Threshold rules and FNRThresholdCalibrator."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, PredefinedSplit, ShuffleSplit

from sklearn_flipad import FNRThresholdCalibrator
from sklearn_flipad.calibration import PAC, Conformal, Quantile, as_rule


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
    assert Quantile().threshold(scores, 0.005) == np.quantile(scores, 0.995)


@pytest.mark.parametrize(("n", "fnr", "rank"), [(199, 0.005, 199), (399, 0.005, 398), (9, 0.1, 9),
                                                (99, 0.05, 95), (1000, 0.005, 996)])  # fmt: skip
def test_conformal_rank(n, fnr, rank):
    scores = np.random.default_rng(0).permutation(n) + 1.0
    assert Conformal().threshold(scores, fnr) == rank


def test_conformal_rate_holds_on_average():
    """The expected rate is 1 - rank/(n + 1), whatever the distribution."""
    rng = np.random.default_rng(0)
    n, fnr = 60, 0.05
    rates = [
        stats.expon.sf(Conformal().threshold(rng.exponential(size=n), fnr)) for _ in range(4000)
    ]
    exact = 1 - np.ceil((n + 1) * (1 - fnr)) / (n + 1)
    assert exact <= fnr
    assert np.mean(rates) == pytest.approx(exact, abs=4 * np.std(rates) / np.sqrt(4000))
    # The paper's rule exceeds the nominal rate with so few scores.
    rates = [
        stats.expon.sf(Quantile().threshold(rng.exponential(size=n), fnr)) for _ in range(4000)
    ]
    assert np.mean(rates) > fnr + 4 * np.std(rates) / np.sqrt(4000)


@pytest.mark.parametrize(("n", "fnr", "confidence"), [(100, 0.05, 0.9), (1000, 0.005, 0.95)])
def test_pac_rate_holds_with_its_confidence(n, fnr, confidence):
    scores = np.arange(n) + 1.0
    rank = int(PAC(confidence).threshold(scores, fnr))

    def risk(r):  # P(the rate of rank r exceeds fnr), by the beta law of order statistics
        return stats.beta.cdf(1 - fnr, r, n - r + 1)

    assert risk(rank) <= 1 - confidence + 1e-12
    assert rank == 1 or risk(rank - 1) > 1 - confidence


@pytest.mark.parametrize(
    ("rule", "fnr", "needed"),
    [
        (Conformal(), 0.005, 199),
        (Conformal(), 0.05, 19),
        (PAC(), 0.005, 598),
        (PAC(0.99), 0.005, 919),
        (PAC(), 0.05, 59),
        (Quantile(), 0.005, 1),
    ],
)
def test_sizes_that_the_rules_need(rule, fnr, needed):
    assert rule.min_size(fnr) == needed
    rule.threshold(np.arange(float(needed)), fnr)
    with pytest.raises(ValueError, match=f"at least {needed} held-out inliers, got {needed - 1}"):
        rule.threshold(np.arange(needed - 1.0), fnr)


@pytest.mark.parametrize("name", ["quantile", "conformal", "pac"])
def test_rules_refuse_bad_input(name):
    rule = as_rule(name)
    with pytest.raises(ValueError, match="300 of 300 scores are NaN or infinite"):
        rule.threshold([np.nan] * 300, 0.1)
    with pytest.raises(ValueError, match=r"shape \(n,\), got \(1, 2\)"):
        rule.threshold([[1.0, 2.0]], 0.1)
    for fnr in (0, 1, -0.1):
        with pytest.raises(ValueError, match="fnr must lie strictly"):
            rule.threshold(np.arange(300.0), fnr)


def test_rules_by_name_and_as_objects():
    assert as_rule("pac") == PAC(confidence=0.95)
    assert as_rule(PAC(0.9)) == PAC(0.9)
    with pytest.raises(ValueError, match="one of conformal, quantile, pac"):
        as_rule("median")
    with pytest.raises(ValueError, match="confidence must lie strictly"):
        PAC(confidence=1)


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
    assert calibrator.threshold_ == Conformal().threshold(held_out, 0.02)
    assert calibrator.offset_ == -calibrator.threshold_
    np.testing.assert_array_equal(calibrator.classes_, [-1, 1])


def test_prediction_is_the_threshold(data):
    X, y = data
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, random_state=0).fit(X, y)
    expected = np.where(X[:, 0] <= calibrator.threshold_, 1, -1)
    np.testing.assert_array_equal(calibrator.predict(X), expected)
    np.testing.assert_array_equal(calibrator.decision_function(X) >= 0, expected == 1)
    labeled = y != 0
    assert calibrator.score(X[labeled], y[labeled]) > 0.95


@pytest.mark.parametrize("rule", ["conformal", "quantile", PAC(0.8)])
def test_false_negative_rate_on_new_samples(data, rule):
    X, y = data
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, rule=rule, random_state=0)
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
        ({"rule": "pac"}, slice(None), "Provide at least 2990 inliers"),
        ({"cv": [(np.arange(9, 14), np.arange(9))]}, slice(None), "Provide more inliers"),
        ({"cv": [(np.arange(5), np.arange(2, 900))]}, slice(None), "holds out 3 rows that it also"),
        ({"fnr": 0}, slice(None), "'fnr'"),
        ({"rule": "exact"}, slice(None), "'rule'"),
        ({"cv": 1.5}, slice(None), "'cv'"),
        ({}, slice(1200, None), "no sample labeled"),
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


def test_detectors_that_see_no_difference(data):
    X, y = data
    blind, same = X.copy(), X.copy()
    blind[:, 0] = 0.5
    same[y == 1, 0] = 0.5
    calibrator = FNRThresholdCalibrator(FirstColumn(), random_state=0)
    with pytest.raises(ValueError, match=r"FirstColumn gives all 240 .*sees no difference"):
        calibrator.fit(blind, y)
    with pytest.warns(UserWarning, match="every sample will be accepted"):
        calibrator.fit(blind[y == 1])
    calibrator.fit(same, y)
    assert calibrator.offset_ == -0.5
    assert (calibrator.predict(X[(y == -1) & (X[:, 0] > 0.5)]) == -1).all()
