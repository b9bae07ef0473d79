"""Strata: a rate that holds in each of them, and no verdict by another one's threshold."""

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sklearn_flipad import (
    CombinedDetector,
    FNRThresholdCalibrator,
    OpenSetAttributor,
    inspect_attributor,
    load_attributor,
    make_rawpad,
    save_attributor,
)
from sklearn_flipad.calibration import PAC, Conformal, FileStrata
from sklearn_flipad.calibration._strata import merged
from sklearn_flipad.evaluation import clopper_pearson
from sklearn_flipad.plotting import ScoreHistogramDisplay
from tests.simulations import keeps_level

#: Deviations of the anomaly scores of own samples, by stratum.
SPREADS = {"JPEG 60": 3.0, "JPEG 75": 1.5, "JPEG 90": 1.0}
NAMES = list(SPREADS)


class FirstColumn(OutlierMixin, BaseEstimator):
    """A detector whose anomaly score is the first column, of which nothing is learned."""

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        return -np.asarray(X)[:, 0]

    def __sklearn_is_fitted__(self):
        return True


def drawn(rng, n, shift=0.0):
    """Scores, n of each stratum, as samples of one feature, and their strata."""
    spreads = np.repeat(list(SPREADS.values()), n)
    return (shift + spreads * rng.normal(size=len(spreads)))[:, None], np.repeat(NAMES, n)


def calibrator(**options):
    return FNRThresholdCalibrator(FrozenEstimator(FirstColumn()), **{"fnr": 0.05, **options})


@pytest.mark.parametrize("rule", ["conformal", "quantile"])
def test_the_rate_of_each_stratum_is_the_nominal_one(rule):
    rng = np.random.default_rng(0)
    X, strata = drawn(rng, 20_000)
    found = calibrator(rule=rule).fit(X, strata=strata)
    together = calibrator(rule=rule).fit(X)
    new, of_new = drawn(rng, 1000)
    missed = found.predict(new, strata=of_new) == -1
    missed_together = together.predict(new) == -1
    for name in NAMES:
        here = of_new == name
        rate = clopper_pearson(int(missed[here].sum()), 1000)
        assert rate.low <= 0.05 <= rate.high
        rate = clopper_pearson(int(missed_together[here].sum()), 1000)
        assert not rate.low <= 0.05 <= rate.high


def test_the_rate_holds_for_small_calibration_sets_on_average():
    rng, runs = np.random.default_rng(1), 150
    rejected = {name: [] for name in NAMES}
    for _ in range(runs):
        X, strata = drawn(rng, 25)
        found = calibrator(fnr=0.1).fit(X, strata=strata, groups=np.arange(len(X)))
        new, of_new = drawn(rng, 1)
        for name, p in zip(of_new, found.p_own(new, strata=of_new), strict=True):
            rejected[name].append(p <= 0.1)
    for found in rejected.values():
        assert keeps_level(np.array(found), 0.1)
        assert 0.02 * runs < np.sum(found)  # and are no bounds that reject nothing


def test_a_stratum_is_judged_as_if_it_were_alone():
    rng = np.random.default_rng(2)
    X, strata = drawn(rng, 100)
    y = np.repeat([1, -1], [300, 120])
    X, strata = (
        np.concatenate([X, 6 + rng.normal(size=(120, 1))]),
        np.r_[strata, np.tile(NAMES, 40)],
    )
    found = calibrator(reference="others").fit(X, y, strata=strata)
    new, of_new = drawn(rng, 20, shift=2.0)
    evidence = found.evidence(new, strata=of_new, fnr=0.02)
    assert evidence.strata.tolist() == of_new.tolist()
    assert evidence.to_frame()["stratum"].tolist() == of_new.tolist()
    frame = found.weigh(new[:, 0], strata=of_new, fnr=0.02).to_frame()
    assert evidence.to_frame().equals(frame)
    np.testing.assert_array_equal(found.p_own(new, strata=of_new), evidence.p_own)
    np.testing.assert_array_equal(found.p_reference(new, strata=of_new), evidence.p_reference)
    for number, name in enumerate(NAMES):
        own, here = strata == name, of_new == name
        alone = calibrator(reference="others").fit(X[own], y[own])
        part = found.in_stratum(name)
        for other in (alone, part):
            expected = other.evidence(new[here], fnr=0.02)
            for field in ("p_own", "p_reference", "verdicts", "own_rejected"):
                np.testing.assert_array_equal(
                    getattr(evidence, field)[here], getattr(expected, field)
                )
            assert (evidence.threshold[here] == expected.threshold).all()
            assert expected.n_calibration == 100
            assert (evidence.n_calibration[here] == 100).all()
            assert (evidence.n_reference[here] == 40).all()
            decisions = found.decision_function(new, strata=of_new)[here]
            np.testing.assert_array_equal(decisions, other.decision_function(new[here]))
        assert found.offset_[number] == -found.threshold_[number] == alone.offset_
        assert not hasattr(part, "strata_")
    # A reference population of its own takes the place of the negatives.
    again = found.calibrate_reference(X[y == -1], name="others", strata=strata[y == -1])
    np.testing.assert_array_equal(again.p_reference(new, strata=of_new), evidence.p_reference)


@pytest.mark.parametrize(
    ("counts", "needed", "groups"),
    [
        ({"a": 5, "b": 5}, 5, [["a"], ["b"]]),
        ({"a": 4, "b": 5}, 5, [["a", "b"]]),
        ({"5": 3, "60": 9, "100": 20}, 5, [["5", "60"], ["100"]]),  # by size, not by text
        ({"a": 20, "b": 3, "c": 9}, 5, [["a"], ["b", "c"]]),  # the smaller neighbor
        ({"a": 9, "b": 3, "c": 20}, 5, [["a", "b"], ["c"]]),
        ({"a": 1, "b": 1, "c": 1, "d": 20}, 3, [["a", "b", "c"], ["d"]]),
        ({"a": 1, "b": 1}, 5, [["a", "b"]]),  # too few in all is told elsewhere
    ],
)
def test_small_strata_are_merged_with_the_smaller_neighbor(counts, needed, groups):
    labels = np.repeat(list(counts), list(counts.values()))
    expected = {name: " or ".join(group) for group in groups for name in group}
    assert merged(labels, needed) == expected


def test_merged_strata_are_named_and_share_a_threshold():
    rng = np.random.default_rng(3)
    X, strata = drawn(rng, 60)
    strata[:55] = "other"  # five are left of JPEG 60
    with pytest.warns(UserWarning, match=r"'JPEG 60' \(5\) and 'JPEG 75' \(60\)"):
        found = calibrator().fit(X, strata=strata)
    group = "JPEG 60 or JPEG 75"
    assert found.strata_ == {
        "JPEG 60": group, "JPEG 75": group, "JPEG 90": "JPEG 90", "other": "other",
    }  # fmt: skip
    evidence = found.evidence(X[55:70], strata=strata[55:70])
    assert set(evidence.strata) == {group}
    pooled = np.sort(X[55:120, 0])
    assert (evidence.threshold == Conformal().threshold(pooled, 0.05)).all()
    # PAC needs 59 of each, and there are 55 others.
    with pytest.warns(UserWarning, match="needs 59 held-out own samples"):
        found = calibrator(rule=PAC()).fit(X, strata=strata)
    assert list(dict.fromkeys(found.strata_.values())) == [group, "JPEG 90 or other"]


def test_no_suspect_is_judged_by_the_threshold_of_another_stratum():
    rng = np.random.default_rng(4)
    X, strata = drawn(rng, 50)
    found, plain = calibrator().fit(X, strata=strata), calibrator().fit(X)
    scored = ("predict", "decision_function", "evidence", "verdict", "p_own", "weigh")
    for method in scored:
        few = X[:3, 0] if method == "weigh" else X[:3]
        with pytest.raises(ValueError, match="pass strata=, the stratum of each sample"):
            getattr(found, method)(few)
        with pytest.raises(ValueError, match="2 of 3 samples are of strata that were not cal"):
            getattr(found, method)(few, strata=["JPEG 60", "PNG", "PNG"])
        with pytest.raises(ValueError, match="strata has 2 entries for 3 samples"):
            getattr(found, method)(few, strata=NAMES[:2])
        with pytest.raises(ValueError, match="no entry for 1 samples, the first is sample 1"):
            getattr(found, method)(few, strata=["JPEG 60", None, "JPEG 60"])
        with pytest.raises(ValueError, match="calibrated without strata"):
            getattr(plain, method)(few, strata=NAMES)
    with pytest.raises(ValueError, match="not calibrated"):
        found.in_stratum("PNG")
    with pytest.raises(ValueError, match="no sample of the strata 'JPEG 60'"):
        found.calibrate_reference(X[50:] + 3, name="others", strata=strata[50:])
    # Levels are refused for all strata alike, whichever the suspects are of.
    with pytest.raises(ValueError, match="of stratum 'JPEG 60' held out, but there are 50"):
        found.evidence(X[-3:], strata=strata[-3:], fnr=0.01)


def test_what_does_not_go_with_strata():
    rng = np.random.default_rng(5)
    X, strata = drawn(rng, 50)
    y = np.where(np.arange(150) % 3, 1, -1)
    with pytest.raises(ValueError, match="strata of the samples to fit too"):
        calibrator(strata=FileStrata()).fit(X)
    with pytest.raises(ValueError, match="do not go together"):
        calibrator(lr="logistic", reference="others").fit(X, y, strata=strata)
    with pytest.raises(ValueError, match="no sample of the strata 'JPEG 90'"):
        calibrator(reference="others", fnr=0.2).fit(
            X, np.where(strata == "JPEG 90", 1, y), strata=strata
        )
    found = FrozenEstimator(calibrator().fit(X, strata=strata))
    with pytest.raises(ValueError, match="in_stratum"):
        OpenSetAttributor([("a", found)]).fit()
    with pytest.raises(ValueError, match="has no one threshold"):
        CombinedDetector([("a", found)]).fit(X)
    with pytest.raises(ValueError, match="has a threshold for each: draw"):
        ScoreHistogramDisplay.from_estimator(found.estimator, X[:4], ["a"] * 4)
    one = FrozenEstimator(found.estimator.in_stratum("JPEG 60"))
    assert OpenSetAttributor([("a", one)]).fit().predict_set(X[:3]).shape == (3, 1)


@pytest.mark.parametrize("routing", [False, True])
def test_pipelines_pass_strata_on(routing):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(400, 3))
    strata, y = rng.integers(0, 2, 400), np.repeat([1, -1], [300, 100])
    X[:, 0] *= 1 + strata
    with sklearn.config_context(enable_metadata_routing=routing):
        attributor = make_rawpad(
            detector=OneClassSVM(), fnr=0.1, cv=0.5, random_state=0, output_range=None
        )
        attributor.fit(X, y, strata=strata)
        assert attributor["detect"].strata_ == {"0": "0", "1": "1"}
        few, of_few = X[:40], strata[:40]
        decisions = attributor.decision_function(few, strata=of_few)
        expected = attributor.score_samples(few) - attributor["detect"].offset_[of_few]
        np.testing.assert_array_equal(decisions, expected)
        predicted = attributor.predict(few, strata=of_few)
        np.testing.assert_array_equal(predicted, np.where(decisions >= 0, 1, -1))
        assert attributor.score(few, y[:40], strata=of_few) == (predicted == 1).mean()
        part = attributor.in_stratum("1")
        np.testing.assert_array_equal(part.predict(few)[of_few == 1], predicted[of_few == 1])
        assert type(part) is type(attributor)
        assert hasattr(attributor["detect"], "strata_")
        plain = Pipeline([("scale", StandardScaler()), ("detect", calibrator(fnr=0.1))])
        plain.fit(X, **({"strata": strata} if routing else {"detect__strata": strata}))
        assert len(plain.predict(few, strata=of_few)) == 40


def test_strata_are_stored(tmp_path):
    rng = np.random.default_rng(7)
    X, strata = rng.normal(size=(300, 2)), rng.choice(["100", "5", "60"], 300)
    X *= 1 + np.log(strata.astype(float))[:, None]
    of_files = FileStrata(qualities=(50, 80))
    found = make_rawpad(
        detector=OneClassSVM(), fnr=0.1, cv=0.5, random_state=0, strata=of_files, output_range=None
    ).fit(X, strata=strata)
    save_attributor(found, tmp_path / "model.flipad")
    loaded = load_attributor(tmp_path / "model.flipad")
    calibrator = loaded["detect"]
    assert calibrator.stratum_of_ == of_files
    for number, name in enumerate(["5", "60", "100"]):
        own = calibrator.calibration_scores_[calibrator.calibration_strata_ == number]
        assert calibrator.threshold_[number] == Conformal().threshold(own, 0.1)
        assert calibrator.in_stratum(name).threshold_ == calibrator.threshold_[number]
    assert inspect_attributor(tmp_path / "model.flipad").strata == calibrator.strata_
    frames = [part.evidence(X[:9], strata=strata[:9]).to_frame() for part in (found, loaded)]
    assert frames[0].equals(frames[1])


def test_strata_of_files():
    stratum_of = FileStrata(qualities=[70, 90])
    jpeg = {"compression": "compressed as JPEG", "colors": "in color"}
    for quality, expected in ((1, "1 to 69"), (70, "70 to 89"), (100, "90 to 100")):
        facts = {**jpeg, "quality": f"JPEG of quality {quality}"}
        assert stratum_of(facts) == f"JPEG of quality {expected}"
        assert FileStrata(["quality", "colors"], [70, 90])(facts).endswith(f"{expected}, in color")
    assert stratum_of({**jpeg, "quality": "JPEG of tables ab12"}) == "JPEG of tables ab12"
    assert stratum_of({"compression": "not compressed with loss"}) == "not compressed with loss"
    assert stratum_of({}) == "unknown"
    assert FileStrata(("bits",))({"bits": "16-bit"}) == "16-bit"
    for wrong in ({"qualities": (80, 70)}, {"qualities": (0,)}, {"facts": ()}):
        with pytest.raises(ValueError, match="must be"):
            FileStrata(**wrong)
