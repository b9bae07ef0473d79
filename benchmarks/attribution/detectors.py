"""Detectors and classifiers from elsewhere in an attributor's place for DeepSAD.

Each is put into ``make_rawpad(detector=...)`` as it is, fitted to samples of ``fashion/dcgan-0``
and real images, and judged on samples of it and of ``fashion/lsgan-0``, which no detector has seen,
at a false-negative rate of 5 %. PyOD's are left out where PyOD is not installed.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDOneClassSVM
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, OneClassSVM

from benchmarks.judging import judge_pair
from benchmarks.machine import timed
from benchmarks.options import Option
from sklearn_flipad import DeepSADDetector, make_rawpad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

FNR = 0.05
KEYS = ("library", "detector")
OPTIONS = (
    Option("n_own", 1200, 150, "own samples that train and calibrate"),
    Option("n_real", 300, 50, "real images that train"),
    Option("n_test", 1000, 20, "samples of each source that are judged"),
    Option("size", 0, 8, "pixels of a side of what is judged, 0 for whole images"),
)


def detectors(n_features):
    """Yield pairs of a library's name and a detector of rows with so many features."""
    hidden = {"hidden": (256,)}
    yield "here", DeepSADDetector(module=MLP, module_params=hidden, max_epochs=20)
    for detector in (
        IsolationForest(),
        OneClassSVM(),
        LocalOutlierFactor(novelty=True),
        SGDOneClassSVM(),
        KernelDensity(),
        GaussianMixture(),
        PCA(20),
        LogisticRegression(max_iter=2000),
        LinearDiscriminantAnalysis(),
        SVC(),
        MLPClassifier((64,)),
        RandomForestClassifier(),
        HistGradientBoostingClassifier(max_iter=20),
        KNeighborsClassifier(),
    ):
        yield "scikit-learn", detector
    try:
        from pyod.models import auto_encoder, copod, deep_svdd, ecod, hbos, iforest, knn, pca, vae
    except ImportError:
        return
    for detector in (
        ecod.ECOD(),
        copod.COPOD(),
        knn.KNN(),
        pca.PCA(20),
        iforest.IForest(),
        hbos.HBOS(),
        deep_svdd.DeepSVDD(n_features, random_state=0, verbose=0),
        auto_encoder.AutoEncoder(random_state=0, verbose=0),
        vae.VAE(random_state=0, verbose=0),
    ):
        yield "PyOD", detector


def run(options, results):
    """Judge all detectors."""
    warnings.simplefilter("ignore", UserWarning)
    generators = [load_pretrained(f"fashion/{name}-0") for name in ("dcgan", "lsgan")]
    own = sample(generators[0], options.n_own, random_state=0)
    X = np.concatenate([own, load_fashion_sample(options.n_real)])
    y = np.repeat([1, -1], [options.n_own, options.n_real])
    suspects = [sample(generator, options.n_test, random_state=1) for generator in generators]
    n_features = options.size**2 or own[0].size
    for library, detector in detectors(n_features):
        name = type(detector).__name__
        if results.has(library, name):
            continue

        def scores(detector=detector):
            params = {"size": options.size or None, "fnr": FNR, "random_state": 0}
            attributor = make_rawpad(detector=detector, **params).fit(X, y)
            return [attributor.decision_function(x) for x in suspects]

        found, seconds = timed(scores)
        row = judge_pair(*found, 0)
        results.add(
            {
                "library": library,
                "detector": name,
                "FNR": round(row["found_fnr"][0], 3),
                "FPR": round(row["found_fpr"][0], 3),
                "AUC": round(row["auc"], 3),
                "seconds": round(seconds, 1),
            }
        )


TABLES = {"detectors": pd.DataFrame}
