"""CombinedDetector and make_combined."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator

from sklearn_flipad import CombinedDetector, FNRThresholdCalibrator, make_combined


class Column(OutlierMixin, BaseEstimator):
    """The anomaly score is one column, times a factor."""

    def __init__(self, column=0, factor=1.0):
        self.column = column
        self.factor = factor

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def score_samples(self, X):
        return -self.factor * np.asarray(X)[:, self.column]


def _part(column, factor=1.0):
    return FNRThresholdCalibrator(Column(column, factor), fnr=0.1, cv=0.5, random_state=0)


@pytest.fixture
def parts():
    # The second is on another scale, which must not matter.
    return {"first": _part(0), "second": _part(1, factor=1e4)}


@pytest.fixture
def samples():
    return np.random.default_rng(0).exponential(size=(400, 2))


def test_scores_are_in_units_of_the_thresholds(parts, samples):
    combined = CombinedDetector(list(parts.items())).fit(samples)
    for index, (name, part) in enumerate(parts.items()):
        fitted = combined.named_estimators_[name]
        at = np.full((2, 2), np.median(fitted.calibration_scores_) / part.estimator.factor)
        at[1] = fitted.threshold_ / part.estimator.factor
        np.testing.assert_allclose(combined.calibrated_scores(at)[:, index], [0, 1], atol=1e-9)


def test_attributors_have_names(parts, samples):
    with pytest.raises(ValueError, match="name, attributor"):
        CombinedDetector([_part(0)]).fit(samples)
    with pytest.raises(TypeError, match="dict of names"):
        make_combined([_part(0), _part(1)])


def test_rules(parts, samples):
    combined = CombinedDetector(list(parts.items())).fit(samples)
    scores = combined.calibrated_scores(samples)
    np.testing.assert_array_equal(combined.score_samples(samples), -scores.max(axis=1))
    # Its own threshold: an inlier is what all attributors accept.
    accepted = [part.predict(samples) for part in combined.estimators_]
    np.testing.assert_array_equal(combined.predict(samples), np.min(accepted, axis=0))
    mean = clone(combined).set_params(combine="mean").fit(samples)
    np.testing.assert_allclose(mean.score_samples(samples), -scores.mean(axis=1))


@pytest.mark.parametrize("rule", ["max", "mean"])
def test_joint_false_negative_rate(parts, rule):
    """Held on average over calibrations, though each part alone spends all of it."""
    rng = np.random.default_rng(1)
    test = rng.exponential(size=(20_000, 2))
    rates, unions = [], []
    for seed in range(40):
        combined = make_combined(parts, combine=rule, fnr=0.1, cv=0.5, random_state=seed)
        combined.fit(rng.exponential(size=(400, 2)))
        rates.append((combined.predict(test) == -1).mean())
        unions.append((combined["detect"].estimator_.predict(test) == -1).mean())
    assert np.mean(rates) == pytest.approx(0.1, abs=0.015)
    if rule == "max":
        assert np.mean(unions) > 0.17


def test_finds_what_either_part_finds(parts, samples):
    combined = make_combined(parts, fnr=0.05, random_state=0).fit(samples)
    strange = np.array([[100.0, 0.5], [0.5, 100.0], [100.0, 100.0]])
    np.testing.assert_array_equal(combined.predict(strange), -1)
    assert combined.predict([[0.7, 0.7]]) == 1


def test_parameters_of_the_parts(parts):
    combined = make_combined(parts)
    combined.set_params(detect__estimator__first__fnr=0.3)
    assert combined["detect"].estimator.estimators[0][1].fnr == 0.3
    combined.set_params(detect__estimator__second=_part(0))
    assert combined["detect"].estimator.estimators[1][1].estimator.column == 0


@pytest.mark.parametrize(
    ("estimators", "match"),
    [
        ([], "is empty"),
        ([("a", Column())], "'a' is not an FNRThresholdCalibrator .* but with Column"),
        ([("a", FNRThresholdCalibrator(Column(), fnr=0.6))], "'a' has fnr=0.6"),
        ([("a", _part(0)), ("a", _part(1))], "not unique"),
        ([("a__b", _part(0))], "__"),
    ],
)
def test_what_cannot_be_combined(estimators, match, samples):
    with pytest.raises(ValueError, match=match):
        CombinedDetector(estimators).fit(samples)


def test_inliers_that_all_score_the_same(samples):
    combined = CombinedDetector([("a", _part(0, factor=0.0))]).fit(samples)
    np.testing.assert_array_equal(combined.predict(samples), 1)


def test_inliers_of_which_most_score_the_same(samples):
    tied = samples.clip(min=5.0)
    combined = CombinedDetector([("a", _part(0)), ("b", _part(1))]).fit(tied, groups=range(400))
    np.testing.assert_array_equal(combined.predict([[5.0, 5.0], [5.01, 5.0]]), [1, -1])


def test_fitted_attributors(parts, samples):
    fitted = [(name, FrozenEstimator(part.fit(samples))) for name, part in parts.items()]
    combined = CombinedDetector(fitted).fit(samples[:5])
    expected = CombinedDetector(list(parts.items())).fit(samples)
    np.testing.assert_array_equal(combined.score_samples(samples), expected.score_samples(samples))


def test_labels_reach_the_parts(samples):
    labels = np.where(np.arange(len(samples)) < 300, 1, -1)
    part = FNRThresholdCalibrator(Column(0), fnr=0.1, cv=0.5, random_state=0)
    combined = CombinedDetector([("a", part)])
    combined.fit_predict(samples, labels)
    assert len(combined.estimators_[0].calibration_scores_) == 150
