"""scikit-learn's own checks, and what the estimators do inside its tools."""

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier, is_outlier_detector
from sklearn.metrics import accuracy_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_flipad import (
    ChannelSelector,
    CombinedDetector,
    DCTTransformer,
    DeepSADDetector,
    DenoiserTransformer,
    FinalLayer,
    FinalLayerInverter,
    FingerprintDetector,
    FNRThresholdCalibrator,
    InlierScaler,
    InlierWhitener,
    OpenSetAttributor,
    PreactivationTransformer,
    RawTransformer,
    ResidualTransformer,
    SpectrogramTransformer,
    make_rawpad,
)
from sklearn_flipad.base.samples import shape_of
from sklearn_flipad.generators import DiffusionSampler, DiffusionSchedule
from tests.diffusion_models import Velocity


def translated(y):
    """Labels of a check as +1 and -1; alternating, where it has one class only.

    The checks label by 0, 1, 2 or by strings. The labels of attribution are +1, -1 and 0
    by definition, and others are refused (see the tests of each estimator).
    """
    if y is None:
        return None
    y = np.asarray(y)
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and np.array_equal(y, np.rint(y))):
        return y  # continuous targets must be refused as they are
    if len(np.unique(y)) < 2:
        return np.where(np.arange(len(y)) % 2 == 0, 1, -1)
    return np.where(y == y.min(), -1, 1)


class _Translating:
    def fit(self, X, y=None):
        return super().fit(X, translated(y))


class CheckedScaler(_Translating, InlierScaler):
    pass


class CheckedWhitener(_Translating, InlierWhitener):
    pass


class CheckedSelector(_Translating, ChannelSelector):
    pass


class CheckedDetector(_Translating, DeepSADDetector):
    pass


class CheckedFingerprint(_Translating, FingerprintDetector):
    """A fingerprint of images one pixel high, whatever the number of features."""

    def _checked(self, X, *, reset):
        shape = shape_of(X)
        image_shape = (1, 1, *shape[1:]) if len(shape) == 2 else None
        names = ("n_features_in_", "feature_names_in_", "_image_shape")
        seen = {name: vars(self)[name] for name in names if name in vars(self)}
        inner = FingerprintDetector(image_shape=image_shape, output_range=(-1e6, 1e6))
        vars(inner).update(seen)
        return inner._checked(X, reset=reset)

    def partial_fit(self, X, y=None):
        return super().partial_fit(X, translated(y))


class CheckedCalibrator(_Translating, FNRThresholdCalibrator):
    def score(self, X, y, sample_weight=None):
        return super().score(X, translated(y), sample_weight)


class CheckedCombination(_Translating, CombinedDetector):
    pass


class CheckedOpenSet(OpenSetAttributor):
    """The two classes of a check are the samples of models a and b; 2 is none of them.

    Labels are numbers, since several checks subtract predictions.
    """

    def fit(self, X, y=None):
        y = translated(y)
        return super().fit(X, y if y is None or y.dtype.kind == "f" else self._named(y))

    def predict(self, X):
        labels = super().predict(X)
        return np.searchsorted(self.classes_, labels)

    def score(self, X, y):
        return accuracy_score(self._named(translated(y)), super().predict(X))

    @staticmethod
    def _named(y):
        return np.where(y == 1, "a", "b")


class _OfWidth:
    """A transformer whose model says how many features a sample has.

    The checks use all numbers of them, each with a model of its own. All but the choice of the
    model is inherited.
    """

    def _inner(self, X):
        n_features = getattr(self, "n_features_in_", None)
        if n_features is None:
            n_features = max(1, np.asarray(X).shape[-1]) if np.asarray(X).ndim else 1
        inner = self._of_width(n_features)
        self._share(self, inner)
        return inner

    @staticmethod
    def _share(source, target):
        fitted = ("n_features_in_", "feature_names_in_")
        vars(target).update({k: v for k, v in vars(source).items() if k in fitted})

    def fit(self, X, y=None):
        vars(self).pop("n_features_in_", None)
        vars(self).pop("feature_names_in_", None)
        self._share(self._inner(X).fit(X), self)
        self.fitted_ = True
        return self

    def transform(self, X):
        return self._inner(X).transform(X)


class CheckedInverter(_OfWidth, FinalLayerInverter):
    def __init__(self, lam=1e-2):
        self.lam = lam

    def _of_width(self, n_features):
        module = torch.nn.Linear(2 * n_features, n_features, bias=False)
        rng = torch.Generator().manual_seed(0)
        module.weight.data = torch.randn(module.weight.shape, generator=rng)
        layer = FinalLayer.from_module(module, input_shape=(2 * n_features,))
        return FinalLayerInverter(layer, lam=self.lam, max_iter=20_000)

    @property
    def _n_features_out(self):
        return 2 * self.n_features_in_


class CheckedDenoiser(_OfWidth, DenoiserTransformer):
    _n_features_out = 2

    def __init__(self, random_state=0):
        self.random_state = random_state

    def _of_width(self, n_features):
        t = np.linspace(1, 0, 5)
        flow = DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")
        shape = {"latent_shape": (n_features,), "pixels": False}
        sampler = DiffusionSampler(Velocity(), flow, **shape)
        sizes = {"features": ("errors", "coupling"), "n_bands": 1, "n_levels": 1}
        return DenoiserTransformer(sampler, random_state=self.random_state, **sizes)


MULTICLASS = "the three labels are +1, -1 and 0; translated() makes any others valid"
LABELS = "classes_ are those of attribution by definition, not those of the check"
TWO_PIXELS = "the check's samples, as images of two pixels, have no noise residual: all tie"
EVERY_MODEL = "there must be samples of each model, and the message names the one that has none"
EXPECTED_FAILURES = {
    "CheckedFingerprint": {
        "check_outliers_fit_predict": TWO_PIXELS,
        "check_outliers_train": TWO_PIXELS,
    },
    "CheckedCalibrator": {
        "check_classifier_not_supporting_multiclass": MULTICLASS,
        "check_classifiers_classes": LABELS,
        "check_classifiers_train": LABELS,
        "check_classifiers_one_label": LABELS,
    },
    "CheckedOpenSet": {
        "check_classifiers_classes": LABELS,
        "check_classifiers_train": LABELS,
        "check_classifiers_one_label": LABELS,
        "check_fit2d_1sample": EVERY_MODEL,
    },
}


def _small_detector(cls=DeepSADDetector):
    return cls(max_epochs=2, module_params={"hidden": (8,)}, batch_size=16, random_state=0)


@parametrize_with_checks(
    [
        CheckedScaler(),
        CheckedWhitener(),
        CheckedWhitener(block=2),
        CheckedSelector(),
        DCTTransformer(),
        RawTransformer(),
        SpectrogramTransformer(n_fft=2),
        SpectrogramTransformer(n_fft=2, average=True),
        ResidualTransformer(torch.nn.Softsign(), output_range=None),
        PreactivationTransformer("leaky_relu"),  # of unbounded range, as the checks' data
        CheckedInverter(),
        CheckedDenoiser(),
        _small_detector(CheckedDetector),
        CheckedFingerprint(fnr=0.1),
        CheckedCalibrator(_small_detector(), fnr=0.45, cv=0.5, random_state=0),
        CheckedCombination(
            [
                (name, FNRThresholdCalibrator(_small_detector(), fnr=0.45, cv=0.5, random_state=0))
                for name in ("a", "b")
            ]
        ),
        CheckedOpenSet(
            [
                (name, FNRThresholdCalibrator(_small_detector(), fnr=0.45, cv=0.5, random_state=0))
                for name in ("a", "b")
            ]
        ),
    ],
    expected_failed_checks=lambda e: EXPECTED_FAILURES.get(type(e).__name__, {}),
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


def test_kinds():
    assert is_outlier_detector(DeepSADDetector())
    assert is_classifier(FNRThresholdCalibrator(DeepSADDetector()))
    assert is_classifier(make_rawpad())


@pytest.mark.parametrize(
    "estimator",
    [
        InlierScaler(),
        InlierWhitener(),
        ChannelSelector(),
        DeepSADDetector(),
        FNRThresholdCalibrator(DeepSADDetector()),
    ],
)
def test_other_labels_are_refused_by_name(estimator):
    X = np.random.default_rng(0).normal(size=(6, 3))
    with pytest.raises(ValueError, match="got also 2, 3"):
        clone(estimator).fit(X, [1, -1, 0, 2, 3, 1])
