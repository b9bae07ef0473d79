"""The methods of the ladder: functions of an owner and samples that return a fitted attributor.

A method is called as ``METHODS[name](owner, X_own, X_negatives, fnr)``. It takes its seeds from
``owner.seed``, and may keep files of what it trains with ``owner.cached``. What it returns has a
``decision_function`` that is negative for what it calls foreign.
"""

from functools import partial

import numpy as np
import torch
from cards import BATCH_SIZE
from sklearn.base import BaseEstimator
from sklearn.preprocessing import FunctionTransformer

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    FNRThresholdCalibrator,
    InlierWhitener,
    LatentEncoder,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_smf,
    make_whitened,
)
from sklearn_flipad.detectors import MLP
from sklearn_flipad.pipelines import AttributionPipeline

#: Held out of the own samples to calibrate: more where little is learned from the rest.
CALIBRATE, COVARIANCE_CALIBRATE = 0.75, 0.25
MAX_EPOCHS = 20
#: Elements that are whitened together: a third of the own samples that train.
WHITENED_TOGETHER = 1024
#: Own samples that are searched for, half of them to calibrate.
N_REPRODUCED = 1000


class Mahalanobis(BaseEstimator):
    """Squared Mahalanobis distance to the model's samples, as an outlier detector.

    As a transformer, it decorrelates: its components are of variance 1 on the model's samples.

    Parameters
    ----------
    ridge : float
        Added to the eigenvalues of the covariance, in units of their mean.
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

    def transform(self, X):
        """Components along the axes of the model's samples, divided by their deviations."""
        return ((_rows(X) - self.mean_) @ self.axes_.T * np.sqrt(self.weights_)).astype(np.float32)


def _rows(X):
    return np.asarray(X, dtype=np.float64).reshape(len(X), -1)


def preactivations(X, layer):
    """What the final layer's output activation was applied to, but for a constant."""
    x = torch.from_numpy(X / 127.5 - 1)
    return layer.shifted_target(x).flatten(1).numpy().astype(np.float32)


def preactivation_pipeline(owner, detector, fnr, cv):
    """An attributor whose features are preactivations.

    Parameters
    ----------
    owner : Owner
        Whose.
    detector : estimator
        A detector of rows.
    fnr, cv : float
        See FNRThresholdCalibrator.

    Returns
    -------
    AttributionPipeline
    """
    layer = final_layer(owner)
    features = FunctionTransformer(preactivations, kw_args={"layer": layer})
    calibrator = FNRThresholdCalibrator(detector, fnr=fnr, cv=cv, random_state=owner.seed)
    return AttributionPipeline([("preactivations", features), ("detect", calibrator)])


def final_layer(owner):
    """The owner's final layer."""
    return FinalLayer.from_generator(owner.generator, random_state=0)


def deep_sad(owner):
    """The detector of all methods that have one."""
    return DeepSADDetector(
        module=MLP,
        module_params={"hidden": (256,)},
        max_epochs=MAX_EPOCHS,
        milestones=(int(0.7 * MAX_EPOCHS),),
        random_state=owner.seed,
    )


def fitted(attributor, X_own, X_negatives):
    """Fit an attributor to own samples and negatives."""
    y = np.repeat([1, -1], [len(X_own), len(X_negatives)])
    return attributor.fit(np.concatenate([X_own, X_negatives]), y)


def _smf(owner, X_own, X_negatives, fnr):
    return make_smf(fnr=fnr, cv=CALIBRATE, random_state=owner.seed).fit(X_own)


def _deep(make, owner, X_own, X_negatives, fnr):
    attributor = make(detector=deep_sad(owner), fnr=fnr, cv=CALIBRATE, random_state=owner.seed)
    return fitted(attributor, X_own, X_negatives)


def _flipad(owner, X_own, X_negatives, fnr):
    make = partial(make_flipad, final_layer(owner))
    return _deep(make, owner, X_own, X_negatives, fnr)


def _mahalanobis_of_pixels(owner, X_own, X_negatives, fnr):
    detector = Mahalanobis()
    attributor = make_rawpad(
        detector=detector, fnr=fnr, cv=COVARIANCE_CALIBRATE, random_state=owner.seed
    )
    return attributor.fit(X_own)


def _mahalanobis_of_preactivations(owner, X_own, X_negatives, fnr):
    return preactivation_pipeline(owner, Mahalanobis(), fnr, COVARIANCE_CALIBRATE).fit(X_own)


def _whitened(owner, X_own, X_negatives, fnr):
    attributor = make_whitened(
        final_layer(owner).activation,
        whitener=InlierWhitener(block=WHITENED_TOGETHER),
        detector=deep_sad(owner),
        fnr=fnr,
        cv=COVARIANCE_CALIBRATE,
        random_state=owner.seed,
    )
    return fitted(attributor, X_own, X_negatives)


def _whitened_flipad(owner, X_own, X_negatives, fnr):
    attributor = make_flipad(
        final_layer(owner),
        scaler=InlierWhitener(ridge=1e-2, exponent=0.5, block=256),
        detector=deep_sad(owner),
        fnr=fnr,
        cv=COVARIANCE_CALIBRATE,
        random_state=owner.seed,
    )
    return fitted(attributor, X_own, X_negatives)


def _reproduction(owner, X_own, X_negatives, fnr):
    path = owner.folder / f"{owner.name.replace('/', '-')}.encoder"
    if not path.exists():
        owner.folder.mkdir(parents=True, exist_ok=True)
        shape = owner.generator.latent_shape
        LatentEncoder(latent_shape=shape).fit(owner.generator).save(path)
    attributor = make_reproduction(
        owner.generator,
        encoder=LatentEncoder.load(path),
        latent_shape=owner.generator.latent_shape,
        fnr=fnr,
        random_state=owner.seed,
    )
    attributor.set_params(detect__estimator__batch_size=BATCH_SIZE)
    return attributor.fit(X_own[:N_REPRODUCED])


#: In the order of the table's columns.
METHODS = {
    "SM-F": _smf,
    "RawPAD": partial(_deep, make_rawpad),
    "DCTPAD": partial(_deep, make_dctpad),
    "FLIPAD": _flipad,
    "Mahalanobis pixels": _mahalanobis_of_pixels,
    "Mahalanobis": _mahalanobis_of_preactivations,
    "whitened": _whitened,
    "whitened FLIPAD": _whitened_flipad,
    "reproduction": _reproduction,
}
#: These learn from the own samples alone.
WITHOUT_NEGATIVES = ("SM-F", "Mahalanobis pixels", "Mahalanobis", "reproduction")
