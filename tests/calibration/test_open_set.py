"""OpenSetAttributor: which of several models made a sample, or none of them."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import OneClassSVM

from sklearn_flipad import (
    FNRThresholdCalibrator,
    OpenSetAttributor,
    load_attributor,
    make_rawpad,
    save_attributor,
)
from sklearn_flipad.evaluation import clopper_pearson
from sklearn_flipad.scoring import score_files
from sklearn_flipad.scoring.runs.columns import check_attributor
from tests.simulations import N_RUNS, SCORES, draw, keeps_level

MODELS = ("a", "b", "c")


class Column(OutlierMixin, BaseEstimator):
    """A detector whose anomaly score is one column, and that keeps what it is fitted to."""

    calls = 0

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y=None, sample_weight=None):
        type(self).calls += 1
        self.seen_, self.labels_, self.weights_ = np.asarray(X), y, sample_weight
        self.n_features_in_ = self.seen_.shape[1]
        return self

    def score_samples(self, X):
        type(self).calls += 1
        return -np.asarray(X, dtype=np.float64)[:, self.column]


def part(column, **params):
    options = {"fnr": 0.05, "cv": 0.5, "random_state": 0}
    return FNRThresholdCalibrator(Column(column), **options | params)


def parts(**params):
    return [(name, part(column, **params)) for column, name in enumerate(MODELS)]


@pytest.fixture
def data():
    """Samples that are about 0 in their model's column, and 4 in all others."""
    rng = np.random.default_rng(0)
    y = np.repeat([*MODELS, "other"], 200)
    own = y[:, None] == np.array(MODELS)
    return rng.normal(size=(800, 3)) + 4 * ~own, y


@pytest.fixture
def fitted(data):
    return OpenSetAttributor(parts()).fit(*data)


#: One for each model that may have made them, several, and none.
SUSPECTS = np.array([[0, 9, 9], [9, 0, 9], [9, 0.1, 0], [0, 0, 0], [9, 9, 9]], dtype=float)


def test_sets_are_what_the_attributors_do_not_reject(data, fitted):
    X, y = data
    sets, p_values = fitted.predict_set(X), fitted.p_values(X)
    for column, (name, attributor) in enumerate(parts()):
        labels = np.where(y == name, 1, -1)
        attributor.fit(X, labels)
        np.testing.assert_array_equal(sets[:, column], attributor.predict(X) == 1)
        np.testing.assert_array_equal(p_values[:, column], attributor.p_own(X))
    np.testing.assert_array_equal(fitted.models_, MODELS)
    np.testing.assert_array_equal(fitted.classes_, [*MODELS, "other"])
    assert fitted.n_features_in_ == 3


def test_predictions(fitted):
    np.testing.assert_array_equal(fitted.predict_set(SUSPECTS).sum(axis=1), [1, 1, 2, 3, 0])
    predicted = fitted.predict(SUSPECTS)
    np.testing.assert_array_equal(predicted[[0, 1, 4]], ["a", "b", "other"])
    # Of several, the one with the largest p-value.
    p_values = fitted.p_values(SUSPECTS)
    assert predicted[2] == MODELS[p_values[2].argmax()]


def test_of_models_at_different_levels_only_those_in_the_set_are_named(data):
    attributor = OpenSetAttributor([("a", part(0, fnr=0.9)), ("b", part(1))]).fit(
        data[0], np.where(data[1] == "c", "other", data[1])
    )
    evidence = attributor.evidence([[0.5, 1.5, 9.0]])
    p_a, p_b = evidence.p_values[0]
    assert 0.05 < p_b < p_a < 0.9
    assert evidence.predictions[0] == attributor.predict([[0.5, 1.5, 9.0]])[0] == "b"


def test_ties_go_to_the_first_listed(data):
    X = np.zeros((1, 3)) - 9.0  # better than all calibration samples of every model
    for order in (1, -1):
        attributor = OpenSetAttributor(parts()[::order]).fit(*data)
        assert (attributor.p_values(X) == 1).all()
        assert attributor.predict(X)[0] == MODELS[::order][0]


def test_evidence(data, fitted):
    evidence = fitted.evidence(SUSPECTS)
    np.testing.assert_array_equal(evidence.anomaly_scores, SUSPECTS)
    np.testing.assert_array_equal(evidence.p_any, evidence.p_values.max(axis=1))
    again = fitted.weigh(evidence.anomaly_scores)
    np.testing.assert_array_equal(again.sets, evidence.sets)
    frame = evidence.to_frame(index=list("vwxyz"))
    assert list(frame.columns) == ["prediction", "set", "p(a)", "p(b)", "p(c)"]
    assert list(frame["set"]) == ["a", "b", "b, c", "a, b, c", ""]
    assert frame.loc["z", "prediction"] == "other"
    assert frame.loc["w", "p(b)"] == evidence.p_values[1, 1]
    before = Column.calls
    fitted.predict(SUSPECTS)
    assert Column.calls == before + 3
    with pytest.raises(ValueError, match=r"shape \(n, 3\), a column for each model, got \(5, 2\)"):
        fitted.weigh(SUSPECTS[:, :2])


def simulate(kind, *, shift=0.0):
    """Sets and p-values of one fresh sample of each model and one of another source, by run.

    Foreign samples look a bit more anomalous to an attributor, so that empty sets, sets of one and
    of several all occur. Calibration sets are redrawn in each run; with a shift, they are not as
    samples of the models are.
    """
    rng = np.random.default_rng(3)
    models = [(name, part(column, fnr=0.1)) for column, name in enumerate(MODELS)]
    models = [
        (name, FrozenEstimator(model.fit(np.eye(60, 3), groups=range(60))))
        for name, model in models
    ]
    attributor = OpenSetAttributor(models).fit()
    sets, p_values = [], []
    for _ in range(N_RUNS):
        for _, model in models:
            model.estimator.calibration_scores_ = np.sort(draw(rng, kind, 29, shift=shift))
        scores = draw(rng, kind, 4, 3, shift=1.5)
        scores[range(3), range(3)] = draw(rng, kind, 3)
        evidence = attributor.weigh(scores)
        sets.append(evidence.sets)
        p_values.append(evidence.p_values)
    return np.array(sets), np.array(p_values)


@pytest.mark.parametrize("kind", SCORES)
def test_each_model_s_error_is_the_chosen_one(kind):
    """1,000 calibrations of all models, each with a fresh sample of every model."""
    sets, p_values = simulate(kind)
    for model in range(3):
        excluded = ~sets[:, model, model]
        assert keeps_level(excluded, 0.1)
        if kind == "continuous":  # and exactly so: 3 of 30 ranks
            rate = clopper_pearson(int(excluded.sum()), N_RUNS, 1 - 1e-5)
            assert rate.low <= 0.1 <= rate.high
        # "None of them" is wrong less often still.
        assert keeps_level(~sets[:, model].any(axis=1), 0.1)
        for level in (0.05, 0.1, 0.3, 0.5):
            assert keeps_level(p_values[:, model].max(axis=1) <= level, level)
    if kind == "continuous":
        assert set(np.unique(sets.sum(axis=2))) == {0, 1, 2, 3}


def test_wrong_calibration_sets_are_caught_by_the_simulation():
    sets, _ = simulate("continuous", shift=-0.5)
    assert not keeps_level(~sets[:, 0, 0], 0.1)


def test_levels(fitted, data):
    X = data[0]
    np.testing.assert_array_equal(fitted.predict_set(X, fnr=0.3), fitted.p_values(X) > 0.3)
    before = Column.calls
    with pytest.raises(
        ValueError, match=r"'a': fnr=0.005 with Conformal.* 199 own .* there are 100"
    ):
        fitted.predict_set(X, fnr=0.005)
    with pytest.raises(ValueError, match="fnr must lie strictly"):
        fitted.evidence(X, fnr=1.0)
    assert Column.calls == before


def test_attributors_are_fitted_one_against_the_rest(data, fitted):
    X, y = data
    for name, attributor in fitted.named_estimators_.items():
        detector = attributor.estimator_
        own = (detector.seen_[:, None] == X[y == name]).all(axis=2).any(axis=1)
        np.testing.assert_array_equal(detector.labels_, np.where(own, 1, -1))
        assert (detector.labels_ == 1).sum() == 100
        assert (detector.labels_ == -1).sum() == 600
    assert all(not hasattr(attributor, "estimator_") for _, attributor in fitted.estimators)


@pytest.mark.parametrize("wrap", [list, pd.Series, lambda y: pd.Series(y, dtype="category")])
def test_labels_of_any_container(wrap, data, fitted):
    X, y = data
    again = clone(fitted).fit(X, wrap(y))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert again.score(X, wrap(y)) == fitted.score(X, y) > 0.9


def test_one_model_and_its_samples_alone(data):
    X, y = data
    attributor = OpenSetAttributor([("a", part(0))]).fit(X[y == "a"], y[y == "a"])
    assert attributor.named_estimators_["a"].estimator_.labels_ is None
    np.testing.assert_array_equal(attributor.predict(SUSPECTS)[[0, 4]], ["a", "other"])


def test_fitted_attributors(data, fitted):
    frozen = [(name, FrozenEstimator(model)) for name, model in fitted.named_estimators_.items()]
    X, y = data
    together = OpenSetAttributor(frozen).fit()
    assert together.estimators_[1].estimator is fitted.estimators_[1]
    np.testing.assert_array_equal(together.p_values(X), fitted.p_values(X))
    np.testing.assert_array_equal(together.fit(X[:3], y[:3]).p_values(X), fitted.p_values(X))
    # One that is fitted is left as it is, and needs no samples; its name remains a label.
    mixed = OpenSetAttributor([frozen[0], *parts()[1:]])
    mixed.fit(X[200:], y[200:])
    assert mixed.estimators_[0].estimator is fitted.estimators_[0]
    assert (mixed.fit(X, y).estimators_[1].estimator_.labels_ == -1).sum() == 600


def test_what_attributors_may_be(data, fitted):
    X, y = data
    double = FunctionTransformer(lambda X: 2 * X)
    searched = GridSearchCV(part(1), {"fnr": [0.05]}, cv=2)
    models = [
        ("a", Pipeline([("double", double), ("detect", part(0))])),
        ("b", searched),
        ("c", make_rawpad(output_range=None, detector=OneClassSVM(), fnr=0.05, random_state=0)),
    ]
    attributor = OpenSetAttributor(models).fit(X, y)
    np.testing.assert_array_equal(attributor.p_values(X)[:, :2], fitted.p_values(X)[:, :2])
    frozen = [(name, FrozenEstimator(m)) for name, m in attributor.named_estimators_.items()]
    again = OpenSetAttributor(frozen).fit()
    np.testing.assert_array_equal(again.p_values(X), attributor.p_values(X))


@pytest.mark.parametrize(
    ("estimators", "params", "match"),
    [
        ([], {}, "is empty"),
        ({"a": part(0)}, {}, "must be an instance of 'list'"),
        ([part(0)], {}, "name, attributor"),
        ([(0, part(0))], {}, "name, attributor"),
        ([("a", Column())], {}, "'a' is not an FNRThresholdCalibrator .* but with Column"),
        ([("a", OpenSetAttributor(parts()))], {}, "but with OpenSetAttributor"),
        ([("a", part(0)), ("a", part(1))], {}, "not unique"),
        ([("a__b", part(0))], {}, "__"),
        ([("none", part(0))], {"other": "none"}, "'none' is the label of other sources"),
        (
            [("a", part(0, rule="quantile"))],
            {},
            "'a': Quantile.* has no p-values, .* rule='conformal'",
        ),
        ([("a", part(0, reference="photographs"))], {}, "'a' has reference='photographs', but"),
        ([("a", part(0, fnr=0.001))], {}, "'a': fnr=0.001 .* needs at least 999"),
    ],
)
def test_what_attributors_may_not_be(estimators, params, match, data):
    X, y = data
    before = Column.calls
    with pytest.raises(ValueError, match=match):
        OpenSetAttributor(estimators, **params).fit(X, np.where(y == "a", "a", "other"))
    assert Column.calls == before


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda y: np.where(y == "c", "C", y), "Unknown label type: y holds 'C', .* 'other'"),
        (lambda y: np.where(y == "c", None, y), "y holds None, the name of no model"),
        (lambda y: np.where(y == "c", "b", y), "no sample of 'c', .* FrozenEstimator"),
        (lambda y: np.arange(len(y)), "y holds 0, 1, 2, 3, 4, the name of no model"),
        (lambda y: y[1:], "inconsistent numbers of samples"),
        (lambda y: None, "'a' is to be fitted, which requires y"),
    ],
)
def test_labels_that_are_refused(spoil, match, data):
    X, y = data
    before = Column.calls
    with pytest.raises(ValueError, match=match):
        OpenSetAttributor(parts()).fit(X, spoil(y))
    assert Column.calls == before


def test_what_is_not_fitted(data):
    with pytest.raises(NotFittedError):
        OpenSetAttributor(parts()).predict(SUSPECTS)
    with pytest.raises(NotFittedError):
        OpenSetAttributor([("a", FrozenEstimator(part(0)))]).fit()
    with pytest.raises(ValueError, match="'a' is to be fitted, which requires X"):
        OpenSetAttributor(parts()).fit()


def test_reference_populations_of_the_attributors(data, fitted):
    X, y = data
    model = part(0, reference="the rest").fit(X, np.where(y == "a", 1, -1))
    frozen = OpenSetAttributor([("a", FrozenEstimator(model))]).fit()
    np.testing.assert_array_equal(frozen.p_values(X)[:, 0], model.p_own(X))
    # By the advice of the message that refuses it where the attributor is to be fitted.
    fitted.named_estimators_["a"].calibrate_reference(X[y == "other"] + 0.01, name="photographs")
    assert fitted.named_estimators_["a"].evidence(X[:1]).reference_name == "photographs"
    assert fitted.evidence(X[:1]).by_model["a"].p_reference is None


def test_errors_name_the_attributor(data):
    class Picky(Column):
        def score_samples(self, X):
            if np.max(X) > 100:
                raise ValueError("too large for me")
            return super().score_samples(X)

    models = [*parts()[:2], ("c", FNRThresholdCalibrator(Picky(2), fnr=0.05, random_state=0))]
    attributor = OpenSetAttributor(models).fit(*data)
    with pytest.raises(ValueError, match="The attributor 'c': too large for me"):
        attributor.predict(100 * SUSPECTS)


def test_inside_scikit_learn_s_tools(data):
    X, y = data
    attributor = OpenSetAttributor(parts())
    attributor.set_params(b__fnr=0.2, a=part(2))
    assert attributor.estimators[1][1].fnr == 0.2
    assert clone(attributor).get_params()["a__estimator__column"] == 2
    grid = {"a__estimator__column": [0, 1]}
    search = GridSearchCV(OpenSetAttributor(parts()), grid, cv=3).fit(X, y)
    assert search.best_params_ == {"a__estimator__column": 0}
    assert cross_val_score(search.best_estimator_, X, y, cv=3).min() > 0.85


def test_metadata_are_routed(data):
    X, y = data
    weights = np.arange(len(y))
    for routing in (False, True):
        models = parts()
        with config_context(enable_metadata_routing=routing):
            if routing:
                for _, model in models:
                    model.estimator.set_fit_request(sample_weight=True)
            attributor = OpenSetAttributor(models).fit(X, y, sample_weight=weights)
        for model in attributor.estimators_:
            detector = model.estimator_
            np.testing.assert_array_equal(X[detector.weights_], detector.seen_)


@pytest.mark.parametrize("frozen", [False, True])
def test_on_disk(frozen, data, tmp_path):
    X, y = data
    path = tmp_path / "models.flipad"
    models = [
        (name, FNRThresholdCalibrator(OneClassSVM(), fnr=0.05, random_state=0)) for name in MODELS
    ]
    models[2] = "c", GridSearchCV(models[2][1], {"fnr": [0.05]}, cv=2)
    with pytest.raises(ValueError, match="not fitted"):
        save_attributor(OpenSetAttributor(models), path)
    attributor = OpenSetAttributor(models, other="none").fit(X, np.where(y == "other", "none", y))
    if frozen:
        fitted = attributor.named_estimators_.items()
        models = [(name, FrozenEstimator(getattr(m, "best_estimator_", m))) for name, m in fitted]
        attributor = OpenSetAttributor(models, other="none").fit()
    save_attributor(attributor, path)
    loaded = load_attributor(path)
    np.testing.assert_array_equal(loaded.p_values(X), attributor.p_values(X))
    np.testing.assert_array_equal(loaded.predict(X), attributor.predict(X))
    for name in ("models_", "classes_"):
        assert getattr(loaded, name).dtype == getattr(attributor, name).dtype
        np.testing.assert_array_equal(getattr(loaded, name), getattr(attributor, name))
    assert (loaded.estimators[0][1] is loaded.estimators_[0]) == frozen
    assert loaded.named_estimators_["a"] is loaded.estimators_[0]
    again = loaded.fit(X, np.where(y == "other", "none", y))
    np.testing.assert_array_equal(again.p_values(X), attributor.p_values(X))


def test_files_are_scored_by_the_attributor_of_one_model(fitted, tmp_path):
    with pytest.raises(TypeError, match="pass the attributor of each, in named_estimators_"):
        score_files(fitted, [tmp_path / "a.png"], out=tmp_path / "verdicts.csv")
    check_attributor(fitted.named_estimators_["a"], {})
