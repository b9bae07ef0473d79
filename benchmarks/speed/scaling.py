"""Cost of the inversion in samples, memory, penalties and folds, each side by side in one run.

Time of some images and of ten times as many; peak memory of ten and of a hundred times as many, in
few iterations; a grid search with the cache against one inversion of each sample per penalty; a
warm-started path against separate solves.
"""

import tempfile
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.attributors import final_layer
from benchmarks.data.generators import generator_by_name
from benchmarks.machine import in_own_process, peak_memory, timed
from benchmarks.options import Option
from sklearn_flipad import FinalLayerInverter
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample

LAMS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
KEYS = ("measured",)
OPTIONS = (
    Option("generator", "public", "fashion/dcgan-0", "of time and memory"),
    Option("n_timed", 400, 10, "images that are timed, and a tenth of them"),
    Option("n_held", 10_000, 10, "images whose memory is measured, and a tenth of them"),
    Option("n_searched", 300, 12, "images of the grid search"),
    Option("n_path", 64, 2, "images of the path"),
)


class _Nearest(ClassifierMixin, BaseEstimator):
    """A classifier that costs next to nothing, so that the inversion is what is timed."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == label].mean(axis=0) for label in self.classes_])
        return self

    def predict(self, X):
        distances = ((X[:, None] - self.means_[None]) ** 2).sum(axis=2)
        return self.classes_[distances.argmin(axis=1)]


def _flat(X):
    return X.reshape(len(X), -1)


def _seconds(function, *args):
    return timed(function, *args)[1]


def _prepared(name, folder, n, **params):
    """Samples of a generator, and an inverter that has done what it does once."""
    generator = generator_by_name(name, folder)
    layer, X = final_layer(generator, 1000), sample(generator, n, random_state=1)
    inverter = FinalLayerInverter(layer, **params).fit(X[:1])
    inverter.transform(X[:8])
    return X, inverter


def linear_time(options):
    """Seconds for images, and for a tenth of them."""
    n = options.n_timed
    X, inverter = _prepared(options.generator, options.work, n, pool_size=2)
    few = _seconds(lambda: [inverter.transform(part) for part in np.split(X, 10)]) / 10
    many = _seconds(inverter.transform, X)
    return {f"{n // 10} images, s": few, f"{n} images, s": many, "ratio": many / few}


def memory(n, name, folder):
    """Peak memory of this process, in GB, after transforming `n` images in few iterations."""
    warnings.simplefilter("ignore")
    # Memory does not depend on the number of iterations.
    X, inverter = _prepared(name, folder, min(n, 1000), pool_size=2, max_iter=20)
    X = np.resize(X, (n, *X.shape[1:]))
    features = inverter.transform(X)
    return {
        "peak, GB": peak_memory() / 2**30,
        "result, GB": features.nbytes / 2**30,
        "input, GB": X.nbytes / 2**30,
    }


def _each_penalty(inverter, X):
    """Seconds of the inversions with all penalties, each from its start."""
    return sum(_seconds(lambda lam=lam: inverter.set_params(lam=lam).transform(X)) for lam in LAMS)


def grid_search(options):
    """Seconds of a cached grid search over 5 penalties and 3 folds, and of its inversions."""
    n = options.n_searched // 2
    own, inverter = _prepared("fashion/dcgan-0", options.work, n, tol=1e-2)
    X, y = np.concatenate([own, load_fashion_sample(n)]), np.repeat([1, -1], n)
    once = _each_penalty(inverter, X)
    with tempfile.TemporaryDirectory() as folder:
        cached = FinalLayerInverter(inverter.final_layer, tol=1e-2, cache_dir=folder)
        pipeline = make_pipeline(cached, FunctionTransformer(_flat), _Nearest())
        search = GridSearchCV(
            pipeline, {"finallayerinverter__lam": LAMS}, cv=StratifiedKFold(3, shuffle=True)
        )
        searched = _seconds(search.fit, X, y)
    return {"inversions, s": once, "grid search, s": searched, "ratio": searched / once}


def path(options):
    """Seconds of a warm-started path over 5 penalties and of separate solves."""
    X, inverter = _prepared("fashion/dcgan-0", options.work, options.n_path)
    apart = _each_penalty(inverter, X)
    together = _seconds(inverter.transform_path, X, LAMS)
    return {"separate, s": apart, "path, s": together, "ratio": apart / together}


def run(options, results):
    """Measure each."""
    measures = {"grid search": grid_search, "path": path, "time": linear_time}
    for n in (options.n_held // 10, options.n_held):
        arguments = n, options.generator, options.work
        measures[f"memory, {n:,} images"] = lambda _, a=arguments: in_own_process(memory, *a)
    for name, measure in measures.items():
        if not results.has(name):
            results.add({"measured": name, **measure(options)})
