"""Samples that calibrate are new to the detector: copies, groups, fitted detectors, labels."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, PredefinedSplit, ShuffleSplit
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sklearn_flipad import (
    DeepSADDetector,
    FingerprintDetector,
    FNRThresholdCalibrator,
    InlierScaler,
    make_combined,
    make_rawpad,
)
from sklearn_flipad.base.sample_lists import sample_digests
from sklearn_flipad.detectors import ExternalDetector, WindowedDetector

#: Scores training samples far better than new ones.
MEMORY = KernelDensity(bandwidth=0.1)


def calibrator(detector=MEMORY, **params):
    return FNRThresholdCalibrator(detector, **{"fnr": 0.05, "random_state": 0} | params)


def missed(fitted, rng, n=2000):
    return (fitted.predict(rng.normal(size=(n, 8))) == -1).mean()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("times", [2, 10])
def test_copies_are_held_out_together_and_calibrate_once(times, rng):
    X = rng.normal(size=(500, 8))
    with pytest.warns(UserWarning, match=rf"Only 500 of the {500 * times} samples of the model"):
        fitted = calibrator().fit(np.repeat(X, times, axis=0))
    assert len(fitted.calibration_scores_) == 100
    assert missed(fitted, rng) < 0.1


def test_a_few_copies_need_no_word(rng):
    X = rng.normal(size=(500, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = calibrator().fit(np.r_[X, X[:50]])
    assert len(fitted.calibration_scores_) == 100
    assert missed(fitted, rng) < 0.1


def test_a_generator_of_few_different_samples(rng):
    modes = rng.normal(size=(20, 8))
    X = modes[rng.integers(0, 20, 500)]
    with pytest.raises(ValueError, match=r"count as 20.*mode collapse.*groups=np.arange") as found:
        calibrator().fit(X)
    assert "Provide at least 95 different inliers" in str(found.value)
    # The advice: the model draws equal samples by itself.
    fitted = calibrator().fit(X, groups=np.arange(500))
    assert (fitted.predict(modes[rng.integers(0, 20, 2000)]) == -1).mean() <= 0.05


def test_equal_values_are_equal_whatever_their_type():
    values = np.array([[0, 1], [2, 255], [0, 1]], dtype="u1")
    expected = sample_digests(values)
    assert expected[0] == expected[2] != expected[1]
    frame = pd.DataFrame(values, columns=list("ab"))
    negative_zero = values.astype(float)
    negative_zero[0, 0] = -0.0
    for same in (values.astype(">f4"), values.tolist(), frame, negative_zero):
        np.testing.assert_array_equal(sample_digests(same), expected)
    texts = sample_digests(pd.DataFrame({"a": ["x", "y", "x"], "b": [1, 1, 1]}))
    assert texts[0] == texts[2] != texts[1]


@pytest.fixture
def clips(rng):
    """Frames of clips, the number of their clip, and frames of new clips."""
    centers = rng.normal(size=(240, 1, 8))
    frames = (centers + 0.02 * rng.normal(size=(240, 10, 8))).reshape(-1, 8)
    return frames[:1000], np.repeat(np.arange(100), 10), frames[1000:]


@pytest.mark.parametrize("cv", [0.2, GroupShuffleSplit(1, test_size=0.2, random_state=0)])
def test_groups_are_held_out_as_a_whole(cv, clips):
    X, groups, new = clips
    detector = KernelDensity(bandwidth=0.3)
    leaking = calibrator(detector, fnr=0.1, cv=0.2).fit(X)
    assert (leaking.predict(new) == -1).mean() > 0.9
    fitted = calibrator(detector, fnr=0.1, cv=cv).fit(X, groups=groups)
    assert len(fitted.calibration_scores_) == 20  # one frame of each clip
    assert (fitted.predict(new) == -1).mean() < 0.25


def test_too_few_groups(clips):
    X, groups, _ = clips
    with pytest.raises(ValueError, match=r"count as 8: .* Provide at least 95 different inliers"):
        calibrator().fit(X[:80], groups=groups[:80])
    with pytest.raises(ValueError, match=r"all 80 samples labeled .1 are copies of one"):
        calibrator().fit(X[:80], groups=np.zeros(80))


def test_groups_of_names_and_missing_ones(clips):
    X, groups, _ = clips
    names = np.array([f"clip {k}" for k in groups], dtype=object)
    expected = calibrator(fnr=0.1).fit(X, groups=groups).calibration_scores_
    for given in (names, pd.Series(groups, index=range(5000, 6000)), groups.astype(float)):
        fitted = calibrator(fnr=0.1).fit(X, groups=given)
        assert len(fitted.calibration_scores_) == len(expected)
    names[7] = None
    with pytest.raises(ValueError, match="no entry for 1 samples, the first is sample 7"):
        calibrator(fnr=0.1).fit(X, groups=names)
    with pytest.raises(ValueError, match="999 entries for 1000"):
        calibrator(fnr=0.1).fit(X, groups=groups[:-1])


def test_splitters_that_divide_groups(clips):
    X, groups, new = clips
    divided = ShuffleSplit(1, test_size=0.5, random_state=0)
    with pytest.raises(ValueError, match=r"a part of every group.*Pass a fraction as cv"):
        calibrator(fnr=0.1, cv=divided).fit(X, groups=groups)
    half = PredefinedSplit(np.where(np.arange(1000) < 255, 0, -1))
    with pytest.warns(UserWarning, match="divides samples of one group.* 5 samples are left out"):
        fitted = calibrator(KernelDensity(bandwidth=0.3), fnr=0.1, cv=half).fit(X, groups=groups)
    assert len(fitted.calibration_scores_) == 26
    assert (fitted.predict(new) == -1).mean() < 0.25
    calibrator(fnr=0.1, cv=0.2).fit(X, groups=groups)  # the advice


def test_unlabeled_copies_do_not_train(rng):
    X = rng.normal(size=(300, 8))
    y = np.repeat([1, 0, -1], [300, 300, 100])
    fitted = calibrator(DeepSADDetector(max_epochs=1, random_state=0), fnr=0.1)
    fitted.fit(np.r_[X, X, 5 + rng.normal(size=(100, 8))], y)
    seen = fitted.estimator_._seen
    assert len(seen) == 240 + 240 + 100
    assert (~np.isin(sample_digests(X), seen)).sum() == len(fitted.calibration_scores_) == 60


FITTED = [
    ExternalDetector(OneClassSVM()),
    DeepSADDetector(max_epochs=1, random_state=0),
    make_pipeline(InlierScaler(), ExternalDetector(LogisticRegression())),
    make_pipeline(StandardScaler(), OneClassSVM()),
    KernelDensity(),
    LocalOutlierFactor(novelty=True),
    calibrator(OneClassSVM(), fnr=0.2),
]


@pytest.mark.parametrize("detector", FITTED, ids=lambda d: str(d)[:20])
def test_fitted_detectors_are_not_calibrated_on_their_training_samples(detector, rng):
    X = np.r_[rng.normal(size=(200, 8)), 3 + rng.normal(size=(100, 8))]
    y = np.repeat([1, -1], [200, 100])
    supervised = hasattr(detector, "predict_proba") or hasattr(detector, "steps")
    fitted = detector.fit(X, y) if supervised or hasattr(detector, "cv") else detector.fit(X[:200])
    frozen = FNRThresholdCalibrator(FrozenEstimator(fitted), fnr=0.1)
    with pytest.raises(ValueError, match=r"was fitted to at least \d+ of the 200 samples") as found:
        frozen.fit(X, y)
    assert "or the detector itself instead of a FrozenEstimator" in str(found.value)
    new = rng.normal(size=(100, 8))
    with pytest.warns(UserWarning, match="fitted to .* of the 110 samples that would calibrate"):
        frozen.fit(np.r_[new, X[:10]])
    assert 100 <= len(frozen.calibration_scores_) < 110
    assert len(frozen.fit(new).calibration_scores_) == 100  # the advice


def test_fitted_parts_of_a_combination(rng):
    X = rng.integers(0, 256, (200, 1, 8, 8), dtype="u1")
    part = make_rawpad(detector=OneClassSVM(), fnr=0.1, random_state=0).fit(X[:100])
    combined = make_combined({"raw": FrozenEstimator(part)}, fnr=0.1, random_state=0)
    with pytest.raises(ValueError, match="Pass samples that it was not fitted to"):
        combined.fit(X[:100])
    combined.fit(X[100:])


def test_every_fit_counts(rng):
    X = rng.integers(0, 256, (60, 1, 16, 16), dtype="u1")
    fitted = FingerprintDetector().partial_fit(X[:30]).partial_fit(X[30:])
    with pytest.raises(ValueError, match="fitted to at least 60 of the 60"):
        FNRThresholdCalibrator(FrozenEstimator(fitted), fnr=0.1).fit(X)


def test_frozen_detectors_of_windows(rng):
    X = rng.normal(size=(40, 1, 16))
    fitted = WindowedDetector(OneClassSVM(), size=8).fit(X)
    with pytest.raises(ValueError, match="fitted to at least 40 of the 40"):
        FNRThresholdCalibrator(FrozenEstimator(fitted), fnr=0.1).fit(X)


def test_own_samples_among_the_negatives(rng):
    own, real = rng.integers(0, 256, (2, 100, 1, 8, 8), dtype="u1")
    make = make_rawpad(detector=LogisticRegression(), fnr=0.1, random_state=0)
    y = np.repeat([1, -1], [100, 200])
    with pytest.raises(ValueError, match=r"100 different samples are labeled both .* 0 and 100"):
        make.fit(np.r_[own, own, real], y)
    make.fit(np.r_[own, real], y[:200])  # the advice
    with pytest.warns(UserWarning, match="1 different samples are labeled both"):
        make.fit(np.r_[own, real, own[:1]], y[:201])
    # Rows of tables may be equal by chance.
    rows = rng.integers(0, 2, (300, 3))
    with pytest.warns(UserWarning, match="unless both sources make equal ones by chance"):
        calibrator(LogisticRegression(), fnr=0.1).fit(rows, y, groups=np.arange(300))
