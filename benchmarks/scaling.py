"""Cost of the inversion in samples, memory, penalties and folds.

``python benchmarks/scaling.py`` measures each side by side in one run and writes
``scaling.json`` into the folder ``--out``: time of 40 and 400 images; peak memory of 1,000
and 10,000; a grid search with the cache against one inversion of each sample per penalty; a
warm-started path against separate solves.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from output import add_out
from problems import public_dcgan
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

LAMS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


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


def _timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def linear_time():
    """Seconds for 40 and for 400 images of the public 64x64 DCGAN."""
    generator = public_dcgan()
    layer = FinalLayer.from_generator(generator, n_samples=1000, random_state=0)
    X = sample(generator, 400, random_state=1)
    inverter = FinalLayerInverter(layer, pool_size=2).fit(X[:1])
    inverter.transform(X[:8])  # set-up
    few = _timed(lambda: [inverter.transform(part) for part in np.split(X, 10)]) / 10
    many = _timed(lambda: inverter.transform(X))
    return {"40 images, s": few, "400 images, s": many, "ratio": many / few}


def peak_memory(n):
    """Peak memory, in GB, of this process after transforming `n` images in few iterations.

    Memory does not depend on the number of iterations; 20 keep the run short.
    """
    import warnings

    warnings.simplefilter("ignore")
    generator = public_dcgan()
    layer = FinalLayer.from_generator(generator, n_samples=1000, random_state=0)
    X = np.resize(sample(generator, 1000, random_state=1), (n, 3, 64, 64))
    inverter = FinalLayerInverter(layer, pool_size=2, max_iter=20).fit(X[:1])
    features = inverter.transform(X)
    return {
        "peak, GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "result, GB": features.nbytes / 2**30,
        "input, GB": X.nbytes / 2**30,
    }


def _in_own_process(n):
    command = [sys.executable, __file__, "--memory", str(n)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def grid_search(n=300):
    """Seconds of a cached grid search over 5 penalties and 3 folds, and of its inversions."""
    generator = load_pretrained("fashion/dcgan-0")
    layer = FinalLayer.from_generator(generator, n_samples=1000, random_state=0)
    X = np.concatenate([sample(generator, n // 2, random_state=1), load_fashion_sample(n // 2)])
    y = np.repeat([1, -1], n // 2)
    inverter = FinalLayerInverter(layer, tol=1e-2).fit(X[:1])
    inverter.transform(X[:8])
    once = sum(_timed(lambda lam=lam: inverter.set_params(lam=lam).transform(X)) for lam in LAMS)
    with tempfile.TemporaryDirectory() as folder:
        cached = FinalLayerInverter(layer, tol=1e-2, cache_dir=folder)
        pipeline = make_pipeline(cached, FunctionTransformer(_flat), _Nearest())
        search = GridSearchCV(
            pipeline, {"finallayerinverter__lam": LAMS}, cv=StratifiedKFold(3, shuffle=True)
        )
        searched = _timed(lambda: search.fit(X, y))
    return {"inversions, s": once, "grid search, s": searched, "ratio": searched / once}


def path(n=64):
    """Seconds of a warm-started path over 5 penalties and of separate solves."""
    generator = load_pretrained("fashion/dcgan-0")
    layer = FinalLayer.from_generator(generator, n_samples=1000, random_state=0)
    X = sample(generator, n, random_state=1)
    inverter = FinalLayerInverter(layer).fit(X[:1])
    inverter.transform(X[:8])
    apart = sum(_timed(lambda lam=lam: inverter.set_params(lam=lam).transform(X)) for lam in LAMS)
    together = _timed(lambda: inverter.transform_path(X, LAMS))
    return {"separate, s": apart, "path, s": together, "ratio": apart / together}


def main():
    """Measure what is asked and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", type=int, help="measure the peak for this many images")
    add_out(parser)
    args = parser.parse_args()
    if args.memory:
        print(json.dumps(peak_memory(args.memory)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, measure in {
        "grid search": grid_search,
        "path": path,
        "time": linear_time,
        "memory, 1,000 images": lambda: _in_own_process(1000),
        "memory, 10,000 images": lambda: _in_own_process(10_000),
    }.items():
        results[name] = measure()
        print(name, results[name], flush=True)
        (args.out / "scaling.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
