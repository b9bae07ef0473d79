"""Detectors and classifiers from elsewhere in an attributor's place for DeepSAD.

    python benchmarks/detectors.py

Each is put into ``make_rawpad(detector=...)`` as it is, fitted to 1,200 samples of
``fashion/dcgan-0`` and 300 real images, and judged on samples of it and of ``fashion/lsgan-0``,
which no detector has seen, at a false-negative rate of 5 %. PyOD's are left out where PyOD is
not installed. The table is printed, and written to ``detectors.csv`` in the folder ``--out``.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from output import add_out
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

from sklearn_flipad import DeepSADDetector, make_rawpad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import attribution_scores
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

FNR = 0.05


def detectors():
    """Yield pairs of a library's name and a detector."""
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
        from pyod.models import copod, ecod, hbos, iforest, knn, pca
    except ImportError:
        return
    for detector in (
        ecod.ECOD(),
        copod.COPOD(),
        knn.KNN(),
        pca.PCA(20),
        iforest.IForest(),
        hbos.HBOS(),
    ):
        yield "PyOD", detector


def table():
    """Judge all detectors."""
    generator, other = load_pretrained("fashion/dcgan-0"), load_pretrained("fashion/lsgan-0")
    X = np.concatenate([sample(generator, 1200, random_state=0), load_fashion_sample(300)])
    y = np.repeat([1, -1], [1200, 300])
    suspects = np.concatenate([sample(g, 1000, random_state=1) for g in (generator, other)])
    truth = np.repeat([1, -1], 1000)
    rows = []
    for library, detector in detectors():
        start = time.perf_counter()
        attributor = make_rawpad(detector=detector, fnr=FNR, random_state=0).fit(X, y)
        scores = attributor.decision_function(suspects)
        found = attribution_scores(truth, np.where(scores >= 0, 1, -1), scores)
        rows.append(
            {
                "library": library,
                "detector": type(detector).__name__,
                "FNR": round(found.fnr.value, 3),
                "FPR": round(found.fpr.value, 3),
                "AUC": round(found.auc, 3),
                "seconds": round(time.perf_counter() - start, 1),
            }
        )
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", UserWarning)
    rows = table()
    print(rows.to_string(index=False))
    rows.to_csv(args.out / "detectors.csv", index=False)


if __name__ == "__main__":
    main()
