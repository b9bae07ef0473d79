"""Attribution to style-based generators, through their skip connections and without them.

Trains the recipe ``stylegan2`` from some seeds, each from its checkpoint where there is one, and
judges each against the other seeds, against a generator of every other architecture, and against
real images. Needs the files of Fashion-MNIST.
"""

from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.attribution.shipped import FIRST_SEEDS
from benchmarks.attributors import BASELINES, final_layer, make_baseline, one_layer_detector
from benchmarks.judging import judge
from benchmarks.options import Option, selection
from benchmarks.tables import accuracy_table
from benchmarks.zoo.quality import fashion_frechet_distance
from benchmarks.zoo.recipes import train_recipe
from sklearn_flipad import make_flipad
from sklearn_flipad.datasets import load_fashion_mnist, load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained
from sklearn_flipad.zoo.files.cards import load_generator

#: Of the penalty in each branch, by the name of the method.
WEIGHTS = {"FLIPAD": "columns", "FLIPAD, equal weights": "equal"}
METHODS = ("RawPAD", "DCTPAD", "SM-F", *WEIGHTS)
KEYS = ("owner", "method")
OPTIONS = (
    selection("methods", METHODS, small=("RawPAD", "FLIPAD")),
    Option("seeds", (0, 1), help="of the trainings", selects=True),
    Option("fnrs", (0.005, 0.05), (0.1,), "false-negative rates; attributors have the first"),
    Option("n_images", 60_000, 64, "images of each training"),
    Option("n_own", 800, 16, "own samples, which train and calibrate"),
    Option("n_real", 200, 8, "real images that train"),
    Option("n_test", 100, 2, "samples of each source"),
    Option("n_mean", 5000, 50, "samples of the mean activation"),
    Option("max_epochs", 20, 1, "epochs of the detector"),
    Option("tol", 1e-2, 0.5, "tolerance of the inversion"),
)


def trained(seed, options):
    """The generator of a seed; training goes on where it was interrupted."""
    stem = options.work / f"fashion-stylegan2-{seed}"
    if not Path(f"{stem}.json").exists():
        X, folder = load_fashion_mnist()[: options.n_images], options.work
        train_recipe("stylegan2", X, seed=seed, out_dir=folder, work_dir=folder)
    return load_generator(stem)


def make_attributor(method, generator, options):
    """An attributor by the name of its method; the detector of all is one and the same."""
    common = {"fnr": options.fnrs[0], "cv": 0.75, "random_state": 0}
    detector = one_layer_detector(options.max_epochs)
    if method in BASELINES:
        return make_baseline(method, detector, **common)
    layer = final_layer(generator, options.n_mean)
    flipad = make_flipad(layer, detector=detector, **common)
    return flipad.set_params(invert__branch_weights=WEIGHTS[method], invert__tol=options.tol)


def run(options, results):
    """Judge each method of each owner."""
    generators = {f"stylegan2-{seed}": trained(seed, options) for seed in options.seeds}
    n_own, n_real, n_test = options.n_own, options.n_real, options.n_test
    real, draw = load_fashion_sample(), partial(sample, n_samples=n_test, random_state=1)
    others = {name: draw(load_pretrained(name)) for name in FIRST_SEEDS}
    for owner, generator in generators.items():
        missing = [method for method in options.methods if not results.has(owner, method)]
        if not missing:
            continue
        own = sample(generator, n_own, random_state=0)
        X, y = np.concatenate([own, real[:n_real]]), np.repeat([1, -1], [n_own, n_real])
        tests = {name: draw(model) for name, model in generators.items()}
        tests |= {**others, "real": real[n_real:][:n_test]}
        distance = fashion_frechet_distance(own)
        for method in missing:
            attributor = make_attributor(method, generator, options)
            names = {"owner": owner, "method": method, "frechet_distance": distance}
            rows = judge(attributor, X, y, tests, fnrs=options.fnrs, **names)
            results.add(*rows)


def table(rows):
    """Accuracies at the smallest rate: a line for each owner and method, a column a source."""
    strictest = min(row["fnr"] for row in rows)
    return accuracy_table([row for row in rows if row["fnr"] == strictest], "owner")


TABLES = {"stylegan2": table}
