"""The methods of the ladder: functions of an owner and samples that return a fitted attributor.

A method is called as ``METHODS[name](owner, X_own, X_negatives, options)``. It takes its seeds from
``owner.seed``, and may keep files of what it trains in ``owner.folder``. What it returns has a
``decision_function`` that is negative for what it calls foreign.
"""

from functools import partial

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.preprocessing import FunctionTransformer

from benchmarks.attributors import (
    final_layer,
    make_reproduction,
    one_layer_detector,
    trained_encoder,
)
from sklearn_flipad import (
    FNRThresholdCalibrator,
    InlierWhitener,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_smf,
    make_whitened,
)
from sklearn_flipad.pipelines import AttributionPipeline

#: Held out of the own samples to calibrate: more where little is learned from the rest.
CALIBRATE, COVARIANCE_CALIBRATE = 0.75, 0.25
#: Elements that are whitened together: a third of the own samples that train.
WHITENED_TOGETHER = 1024
#: Own samples that are searched for, half of them to calibrate.
N_REPRODUCED = 1000


class Mahalanobis(BaseEstimator):
    """Squared Mahalanobis distance to the model's samples, as an outlier detector.

    `ridge` is added to the eigenvalues of the covariance, in units of their mean.
    """

    def __init__(self, ridge=1e-4):
        self.ridge = ridge

    def fit(self, X, y=None):
        """Fit to the model's samples alone."""
        X = _rows(X) if y is None else _rows(X)[np.asarray(y) == 1]
        self.mean_ = X.mean(axis=0)
        X = (X - self.mean_) / np.sqrt(len(X) - 1)
        self.ridge_ = self.ridge * np.square(X).sum() / X.shape[1]
        _, scales, self.axes_ = np.linalg.svd(X, full_matrices=False)
        self.weights_ = 1 / (np.square(scales) + self.ridge_)
        return self

    def score_samples(self, X):
        """Minus the distance; directions that no sample had count with the ridge alone."""
        X = _rows(X) - self.mean_
        along = np.square(X @ self.axes_.T)
        outside = np.maximum(np.square(X).sum(axis=1) - along.sum(axis=1), 0)
        return -(along @ self.weights_ + outside / self.ridge_)


def _rows(X):
    return np.asarray(X, dtype=np.float64).reshape(len(X), -1)


def preactivations(X, layer):
    """Input of the final layer's output activation, but for a constant."""
    x = torch.from_numpy(X / 127.5 - 1)
    return layer.shifted_target(x).flatten(1).numpy().astype(np.float32)


def _fitted(make, cv, owner, X_own, X_negatives, options, **params):
    """Fit what ``make`` makes to own samples and negatives, with DeepSAD as its detector."""
    detector = one_layer_detector(options.max_epochs, owner.seed)
    attributor = make(detector=detector, fnr=options.fnr, cv=cv, random_state=owner.seed, **params)
    y = np.repeat([1, -1], [len(X_own), len(X_negatives)])
    return attributor.fit(np.concatenate([X_own, X_negatives]), y)


def _smf(owner, X_own, X_negatives, options):
    return make_smf(fnr=options.fnr, cv=CALIBRATE, random_state=owner.seed).fit(X_own)


def _flipad(owner, *data):
    make = partial(make_flipad, final_layer(owner.generator, data[-1].n_mean))
    return _fitted(make, CALIBRATE, owner, *data)


def _whitened(owner, *data):
    make = partial(make_whitened, final_layer(owner.generator, data[-1].n_mean).activation)
    whitener = InlierWhitener(block=WHITENED_TOGETHER)
    return _fitted(make, COVARIANCE_CALIBRATE, owner, *data, whitener=whitener)


def _whitened_flipad(owner, *data):
    make = partial(make_flipad, final_layer(owner.generator, data[-1].n_mean))
    scaler = InlierWhitener(ridge=1e-2, exponent=0.5, block=256)
    return _fitted(make, COVARIANCE_CALIBRATE, owner, *data, scaler=scaler)


def _mahalanobis_of_pixels(owner, X_own, X_negatives, options):
    common = {"fnr": options.fnr, "cv": COVARIANCE_CALIBRATE, "random_state": owner.seed}
    return make_rawpad(detector=Mahalanobis(), **common).fit(X_own)


def _mahalanobis_of_preactivations(owner, X_own, X_negatives, options):
    common = {"fnr": options.fnr, "cv": COVARIANCE_CALIBRATE, "random_state": owner.seed}
    layer = final_layer(owner.generator, options.n_mean)
    features = FunctionTransformer(preactivations, kw_args={"layer": layer})
    calibrator = FNRThresholdCalibrator(Mahalanobis(), **common)
    return AttributionPipeline([("preactivations", features), ("detect", calibrator)]).fit(X_own)


def _reproduction(owner, X_own, X_negatives, options):
    generator, folder = owner.generator, owner.folder.parent
    encoder, _ = trained_encoder(generator, owner.name, folder, max_steps=options.max_steps)
    attributor = make_reproduction(
        generator, encoder, quick=options.quick, fnr=options.fnr, random_state=owner.seed
    )
    return attributor.fit(X_own[:N_REPRODUCED])


#: In the order of the table's columns.
METHODS = {
    "SM-F": _smf,
    "RawPAD": partial(_fitted, make_rawpad, CALIBRATE),
    "DCTPAD": partial(_fitted, make_dctpad, CALIBRATE),
    "FLIPAD": _flipad,
    "Mahalanobis pixels": _mahalanobis_of_pixels,
    "Mahalanobis": _mahalanobis_of_preactivations,
    "whitened": _whitened,
    "whitened FLIPAD": _whitened_flipad,
    "reproduction": _reproduction,
}
#: These learn from the own samples alone.
WITHOUT_NEGATIVES = ("SM-F", "Mahalanobis pixels", "Mahalanobis", "reproduction")
