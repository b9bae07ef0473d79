"""Data, attributors and judgement that the tables of attribution share."""

import time

import numpy as np

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    make_combined,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_smf,
    make_sminv,
)
from sklearn_flipad.calibration import Conformal
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import attribution_scores
from sklearn_flipad.reproduction import FeatureDistance
from sklearn_flipad.sampling import sample
from sklearn_flipad.zoo import load_fashion_classifier, load_pretrained

#: Samples of the model: a quarter trains, the rest calibrates.
N_OWN, N_REAL, N_TEST = 4000, 1000, 1000
#: SM-Inv calibrates on this many of them; nothing is trained.
N_INVERTED = 500
#: Far below the paper's 10 restarts of 1,000 steps.
SMINV = {
    "SM-Inv l2": {"n_restarts": 2, "optimizer": "lbfgs", "max_iter": 100},
    "SM-Inv features": {"n_restarts": 1, "optimizer": "lbfgs", "max_iter": 50},
}
FNRS = (0.005, 0.05)
COMBINED = ("RawPAD", "DCTPAD", "FLIPAD")


def load_data(owner, others, seed=0):
    """Training samples and labels, and test images by source: own, real, others."""
    generator = load_pretrained(owner)
    real = load_fashion_sample()
    X = np.concatenate([sample(generator, N_OWN, random_state=2 * seed), real[:N_REAL]])
    y = np.repeat([1, -1], [N_OWN, N_REAL])
    tests = {owner: sample(generator, N_TEST, random_state=2 * seed + 1)}
    tests["real"] = real[N_REAL:][:N_TEST]
    for name in others:
        tests[name] = sample(load_pretrained(name), N_TEST, random_state=2 * seed + 1)
    return X, y, tests


def make_attributor(method, owner, *, seed=0, cache_dir=None):
    """An attributor by the name of its method; the detector of all is one and the same."""
    common = {"fnr": FNRS[0], "cv": 0.75, "random_state": seed}
    if method.startswith("combined"):
        parts = {
            name: make_attributor(name, owner, seed=seed, cache_dir=cache_dir) for name in COMBINED
        }
        for part in parts.values():
            part.set_params(detect__cv=0.5)
        rule = method.partition(" ")[2] or "max"
        return make_combined(parts, combine=rule, **common | {"cv": 0.5})
    if method == "SM-F":
        return make_smf(n_jobs=-1, **common)
    if method in SMINV:
        extractor = load_fashion_classifier().features
        distance = "l2" if method == "SM-Inv l2" else FeatureDistance(extractor)
        options = SMINV[method]
        return make_sminv(load_pretrained(owner), distance=distance, fnr=FNRS[0], **options)
    common["detector"] = DeepSADDetector(
        module=MLP,
        module_params={"hidden": (256,)},
        max_epochs=20,
        milestones=(14,),
        random_state=seed,
    )
    if method == "RawPAD":
        return make_rawpad(**common)
    if method == "DCTPAD":
        return make_dctpad(**common)
    if method != "FLIPAD":
        raise ValueError(f"Unknown method {method!r}.")
    layer = FinalLayer.from_generator(load_pretrained(owner), random_state=0)
    return make_flipad(layer, **common).set_params(invert__cache_dir=cache_dir)


def judge(method, owner, X, y, tests, *, seed=0, cache_dir=None):
    """Fit one attributor and judge each foreign source against the model's own.

    Returns
    -------
    list of dict
        A row for each source and false-negative rate, with what it took in minutes.
    """
    start = time.perf_counter()
    attributor = make_attributor(method, owner, seed=seed, cache_dir=cache_dir)
    if method in SMINV:
        X, y = X[:N_INVERTED], y[:N_INVERTED]
    attributor.fit(X, y)
    fitted = time.perf_counter()
    scores = {source: attributor.score_samples(images) for source, images in tests.items()}
    scored = time.perf_counter()
    rows = []
    for fnr in FNRS:
        threshold = Conformal().threshold(attributor["detect"].calibration_scores_, fnr)
        for source in tests:
            if source == owner:
                continue
            both = np.concatenate([scores[owner], scores[source]])
            truth = np.repeat([1, -1], [len(scores[owner]), len(scores[source])])
            found = attribution_scores(truth, np.where(-both <= threshold, 1, -1), both)
            row = {"owner": owner, "method": method, "seed": seed, "fnr": fnr, "source": source}
            row |= {"accuracy": found.accuracy, "auc": found.auc}
            for name in ("fnr", "fpr"):
                rate = getattr(found, name)
                row[f"found_{name}"] = [rate.value, rate.low, rate.high]
            medians = {owner: float(np.median(scores[owner]))}
            medians[source] = float(np.median(scores[source]))
            row["median_scores"] = medians
            row |= {"fit_min": (fitted - start) / 60, "score_min": (scored - fitted) / 60}
            rows.append(row)
    return rows
