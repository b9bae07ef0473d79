"""Features and time by the tolerance of the inversion.

Samples of a shipped generator are inverted to several tolerances, and their features compared with
those of the tightest: root mean square difference, relative to that of the features around their
mean activation.
"""

import numpy as np

from benchmarks.attributors import final_layer
from benchmarks.machine import timed
from benchmarks.options import Option
from sklearn_flipad import FinalLayerInverter
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

KEYS = ("source", "tol")
OPTIONS = (
    Option("n", 64, 2, "samples of each source"),
    Option("tolerances", (1e-1, 3e-2, 1e-2, 3e-3, 1e-3), (1e-1,), selects=True),
    Option("reference", 1e-4, 1e-2, "the tightest tolerance"),
    Option("n_mean", 5000, 100, "samples of the mean activation"),
)


def run(options, results):
    """Compare the features of own, real and foreign samples."""
    owner, other = (load_pretrained(f"fashion/{name}-0") for name in ("dcgan", "lsgan"))
    layer, n = final_layer(owner, options.n_mean), options.n
    sources = {
        "own": sample(owner, n, random_state=1),
        "real": load_fashion_sample(n),
        "fashion/lsgan-0": sample(other, n, random_state=1),
    }
    for source, X in sources.items():
        missing = [f"{x:g}" for x in options.tolerances if not results.has(source, f"{x:g}")]
        if not missing:
            continue
        best = FinalLayerInverter(layer, tol=options.reference, max_iter=20_000).invert(X)
        shift = best.activations - layer.mean_activation
        for tol in missing:
            inverter = FinalLayerInverter(layer, tol=float(tol), max_iter=20_000)
            found, seconds = timed(inverter.invert, X)
            difference = found.activations - best.activations
            results.add(
                {
                    "source": source,
                    "tol": tol,
                    "relative difference of the features": _rms(difference) / _rms(shift),
                    "excess objective, largest": float(
                        (found.objective / best.objective - 1).max()
                    ),
                    "iterations, median": float(np.median(found.n_iter)),
                    "ms a sample": 1e3 * seconds / n,
                }
            )


def _rms(x):
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
