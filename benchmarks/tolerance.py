"""What the tolerance of the inversion means for the features.

``python benchmarks/tolerance.py`` inverts samples of a shipped generator to several
tolerances and compares the features with those of the tightest: root mean square
difference, relative to that of the features around their mean activation. The rows are
printed, and written to ``tolerance.json`` in the folder ``--out``.
"""

import argparse
import json
import time

import numpy as np
from output import add_out

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

TOLERANCES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)
REFERENCE = 1e-4
N = 64


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    generator = load_pretrained("fashion/dcgan-0")
    layer = FinalLayer.from_generator(generator, random_state=0)
    sources = {
        "own": sample(generator, N, random_state=1),
        "real": load_fashion_sample(N),
        "fashion/lsgan-0": sample(load_pretrained("fashion/lsgan-0"), N, random_state=1),
    }
    results = {}
    for source, X in sources.items():
        best = FinalLayerInverter(layer, tol=REFERENCE, max_iter=20_000).invert(X)
        shift = best.activations - layer.mean_activation
        results[source] = {}
        for tol in TOLERANCES:
            start = time.perf_counter()
            found = FinalLayerInverter(layer, tol=tol, max_iter=20_000).invert(X)
            seconds = time.perf_counter() - start
            difference = found.activations - best.activations
            row = {
                "relative difference of the features": _rms(difference) / _rms(shift),
                "excess objective, largest": float((found.objective / best.objective - 1).max()),
                "iterations, median": float(np.median(found.n_iter)),
                "ms a sample": 1e3 * seconds / N,
            }
            results[source][f"{tol:g}"] = row
            print(source, tol, row, flush=True)
    (args.out / "tolerance.json").write_text(json.dumps(results, indent=1) + "\n")


def _rms(x):
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


if __name__ == "__main__":
    main()
