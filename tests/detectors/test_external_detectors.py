"""Detectors and classifiers from elsewhere, on images and in the pipelines."""

import types

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDOneClassSVM
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, OneClassSVM

from sklearn_flipad import DeepSADDetector, FNRThresholdCalibrator, InlierScaler, make_rawpad
from sklearn_flipad.detectors import MLP, ExternalDetector


@pytest.fixture(scope="module")
def images():
    """Own images with a bright corner, others that are darker."""
    rng = np.random.default_rng(0)
    X = rng.integers(100, 156, (600, 1, 6, 6), dtype=np.uint8)
    X[:400, 0, :2, :2] += 60
    X[400:] -= 60
    return X, np.repeat([1, -1], [400, 200])


def pyod_detector(base=BaseEstimator):
    """A detector with the interface and the sign of PyOD's, from a module of that name."""

    class KNN(base):
        def __init__(self, contamination=0.1):
            self.contamination = contamination

        def fit(self, X, y=None):
            self.labels_, self.center_ = y, np.asarray(X).mean(axis=0)
            return self

        def decision_function(self, X):
            return np.linalg.norm(np.asarray(X) - self.center_, axis=1)

    KNN.__module__ = "pyod.models.knn"
    return KNN()


DETECTORS = [
    OneClassSVM(),
    IsolationForest(random_state=0),
    LocalOutlierFactor(novelty=True),
    SGDOneClassSVM(random_state=0),
    GaussianMixture(random_state=0),
    PCA(3),
    LogisticRegression(max_iter=1000),
    LinearDiscriminantAnalysis(),
    SVC(),
    RandomForestClassifier(n_estimators=50, random_state=0),
    pyod_detector(),
    DeepSADDetector(module=MLP, max_epochs=8, module_params={"hidden": (32,)}, random_state=0),
]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
def test_any_detector_on_images(images, detector):
    X, y = images
    attributor = make_rawpad(detector=detector, fnr=0.1, random_state=0).fit(X[::2], y[::2])
    accepted = attributor.predict(X[1::2]) == 1
    assert accepted[y[1::2] == 1].mean() > 0.8
    assert accepted[y[1::2] == -1].mean() < 0.15
    direct = FNRThresholdCalibrator(detector, fnr=0.1, random_state=0)
    floats = (X / 127.5 - 1).astype(np.float32)
    direct.fit(floats[::2], y[::2])
    np.testing.assert_array_equal(direct.predict(floats[1::2]), attributor.predict(X[1::2]))


def test_unsupervised_detectors_do_not_learn_negatives(images):
    X, y = images
    detector = ExternalDetector(pyod_detector()).fit(X, y)
    assert detector.estimator_.labels_ is None
    own = X[y == 1].reshape(400, -1)
    np.testing.assert_allclose(detector.estimator_.center_, own.mean(axis=0))
    assert detector.n_features_in_ == 36


def test_classifiers_do_not_learn_unlabeled_samples(images):
    X, y = images
    some = y.copy()
    some[::3] = 0
    detector = ExternalDetector(LogisticRegression(max_iter=1000)).fit(X, some)
    np.testing.assert_array_equal(detector.estimator_.classes_, [-1, 1])
    expected = LogisticRegression(max_iter=1000).fit(X[some != 0].reshape(-1, 36), some[some != 0])
    np.testing.assert_allclose(
        detector.score_samples(X), expected.decision_function(X.reshape(600, -1))
    )


def test_own_threshold_of_an_external_detector(images):
    X, y = images
    detector = ExternalDetector(OneClassSVM(), fnr=0.1).fit(X, y)
    assert (detector.predict(X[y == 1]) == -1).mean() == pytest.approx(0.1, abs=0.01)
    with pytest.raises(ValueError, match="features"):
        detector.score_samples(X[:, :, :3])


def test_detectors_without_scores_are_refused_before_anything_is_fitted(images):
    X, y = images
    message = r"LocalOutlierFactor has none of the methods .* Pass novelty=True to it"
    for attempt in (
        make_rawpad(detector=LocalOutlierFactor(), fnr=0.1),
        FNRThresholdCalibrator(LocalOutlierFactor(), fnr=0.1),
        ExternalDetector(LocalOutlierFactor()),
    ):
        with pytest.raises(ValueError, match=message):
            attempt.fit(X, y)
    follows = make_rawpad(detector=LocalOutlierFactor(novelty=True), fnr=0.1)
    assert (follows.fit(X, y).predict(X[y == -1]) == -1).all()


def test_pipelines_and_frozen_detectors(images):
    X, y = images
    rows = X.reshape(600, -1) / 127.5 - 1
    piped = make_pipeline(InlierScaler(), OneClassSVM())
    with_labels = FNRThresholdCalibrator(piped, fnr=0.1, random_state=0).fit(rows, y)
    alone = FNRThresholdCalibrator(piped, fnr=0.1, random_state=0).fit(rows[y == 1])
    np.testing.assert_allclose(with_labels.score_samples(rows), alone.score_samples(rows))
    fitted = clone(piped).fit(rows[:200])
    frozen = FNRThresholdCalibrator(FrozenEstimator(fitted), fnr=0.1).fit(rows[200:], y[200:])
    np.testing.assert_allclose(frozen.score_samples(rows), fitted.score_samples(rows))


def test_scores_that_are_no_numbers_are_refused(images):
    X, y = images
    detector = pyod_detector()

    def broken(self, X):
        return np.full(len(X), np.nan)

    detector.decision_function = types.MethodType(broken, detector)
    calibrator = FNRThresholdCalibrator(FrozenEstimator(detector), fnr=0.1)
    with pytest.raises(ValueError, match="KNN gives 400 of 400 samples a score that is NaN"):
        calibrator.fit(X.reshape(600, -1) + 1.0, y)


def test_several_scores_for_a_sample_are_refused(images):
    X, y = images
    classes = np.where(y == 1, np.arange(600) % 2, 2)
    many = FrozenEstimator(SVC().fit(X.reshape(600, -1), classes))
    with pytest.raises(ValueError, match="one score per sample is needed"):
        FNRThresholdCalibrator(many, fnr=0.1).fit(X.reshape(600, -1) + 1.0, y)
