"""The pipelines, inside scikit-learn's tools and end to end on generated images."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline

from sklearn_flipad import (
    ChannelSelector,
    DeepSADDetector,
    FinalLayerInverter,
    FNRThresholdCalibrator,
    InlierScaler,
    InlierWhitener,
    OutputActivation,
    make_combined,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_smf,
    make_sminv,
    make_whitened,
)
from sklearn_flipad.calibration import PAC
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained


def _detector(**params):
    options = {"module": MLP, "module_params": {"hidden": (64,)}, "max_epochs": 6, "lr": 2e-3}
    return DeepSADDetector(**{**options, **params}, random_state=0)


@pytest.fixture(scope="module")
def data(dcgan):
    X = np.concatenate([sample(dcgan, 200, random_state=0), load_fashion_sample(200)])
    return X, np.repeat([1, -1], 200)


@pytest.fixture(scope="module")
def few(data):
    """A part of the data, for what costs an inversion of each sample again and again."""
    X, y = data
    return X[140:260], y[140:260]


@pytest.fixture(scope="module")
def flipad(dcgan_layer, data):
    pipeline = make_flipad(dcgan_layer, detector=_detector(), fnr=0.05, random_state=0)
    return pipeline.fit(*data)


def test_steps(dcgan_layer):
    assert list(make_flipad(dcgan_layer).named_steps) == ["invert", "detect"]
    assert list(make_dctpad().named_steps) == ["dct", "detect"]
    assert list(make_rawpad().named_steps) == ["raw", "detect"]
    assert list(make_whitened().named_steps) == ["preactivation", "detect"]


def test_scalers(dcgan_layer):
    def scale(pipeline):
        return pipeline["detect"].estimator["scale"]

    assert isinstance(scale(make_flipad(dcgan_layer)), InlierScaler)
    assert isinstance(scale(make_dctpad()), InlierScaler)
    assert isinstance(scale(make_whitened()), InlierWhitener)
    assert scale(make_rawpad()) == "passthrough"
    assert scale(make_dctpad(scaler="passthrough")) == "passthrough"
    whitener = InlierWhitener(ridge=0.1)
    made = [
        make_flipad(dcgan_layer, scaler=whitener),
        make_dctpad(scaler=whitener),
        make_rawpad(scaler=whitener),
        make_whitened(whitener=whitener),
    ]
    for pipeline in made:
        assert scale(pipeline) is not whitener
        assert scale(pipeline).ridge == 0.1


def test_parameters_arrive(dcgan_layer):
    calibration = {"fnr": 0.1, "rule": PAC(0.9), "cv": 0.5}
    pipeline = make_flipad(
        dcgan_layer, lam=0.1, pool_size=2, device="cpu", random_state=3, **calibration
    )
    params = pipeline.get_params()
    assert params["invert__lam"] == 0.1
    assert params["invert__pool_size"] == 2
    assert params["detect__fnr"] == 0.1
    assert params["detect__rule"] == PAC(0.9)
    assert params["detect__cv"] == 0.5
    assert params["detect__estimator__detector__random_state"] == 3
    assert params["detect__estimator__detector__device"] == params["invert__device"] == "cpu"
    assert make_dctpad(crop_size=8)["dct"].crop_size == 8
    activation = OutputActivation("sigmoid", scale=2.0)
    whitened = make_whitened(activation, output_range=(0, 1), clip_eps=0.01, fnr=0.2)
    params = whitened.get_params()
    assert params["preactivation__activation"] == activation
    assert params["preactivation__output_range"] == (0, 1)
    assert params["preactivation__clip_eps"] == 0.01
    assert params["detect__estimator__detector__module__hidden"] == (256,)
    assert params["detect__fnr"] == 0.2
    assert make_rawpad(size=16, mode="crop")["raw"].get_params()["mode"] == "crop"


class _SquaredNorm(OutlierMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def score_samples(self, X):
        return -np.square(X.reshape(len(X), -1)).sum(axis=1)


def test_scaler_does_not_see_what_calibrates():
    """With few samples in many dimensions, held-out inliers would otherwise score too low."""
    rng = np.random.default_rng(0)
    test = rng.normal(size=(2000, 1, 20, 20))
    rates = {"inside": [], "before": []}
    for seed in range(10):
        X = rng.normal(size=(120, 1, 20, 20))
        inside = make_rawpad(
            output_range=None, detector=_SquaredNorm(), fnr=0.1, cv=0.5, random_state=seed
        )
        inside.set_params(detect__estimator__scale=InlierScaler())
        scaler = InlierScaler().fit(X)
        before = FNRThresholdCalibrator(_SquaredNorm(), fnr=0.1, cv=0.5, random_state=seed)
        before.fit(scaler.transform(X))
        rates["inside"].append((inside.fit(X).predict(test) == -1).mean())
        rates["before"].append((before.predict(scaler.transform(test)) == -1).mean())
    assert np.mean(rates["inside"]) < 0.13
    assert np.mean(rates["before"]) > 0.17


def test_detector_that_has_a_length():
    X = np.random.default_rng(0).normal(size=(100, 1, 4, 4))
    flat = IsolationForest(random_state=0)
    pipeline = make_rawpad(detector=flat, fnr=0.1, cv=0.5, random_state=0)
    pipeline.fit(X.reshape(100, -1))
    assert pipeline.predict(np.full((1, 16), 9.0)) == -1


@pytest.mark.filterwarnings("ignore:.*too few to whiten:UserWarning")
@pytest.mark.parametrize("make", [make_rawpad, make_dctpad, make_whitened])
def test_siblings_fit_and_decide(make, data):
    X, y = data
    pipeline = make(detector=_detector(), fnr=0.05, random_state=0).fit(X, y)
    assert set(np.unique(pipeline.predict(X))) <= {-1, 1}
    assert pipeline.score(X, y) > 0.5


def test_flipad_tells_real_images_and_another_generator_apart(flipad, dcgan):
    own = sample(dcgan, 100, random_state=9)
    assert (flipad.predict(own) == -1).mean() < 0.15
    assert (flipad.predict(load_fashion_sample()[1000:1100]) == -1).mean() > 0.9
    foreign = sample(load_pretrained("fashion/lsgan-0"), 100, random_state=9)
    assert flipad.decision_function(foreign).mean() < flipad.decision_function(own).mean()


def test_whitening_tells_another_seed_apart():
    generators = [load_pretrained(f"fashion/ebgan-{seed}") for seed in (0, 1)]
    own, other = (sample(generator, 1600, random_state=0) for generator in generators)
    X = np.concatenate([own[:1400], load_fashion_sample(200)])
    y = np.repeat([1, -1], [1400, 200])
    accuracies = []
    for make in (make_rawpad, make_whitened):
        pipeline = make(detector=_detector(), fnr=0.05, random_state=0).fit(X, y)
        verdicts = pipeline.predict(np.concatenate([own[1400:], other[1400:]]))
        accuracies.append((verdicts == np.repeat([1, -1], 200)).mean())
    assert accuracies[1] > max(0.85, accuracies[0] + 0.1)


def test_scores_and_decisions_agree(flipad, few):
    X, _ = few
    scores = flipad.score_samples(X)
    decision = flipad.decision_function(X)
    np.testing.assert_allclose(decision, scores - flipad["detect"].offset_)
    np.testing.assert_array_equal(flipad.predict(X) == 1, decision >= 0)


def test_score_of_a_sample_is_its_own(flipad, few):
    X, _ = few
    whole = flipad.score_samples(X)
    np.testing.assert_allclose(flipad.score_samples(X[3:4])[0], whole[3], rtol=1e-5)
    np.testing.assert_allclose(flipad.score_samples(X[::-1])[::-1], whole, rtol=1e-5)


def test_flat_images(flipad, data):
    X, _ = data
    invert = flipad["invert"]
    np.testing.assert_allclose(
        invert.transform(X[:4].reshape(4, -1)), invert.transform(X[:4]).reshape(4, -1), atol=1e-5
    )


def test_same_data_same_model(flipad, few):
    first, again = (clone(flipad).set_params(detect__fnr=0.1).fit(*few) for _ in range(2))
    np.testing.assert_array_equal(again.score_samples(few[0]), first.score_samples(few[0]))


@pytest.mark.usefixtures("forked_workers")
def test_grid_search_does_not_depend_on_n_jobs(dcgan_layer, data):
    X, y = (part[60:340] for part in data)
    detector = _detector(max_epochs=15)
    pipeline = make_flipad(dcgan_layer, detector=detector, fnr=0.1, random_state=0)
    pipeline.set_params(invert__tol=0.1)
    grid = {"invert__lam": [1e-2, 1.0]}
    searches = [GridSearchCV(pipeline, grid, cv=2, n_jobs=n).fit(X, y) for n in (1, 2)]
    features = [search.best_estimator_[:-1].transform(X[:5]) for search in searches]
    np.testing.assert_allclose(*features, atol=1e-5)
    results = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_allclose(*results, atol=0.02)
    assert searches[0].best_score_ > 0.8


def test_channel_selection_inside_a_pipeline(dcgan_layer, few):
    fitted = [("select", ChannelSelector(k=5)), ("scale", InlierScaler())]
    detector = Pipeline([*fitted, ("detector", _detector(max_epochs=40))])
    pipeline = Pipeline(
        [
            ("invert", FinalLayerInverter(dcgan_layer)),
            ("detect", FNRThresholdCalibrator(detector, fnr=0.1, random_state=0)),
        ]
    ).fit(*few)
    assert pipeline["detect"].estimator_["scale"].mean_.shape == (5, 16, 16)
    assert pipeline.score(*few) > 0.6


def test_memory(dcgan_layer, few, tmp_path):
    pipeline = make_flipad(
        dcgan_layer, detector=_detector(), fnr=0.1, random_state=0, memory=str(tmp_path)
    )
    pipeline.fit(*few)
    assert any(tmp_path.rglob("output.pkl"))


def test_pickle(flipad, data):
    back = pickle.loads(pickle.dumps(flipad))
    np.testing.assert_allclose(
        back.score_samples(data[0][:20]), flipad.score_samples(data[0][:20]), rtol=1e-5
    )


def test_too_few_inliers_for_the_rate(dcgan_layer, data):
    with pytest.raises(ValueError, match="needs at least 199 held-out inliers"):
        make_rawpad(detector=_detector()).fit(*data)


@pytest.mark.parametrize("spoil", [np.abs, lambda y: -np.abs(y), lambda y: y + 1])
def test_bad_labels(data, spoil):
    X, y = data
    with pytest.raises(ValueError, match=r"one class|got also 2"):
        make_rawpad(detector=_detector(), fnr=0.1).fit(X, spoil(y))


class _Unreachable(BaseEstimator):
    """A first step that nothing should reach."""

    def fit(self, X, y=None):
        raise AssertionError("the features were computed before the check")

    fit_transform = transform = fit


@pytest.mark.parametrize(
    ("n_own", "n_other", "params", "match"),
    [
        (200, 50, {"fnr": 0.005}, "needs at least 199 held-out inliers"),
        (200, 0, {"fnr": 0.1, "labels": True}, "y holds one class only: .* 0 are labeled -1"),
        (200, 50, {"fnr": 0.1, "wrong": 7}, "got also 7"),
        (0, 250, {"fnr": 0.1}, r"no sample labeled \+1"),
        (200, 50, {"fnr": 0.1, "detector": LocalOutlierFactor()}, "none of the methods"),
    ],
)
def test_what_can_be_known_is_checked_before_the_features(n_own, n_other, params, match):
    n = n_own + n_other
    X = np.random.default_rng(0).integers(0, 256, (2 * n, 1, 8, 8), np.uint8)
    X, more, y = X[:n], X[n:], np.repeat([1, -1], [n_own, n_other])
    y[0] = params.pop("wrong", y[0])
    params.pop("labels", None)
    pipeline = make_rawpad(**params).set_params(raw=_Unreachable())
    with pytest.raises(ValueError, match=match):
        pipeline.fit(X, y)
    combined = make_combined({"raw": pipeline}, fnr=0.1)
    with pytest.raises(ValueError, match=match):
        combined.fit(np.concatenate([X, more]), np.tile(y, 2))


def test_seed_reaches_a_detector_without_one(data):
    X, y = data
    detector = DeepSADDetector(max_epochs=1, module=MLP, module_params={"hidden": (8,)})

    def scores(**params):
        return make_rawpad(detector=detector, fnr=0.1, **params).fit(X, y).score_samples(X)

    np.testing.assert_array_equal(scores(random_state=0), scores(random_state=0))
    assert not np.array_equal(scores(random_state=0), scores(random_state=1))
    assert detector.random_state is None
    seeded = clone(detector).set_params(random_state=5)
    kept = make_rawpad(detector=seeded, random_state=0)["detect"].estimator["detector"]
    assert kept.random_state == 5
    forest = make_rawpad(detector=IsolationForest(), random_state=0)["detect"].estimator["detector"]
    assert forest.estimator.random_state is not None


def test_rule_and_reference_reach_the_calibrator_from_every_function(dcgan, dcgan_layer):
    calibration = {"rule": PAC(confidence=0.8), "reference": "photographs of clothes"}
    made = [
        make_flipad(dcgan_layer, **calibration),
        make_dctpad(**calibration),
        make_rawpad(**calibration),
        make_whitened(**calibration),
        make_smf(**calibration),
        make_sminv(dcgan, **calibration),
        make_reproduction(dcgan, **calibration),
        make_combined({"raw": make_rawpad()}, **calibration),
    ]
    for pipeline in made:
        assert pipeline["detect"].rule == calibration["rule"]
        assert pipeline["detect"].reference == calibration["reference"]


def test_reference_holds_out_negatives(data):
    X, y = data
    attributor = make_rawpad(detector=_detector(), fnr=0.05, reference="clothes", random_state=0)
    evidence = attributor.fit(X, y).evidence(X[:3])
    assert (evidence.reference_name, evidence.n_reference) == ("clothes", 40)
    with pytest.raises(ValueError, match="at least 2 samples labeled -1"):
        attributor.fit(X[y == 1])


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_frames_of_rows_and_arrays_of_images(data, output):
    X, y = data
    with sklearn.config_context(transform_output=output):
        pipeline = make_dctpad(detector=_detector(), fnr=0.1).fit(X, y)
        assert pipeline["dct"].transform(X).shape == X.shape
        rows = make_dctpad(image_shape=(1, 32, 32), detector=_detector(), fnr=0.1)
        rows.fit(X.reshape(len(X), -1), y)
        features = rows["dct"].transform(X.reshape(len(X), -1))
        assert type(features) is (pd.DataFrame if output == "pandas" else np.ndarray)
    pipeline.set_output(transform="pandas").fit(X, y)
    selector = ChannelSelector(k=1).set_output(transform="pandas")
    assert selector.fit_transform(np.repeat(X, 2, axis=1), y).shape == X.shape
    assert list(selector.fit(X[:, 0, 0], y).get_feature_names_out()) == [
        f"x{i}" for i in np.flatnonzero(selector.get_support())
    ]
