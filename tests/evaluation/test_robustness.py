"""Decisions on perturbed samples, as fitted and immunized."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_flipad import FNRThresholdCalibrator
from sklearn_flipad.evaluation import attribution_scores, robustness_curve
from sklearn_flipad.evaluation.perturbations import GaussianNoise
from sklearn_flipad.plotting import RobustnessDisplay

mpl.use("Agg")
NOISES = {"weak": GaussianNoise(0.01, random_state=0), "strong": GaussianNoise(0.3, random_state=0)}


def _data(seed):
    X = np.random.default_rng(seed).uniform(-0.2, 0.2, size=(1200, 1, 4, 4))
    X[600:] += 0.5
    return X, np.repeat([1, -1], 600)


def _pixels(X):
    return X.reshape(len(X), -1)


@pytest.fixture(scope="module")
def attributor():
    calibrator = FNRThresholdCalibrator(IsolationForest(random_state=0), fnr=0.1, random_state=0)
    return make_pipeline(FunctionTransformer(_pixels), calibrator).fit(*_data(0))


def test_rates_are_those_of_the_perturbed_samples(attributor):
    X, y = _data(1)
    curve = robustness_curve(attributor, NOISES, X, y)
    assert list(curve["perturbation"]) == ["none", "weak", "strong"]
    assert not curve["immunized"].any()
    expected = attribution_scores(y, attributor.predict(NOISES["strong"].fit_transform(X)))
    strong = curve.iloc[2]
    assert strong["accuracy"] == expected.accuracy
    assert (strong["fnr"], strong["fnr_low"]) == (expected.fnr.value, expected.fnr.low)
    assert (strong["fpr"], strong["fpr_high"]) == (expected.fpr.value, expected.fpr.high)


def test_immunization_restores_the_false_negative_rate(attributor):
    X, y = _data(1)
    X_train, y_train = _data(0)
    curve = robustness_curve(attributor, NOISES, X, y, X_train=X_train, y_train=y_train)
    strong = curve[curve["perturbation"] == "strong"].set_index("immunized")
    assert strong.loc[False, "fnr"] > 0.5
    assert strong.loc[True, "fnr"] < 0.2


def test_display(attributor):
    import matplotlib.pyplot as plt

    X, y = _data(1)
    display = RobustnessDisplay.from_estimator(attributor, NOISES, X, y)
    assert [tick.get_text() for tick in display.axes_[0].get_yticklabels()] == list(
        display.curve["perturbation"]
    )
    points = display.axes_[1].containers[0].lines[0].get_xdata()
    np.testing.assert_allclose(np.asarray(points, float), display.curve["fnr"])
    plt.close("all")


def test_what_cannot_be_meant(attributor):
    X, y = _data(1)
    with pytest.raises(ValueError, match="different names"):
        robustness_curve(attributor, [GaussianNoise(), GaussianNoise()], X, y)
    with pytest.raises(ValueError, match="both or neither"):
        robustness_curve(attributor, NOISES, X, y, X_train=X)
