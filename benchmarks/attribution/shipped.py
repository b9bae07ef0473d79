"""Attributors of the shipped generators, and the samples that they are fitted to and judged on."""

import tempfile
from itertools import groupby
from operator import itemgetter

import numpy as np
import pandas as pd

from benchmarks.attributors import BASELINES, final_layer, make_baseline, one_layer_detector
from benchmarks.judging import judge
from benchmarks.options import Option
from benchmarks.zoo.quality import load_fashion_classifier
from sklearn_flipad import (
    make_combined,
    make_flipad,
    make_sminv,
)
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction import FeatureDistance
from sklearn_flipad.zoo import list_pretrained, load_pretrained

#: A cell of the tables.
KEYS = ("owner", "perturbation", "method", "seed")
#: Restarts and steps of the latent searches, far below the paper's 10 and 1,000.
SMINV = {"SM-Inv l2": (2, 100), "SM-Inv features": (1, 50)}
COMBINED = ("RawPAD", "DCTPAD", "FLIPAD")
#: In the order in which they are shown.
METHODS = ("SM-F", *SMINV, *COMBINED, "combined", "combined mean")
OWNERS = tuple(list_pretrained("fashion"))
FIRST_SEEDS = tuple(name for name in OWNERS if name.endswith("-0"))
SIZES = (
    Option("n_own", 4000, 40, "samples of the model, which train and calibrate"),
    Option("n_real", 1000, 16, "real images that train"),
    Option("n_test", 1000, 4, "test images of each source"),
    Option("max_epochs", 20, 2, "epochs of the detector"),
    Option("n_mean", 5000, 100, "samples of the mean activation"),
    Option("fnrs", (0.005, 0.05), (0.1,), "false-negative rates; attributors have the first"),
    Option("seed", 0, help="of samples and detectors"),
)
#: The same, and those of SM-Inv.
ALL_SIZES = (
    *SIZES,
    Option("n_inverted", 500, 9, "samples of the model that calibrate SM-Inv"),
    Option("max_steps", 100, 2, "most steps of a search"),
)


def architecture(name):
    """``"fashion/dcgan"`` of ``"fashion/dcgan-0"``."""
    return name.rpartition("-")[0]


def other_seeds(owner):
    """Generators of the owner's architecture and of other seeds."""
    return [x for x in OWNERS if x != owner and architecture(x) == architecture(owner)]


def other_architectures(owner):
    """Generators of the first seed, of other architectures and of the owner's."""
    return [name for name in FIRST_SEEDS if name != owner]


def load_data(owner, others, options):
    """Training samples and labels, and test images by source: own, real, others."""
    n_own, n_real, n_test = options.n_own, options.n_real, options.n_test
    generator, seed = load_pretrained(owner), options.seed
    real = load_fashion_sample()
    X = np.concatenate([sample(generator, n_own, random_state=2 * seed), real[:n_real]])
    y = np.repeat([1, -1], [n_own, n_real])
    tests = {owner: sample(generator, n_test, random_state=2 * seed + 1)}
    tests["real"] = real[n_real:][:n_test]
    for name in others:
        tests[name] = sample(load_pretrained(name), n_test, random_state=2 * seed + 1)
    return X, y, tests


def make_attributor(method, owner, options, cache_dir=None):
    """An attributor by the name of its method; the detector of all is one and the same."""
    common = {"fnr": options.fnrs[0], "cv": 0.75, "random_state": options.seed}
    if method.startswith("combined"):
        parts = {name: make_attributor(name, owner, options, cache_dir) for name in COMBINED}
        for part in parts.values():
            part.set_params(detect__cv=0.5)
        rule = method.partition(" ")[2] or "max"
        return make_combined(parts, combine=rule, **common | {"cv": 0.5})
    if method in SMINV:
        extractor = load_fashion_classifier().features
        distance = "l2" if method == "SM-Inv l2" else FeatureDistance(extractor)
        n_restarts, steps = SMINV[method]
        return make_sminv(
            load_pretrained(owner),
            distance=distance,
            fnr=options.fnrs[0],
            n_restarts=n_restarts,
            optimizer="lbfgs",
            max_iter=min(steps, options.max_steps),
        )
    detector = one_layer_detector(options.max_epochs, options.seed)
    if method in BASELINES:
        return make_baseline(method, detector, **common)
    layer = final_layer(load_pretrained(owner), options.n_mean)
    return make_flipad(layer, detector=detector, **common).set_params(invert__cache_dir=cache_dir)


def judge_methods(options, results, sources, perturbations=None):
    """Judge each method of each owner against ``sources(owner)``, all samples perturbed alike."""
    perturbations = perturbations or {"none": None}
    for owner in options.owners:
        missing = [
            (name, method)
            for name in perturbations
            for method in options.methods
            if not results.has(owner, name, method, options.seed)
        ]
        X, y, tests = load_data(owner, sources(owner), options) if missing else (None,) * 3
        for name, cells in groupby(missing, key=itemgetter(0)):
            data = X, y, tests
            if (perturbation := perturbations[name]) is not None:
                change = perturbation.fit_transform
                data = change(X), y, {source: change(images) for source, images in tests.items()}
            with tempfile.TemporaryDirectory() as cache_dir:
                for _, method in cells:
                    rows = judge_method(method, owner, *data, options, cache_dir)
                    rows = [{"perturbation": name, **row} for row in rows]
                    results.add(*rows)


def judge_method(method, owner, X, y, tests, options, cache_dir):
    """Rows of one method."""
    attributor = make_attributor(method, owner, options, cache_dir)
    n = options.n_inverted if method in SMINV else len(X)
    names = {"owner": owner, "method": method, "seed": options.seed}
    return judge(attributor, X[:n], y[:n], tests, fnrs=options.fnrs, **names)


def at_strictest(rows):
    """Frame of the rows of the smallest false-negative rate."""
    frame = pd.DataFrame(rows)
    return frame[frame["fnr"] == frame["fnr"].min()].copy()


def mean_accuracies(frame, index, columns):
    """Mean accuracies by `index` (lines) and `columns`, in the order in which they come."""
    order = dict.fromkeys(frame[columns])
    table = frame.pivot_table("accuracy", index, columns, sort=False)
    return table[list(order)].round(4).reset_index()


def by_architecture(rows):
    """Mean accuracies of each method (lines) against other seeds, by architecture."""
    frame = at_strictest(rows)
    frame["architecture"] = frame["owner"].map(architecture)
    return mean_accuracies(frame[frame["source"] != "real"], ["method"], "architecture")
