"""The fitted level and rule decide; a changed parameter waits for the next fit."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
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
from sklearn_flipad.calibration import PAC, Conformal
from sklearn_flipad.persistence._migrations import keep_levels
from sklearn_flipad.scoring import ImageDecoder, score_files


@pytest.fixture
def attributor():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(600, 4)), 2 + rng.normal(size=(300, 4))]
    made = make_rawpad(detector=OneClassSVM(), fnr=0.02, reference="the others", random_state=0)
    return made.fit(X, np.repeat([1, -1], [600, 300]))


@pytest.fixture
def suspects():
    rng = np.random.default_rng(1)
    return np.r_[rng.normal(size=(300, 4)), 2 + rng.normal(size=(300, 4))]


CHANGES = [{"detect__fnr": 0.2}, {"detect__rule": "pac"}, {"detect__rule": PAC(0.6)}]


@pytest.mark.parametrize("change", [*CHANGES, {"detect__rule": "quantile"}])
def test_a_changed_level_waits_for_the_next_fit(change, attributor, suspects, tmp_path):
    before = attributor.evidence(suspects)
    attributor.set_params(**change)
    for found in (attributor, _from_file(attributor, tmp_path / "a.flipad")):
        evidence = found.evidence(suspects)
        assert evidence.fnr == 0.02
        assert evidence.rule == Conformal()
        assert evidence.threshold == before.threshold == found["detect"].threshold_
        np.testing.assert_array_equal(evidence.verdicts, before.verdicts)
        np.testing.assert_array_equal(found.p_own(suspects), before.p_own)
        np.testing.assert_array_equal(found.p_reference(suspects), before.p_reference)
        np.testing.assert_array_equal(found.predict(suspects) == -1, evidence.own_rejected)
        np.testing.assert_array_equal(evidence.own_rejected, before.p_own <= 0.02)
    assert inspect_attributor(tmp_path / "a.flipad").fnr == 0.02
    # Another level for the same scores is an argument.
    assert attributor.evidence(suspects, fnr=0.2).own_rejected.sum() > before.own_rejected.sum()


def _from_file(attributor, path):
    save_attributor(attributor, path)
    return load_attributor(path)


def test_the_next_fit_takes_it(attributor, suspects):
    rng = np.random.default_rng(2)
    X = np.r_[rng.normal(size=(600, 4)), 2 + rng.normal(size=(300, 4))]
    attributor.set_params(detect__fnr=0.2, detect__rule=PAC(0.9))
    attributor.fit(X, np.repeat([1, -1], [600, 300]))
    evidence = attributor.evidence(suspects)
    assert (evidence.fnr, evidence.rule) == (0.2, PAC(0.9))
    np.testing.assert_array_equal(attributor.predict(suspects) == -1, evidence.own_rejected)


def test_attributors_of_several_models(attributor, suspects):
    frozen = FrozenEstimator(attributor)
    several = OpenSetAttributor([("model", frozen)]).fit()
    before = several.evidence(suspects)
    attributor.set_params(detect__fnr=0.2, detect__rule="quantile")
    for fitted in (several, OpenSetAttributor([("model", frozen)]).fit()):
        evidence = fitted.evidence(suspects)
        np.testing.assert_array_equal(evidence.sets, before.sets)
        np.testing.assert_array_equal(evidence.sets[:, 0], attributor.predict(suspects) == 1)
    combined = CombinedDetector([("model", frozen)]).fit(suspects)
    attributor.set_params(detect__fnr=0.9)
    np.testing.assert_array_equal(
        CombinedDetector([("model", frozen)]).fit(suspects).predict(suspects),
        combined.predict(suspects),
    )


def test_scored_files(attributor, tmp_path):
    from PIL import Image

    rng = np.random.default_rng(3)
    X = rng.integers(0, 256, (260, 1, 8, 8), dtype="u1")
    X[200:] //= 2
    y = np.repeat([1, -1], [200, 60])
    images = make_rawpad(detector=OneClassSVM(), fnr=0.1, random_state=0).fit(X, y)
    images.set_params(detect__fnr=0.5)
    (tmp_path / "s").mkdir()
    for k in range(20):
        Image.fromarray(X[k, 0]).save(tmp_path / "s" / f"{k:02}.png")
    import pandas as pd

    score_files(images, tmp_path / "s", tmp_path / "table.csv", decoder=ImageDecoder(mode="L"))
    table = pd.read_csv(tmp_path / "table.csv")
    np.testing.assert_array_equal(table.verdict == "not own", images.predict(X[:20]) == -1)


@pytest.mark.parametrize(
    ("rule", "fnr", "found"),
    [
        ("conformal", 0.1, 0.1),
        ("conformal", 0.5, 10 / 100),  # set after fit: the threshold is that of 0.1
        ("pac", 0.1, None),
    ],
)
def test_levels_of_files_of_protocol_2(rule, fnr, found):
    scores = np.arange(99.0)
    threshold = Conformal().threshold(scores, 0.1)
    node = {
        **{"id": 0, "kind": "estimator", "class": "FNRThresholdCalibrator"},
        "params": {"fnr": fnr, "rule": rule},
        "fitted": {
            "calibration_scores_": {"kind": "array", "array": "scores"},
            "threshold_": threshold,
        },
    }
    description, _ = keep_levels({"attributor": node}, {"scores": scores})
    fitted = description["attributor"]["fitted"]
    assert fitted["rule_"]["class"] == {"conformal": "Conformal", "pac": "PAC"}[rule]
    calibrator = FNRThresholdCalibrator(OneClassSVM(), rule=rule)
    if found is not None:
        assert fitted["fnr_"] == found
    from sklearn_flipad.calibration import as_rule

    assert as_rule(calibrator.rule).threshold(scores, fitted["fnr_"]) == threshold
