"""P-values, verdicts and evidence: definitions, error levels, refusals."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import PredefinedSplit
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import OneClassSVM

from sklearn_flipad import AttributionPipeline, FNRThresholdCalibrator
from sklearn_flipad.calibration import PAC, Conformal, Quantile, conformal_p_values
from sklearn_flipad.evaluation import clopper_pearson
from tests.simulations import BROKEN, N_RUNS, SCORES, draw, keeps_level, p_values

LEVELS = np.arange(1, 21) / 20


class FirstColumn(BaseEstimator):
    """A detector whose anomaly score is the first column, and that counts its calls."""

    calls = 0

    def fit(self, X, y=None):
        self.seen_, self.labels_ = np.asarray(X), y
        return self

    def score_samples(self, X):
        type(self).calls += 1
        return -np.asarray(X, dtype=np.float64)[:, 0]


@pytest.mark.parametrize("kind", SCORES)
def test_p_values_by_definition(kind):
    rng = np.random.default_rng(0)
    calibration, scores = draw(rng, kind, 30), draw(rng, kind, 50)
    larger = [(1 + sum(c >= s for c in calibration)) / 31 for s in scores]
    smaller = [(1 + sum(c <= s for c in calibration)) / 31 for s in scores]
    np.testing.assert_array_equal(conformal_p_values(calibration, scores), larger)
    np.testing.assert_array_equal(
        conformal_p_values(calibration, scores, alternative="smaller"), smaller
    )
    np.testing.assert_array_equal(Conformal().p_values(calibration, scores), larger)
    np.testing.assert_array_equal(p_values(calibration[None], scores[None])[0], larger)


@pytest.mark.parametrize("rule", [Conformal(), PAC(), PAC(0.5)])
@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("fnr", [0.05, 0.1, 1 / 7, 0.3, 0.5])
def test_the_threshold_rejects_what_has_a_small_p_value(rule, kind, fnr):
    rng = np.random.default_rng(0)
    for n in range(rule.min_size(fnr), rule.min_size(fnr) + 60):
        calibration = draw(rng, kind, n)
        scores = np.r_[calibration, draw(rng, kind, 20)]
        rejected = scores > rule.threshold(calibration, fnr)
        np.testing.assert_array_equal(rejected, rule.p_values(calibration, scores) <= fnr)


def largest_excess(p):
    """The level that independent p-values exceed most clearly, or None."""
    return next((level for level in LEVELS if not keeps_level(p <= level, level)), None)


def one_suspect(statistic, kind):
    rng = np.random.default_rng(0)
    return statistic(draw(rng, kind, N_RUNS, 20), draw(rng, kind, N_RUNS, 1))[:, 0]


@pytest.mark.parametrize("kind", SCORES)
def test_p_values_keep_every_level(kind):
    p = one_suspect(p_values, kind)
    assert largest_excess(p) is None
    if kind == "continuous":  # and are uniform on multiples of 1/21
        for level in LEVELS:
            rate = clopper_pearson(int((p <= level).sum()), N_RUNS, 1 - 1e-5)
            assert rate.low <= np.floor(21 * level) / 21 <= rate.high


@pytest.mark.parametrize(("broken", "kind"), BROKEN)
def test_broken_p_values_are_caught(broken, kind):
    assert largest_excess(one_suspect(broken, kind)) is not None


@pytest.mark.parametrize("kind", SCORES)
def test_rules_keep_their_rates_in_simulated_calibrations(kind):
    """Of 1,000 calibrations, each with one fresh sample; PAC's law is conditional on the set."""
    rng, n, fnr = np.random.default_rng(1), 60, 0.05
    calibrations, fresh = draw(rng, kind, N_RUNS, n), draw(rng, kind, N_RUNS)
    large = draw(rng, kind, 100_000)
    thresholds = {
        rule: np.array([rule.threshold(scores, fnr) for scores in calibrations])
        for rule in (Conformal(), PAC(0.9))
    }
    assert keeps_level(fresh > thresholds[Conformal()], fnr)
    at_most = np.searchsorted(np.sort(large), thresholds[PAC(0.9)], side="right")
    rates = 1 - at_most / len(large)
    assert keeps_level(rates > fnr, 0.1)


def test_pac_p_values_bound_the_rate_with_confidence():
    rng, n, suspect = np.random.default_rng(0), 50, 1.3
    true_rate = 1 - 0.9032  # of a normal score above 1.3
    bounds = np.array([PAC(0.9).p_values(rng.normal(size=n), [suspect])[0] for _ in range(N_RUNS)])
    assert keeps_level(bounds < true_rate, 0.1)
    assert (bounds < true_rate).mean() > 0.03  # and are no wider than they must be


@pytest.mark.parametrize("n", [1, 2, 10, 300])
def test_pac_p_values_are_above_conformal_ones(n):
    scores = np.arange(n + 1) + 0.5
    calibration = np.arange(n) + 1.0
    conformal = Conformal().p_values(calibration, scores)
    assert (PAC(0.64).p_values(calibration, scores) >= conformal).all()


@pytest.mark.parametrize(
    ("calibration", "scores", "match"),
    [
        ([], [1.0], "calibration_scores must hold at least one"),
        ([1.0], [], "scores must hold at least one"),
        ([1.0, np.nan], [1.0], "1 of 2 calibration_scores are NaN"),
        ([1.0], [np.inf, 0.0], "1 of 2 scores are NaN"),
        ([[1.0]], [1.0], r"shape \(n,\)"),
    ],
)
def test_bad_scores_are_refused(calibration, scores, match):
    for function in (conformal_p_values, Conformal().p_values, PAC().p_values):
        with pytest.raises(ValueError, match=match):
            function(calibration, scores)


def test_quantile_has_no_p_values_and_unknown_alternatives_none():
    with pytest.raises(NotImplementedError, match="pass rule='conformal'"):
        Quantile().p_values([1.0], [1.0])
    with pytest.raises(ValueError, match="larger, smaller"):
        conformal_p_values([1.0], [1.0], alternative="greater")


@pytest.fixture
def data():
    """Own samples about 0, negatives about 2, a second column that tells samples apart."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2))
    y = np.repeat([1, -1], 1000)
    X[y == -1, 0] += 2
    return X, y


SUSPECTS = np.c_[np.linspace(-3, 5, 81), np.zeros(81)]


@pytest.mark.parametrize("rule", ["conformal", "pac"])
def test_calibrator_s_p_values_and_verdicts(data, rule):
    calibrator = FNRThresholdCalibrator(
        FirstColumn(), fnr=0.05, rule=rule, reference="twos", random_state=0
    ).fit(*data)
    rule = {"conformal": Conformal(), "pac": PAC()}[rule]
    own, reference = calibrator.calibration_scores_, calibrator.reference_scores_
    s = SUSPECTS[:, 0]
    np.testing.assert_array_equal(calibrator.p_own(SUSPECTS), rule.p_values(own, s))
    np.testing.assert_array_equal(calibrator.p_reference(SUSPECTS), rule.p_values(-reference, -s))
    np.testing.assert_array_equal(
        calibrator.predict(SUSPECTS) == -1, calibrator.p_own(SUSPECTS) <= 0.05
    )
    not_own = calibrator.p_own(SUSPECTS) <= 0.1
    not_reference = calibrator.p_reference(SUSPECTS) <= 0.2
    expected = np.full(81, "undecided")
    expected[not_own & ~not_reference] = "not own"
    expected[~not_own & not_reference] = "own"
    np.testing.assert_array_equal(calibrator.verdict(SUSPECTS, fnr=0.1, fpr=0.2), expected)
    assert set(expected) == {"own", "undecided", "not own"}


def test_far_populations_leave_a_gap_that_is_undecided(data):
    X, y = data
    X[y == -1, 0] += 100
    calibrator = FNRThresholdCalibrator(FirstColumn(), reference="far", random_state=0).fit(X, y)
    evidence = calibrator.evidence([[0.0, 0.0], [50.0, 0.0], [102.0, 0.0]])
    np.testing.assert_array_equal(evidence.verdicts, ["own", "undecided", "not own"])
    assert evidence.own_rejected[1]
    assert evidence.reference_rejected[1]


def test_levels_of_verdicts_on_fresh_samples(data):
    """1,000 calibrations; one fresh sample of the model and one of the reference population."""
    rng = np.random.default_rng(2)
    wrong = []
    for _ in range(N_RUNS):
        calibrator = FNRThresholdCalibrator(FrozenEstimator(FirstColumn().fit(data[0])), fnr=0.1)
        calibrator.fit(rng.normal(size=(30, 1)))
        calibrator.calibrate_reference(rng.normal(1, 1, size=(30, 1)), name="ones")
        own, reference = calibrator.verdict([[rng.normal()], [rng.normal(1)]], fpr=0.1)
        wrong.append((own == "not own", reference == "own"))
    wrong = np.array(wrong)
    assert keeps_level(wrong[:, 0], 0.1)
    assert keeps_level(wrong[:, 1], 0.1)


def test_evidence_scores_once_and_becomes_a_table(data):
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.02, reference="twos", random_state=0)
    calibrator.fit(*data)
    before = FirstColumn.calls
    evidence = calibrator.evidence(SUSPECTS, fpr=0.1)
    assert FirstColumn.calls == before + 1
    assert (evidence.fnr, evidence.fpr, evidence.rule) == (0.02, 0.1, Conformal())
    assert (evidence.n_calibration, evidence.n_reference) == (200, 200)
    assert evidence.threshold == calibrator.threshold_
    assert evidence.reference_name == "twos"
    np.testing.assert_array_equal(evidence.anomaly_scores, SUSPECTS[:, 0])
    frame = evidence.to_frame(index=[f"{i}.png" for i in range(81)])
    assert list(frame.columns) == ["verdict", "p_own", "p_reference", "anomaly_score"]
    assert frame.loc["3.png", "p_own"] == calibrator.p_own(SUSPECTS[3:4])[0]
    np.testing.assert_array_equal(frame["verdict"], calibrator.verdict(SUSPECTS, fpr=0.1))


def test_without_a_reference_nothing_is_called_own(data):
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, random_state=0).fit(*data)
    evidence = calibrator.evidence(SUSPECTS)
    assert evidence.p_reference is evidence.reference_threshold is None
    assert set(evidence.verdicts) == {"not own", "undecided"}
    assert evidence.to_frame()["p_reference"].isna().all()
    with pytest.raises(NotFittedError, match="calibrate_reference"):
        calibrator.p_reference(SUSPECTS)


def test_held_out_negatives_are_not_trained_on(data):
    X, y = data
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, reference="twos", random_state=0)
    calibrator.fit(X, y)
    trained = calibrator.estimator_.seen_[:, 0]
    assert len(trained) == 1600
    assert not np.isin(calibrator.reference_scores_, trained).any()
    assert np.isin(calibrator.reference_scores_, X[y == -1, 0]).all()
    without = clone(calibrator).set_params(reference=None).fit(X, y)
    np.testing.assert_array_equal(without.calibration_scores_, calibrator.calibration_scores_)
    refitted = calibrator.set_params(reference=None).fit(X, y)
    assert not hasattr(refitted, "reference_scores_")


def test_reference_by_splitter_and_for_fitted_detectors(data):
    X, y = data
    fold = np.where(np.arange(2000) % 4 == 0, 0, -1)
    options = {"fnr": 0.05, "reference": "twos"}
    calibrator = FNRThresholdCalibrator(FirstColumn(), cv=PredefinedSplit(fold), **options)
    expected = np.sort(X[(fold == 0) & (y == -1), 0])
    np.testing.assert_array_equal(calibrator.fit(X, y).reference_scores_, expected)
    frozen = FrozenEstimator(FirstColumn().fit(X[:10]))
    calibrator = FNRThresholdCalibrator(frozen, **options).fit(X[10:], y[10:])
    np.testing.assert_array_equal(calibrator.reference_scores_, np.sort(X[y == -1, 0]))
    inliers_only = PredefinedSplit(np.where((fold == 0) & (y == 1), 0, -1))
    with pytest.raises(ValueError, match="holds out none of them"):
        FNRThresholdCalibrator(FirstColumn(), cv=inliers_only, **options).fit(X, y)
    with pytest.raises(ValueError, match="at least 2 samples labeled -1, got 0"):
        FNRThresholdCalibrator(FirstColumn(), **options).fit(X[:1000])


def test_samples_of_fit_are_no_reference(data):
    X, y = data
    negatives = X[y == -1]
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="1000 of 1000 samples are equal"):
        calibrator.calibrate_reference(negatives, name="twos")
    assert not hasattr(calibrator, "reference_scores_")
    fresh = negatives + 0.01
    with pytest.warns(UserWarning, match="1 of 101 samples are equal"):
        calibrator.calibrate_reference(np.r_[fresh[:100], negatives[:1]], name="twos")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert calibrator.calibrate_reference(fresh, name="twos") is calibrator
        # One-class detectors of scikit-learn are not fitted to negatives.
        svm = FNRThresholdCalibrator(OneClassSVM(), fnr=0.05, random_state=0).fit(X, y)
        svm.calibrate_reference(negatives, name="twos")
    assert len(svm.reference_scores_) == 1000
    with pytest.raises(ValueError, match="it is blank"):
        calibrator.calibrate_reference(fresh, name=" ")
    with pytest.raises(TypeError, match="needs a name"):
        calibrator.calibrate_reference(fresh, name=None)


@pytest.mark.parametrize(
    ("levels", "match"),
    [
        ({"fnr": 0.004}, "fnr=0.004 with Conformal.* at least 249 own samples .* there are 200"),
        ({"fpr": 0.01}, "fpr=0.01 with Conformal.* at least 99 samples of 'few', but there are 50"),
        ({"fnr": 1.0}, "fnr must lie strictly"),
        ({"fpr": 0.0}, "fpr must lie strictly"),
        ({"fpr": np.nan}, "fpr must lie strictly"),
    ],
)
def test_levels_out_of_reach_are_refused_before_scoring(data, levels, match):
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, random_state=0).fit(*data)
    calibrator.calibrate_reference(data[0][:50] + 2.01, name="few")
    before = FirstColumn.calls
    with pytest.raises(ValueError, match=match):
        calibrator.verdict(SUSPECTS, **levels)
    assert FirstColumn.calls == before


def test_quantile_calibrators_give_no_evidence(data):
    calibrator = FNRThresholdCalibrator(FirstColumn(), rule="quantile", random_state=0).fit(*data)
    before = FirstColumn.calls
    for method in (calibrator.p_own, calibrator.evidence, calibrator.verdict):
        with pytest.raises(NotImplementedError, match="rule='conformal'"):
            method(SUSPECTS)
    assert FirstColumn.calls == before


def test_attribution_pipelines_have_it_all(data):
    X, y = data
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.05, random_state=0)
    double = FunctionTransformer(lambda X: 2 * X)
    attributor = AttributionPipeline([("double", double), ("detect", calibrator)])
    with pytest.raises(NotFittedError):
        attributor.p_own(X)
    attributor.fit(X / 2, y)
    inner = attributor["detect"]
    assert attributor.calibrate_reference(X[y == -1] / 2 + 0.01, name="twos") is attributor
    np.testing.assert_array_equal(attributor.p_own(SUSPECTS / 2), inner.p_own(SUSPECTS))
    np.testing.assert_array_equal(attributor.p_reference(SUSPECTS / 2), inner.p_reference(SUSPECTS))
    np.testing.assert_array_equal(attributor.verdict(SUSPECTS / 2), inner.verdict(SUSPECTS))
    assert attributor.evidence(SUSPECTS / 2).reference_name == "twos"
    with pytest.raises(ValueError, match="1000 of 1000"):
        attributor.calibrate_reference(X[y == -1] / 2, name="twos")
    alone = AttributionPipeline([("detect", clone(calibrator))]).fit(X, y)
    np.testing.assert_array_equal(alone.p_own(SUSPECTS), inner.p_own(SUSPECTS))
    assert not hasattr(attributor[:-1], "p_own")
