"""Limit of reproduction: a generator with as many latents as elements of its samples.

Own samples of the generator of ECGs, those of a copy with noise on its weights, and series that are
no ECG at all are inverted by L-BFGS from a random start. Root mean square errors are shares of each
sample's own root mean square.
"""

from functools import partial

import numpy as np

from benchmarks.data.ecg import SHAPE, ecg_generator, uniform
from benchmarks.machine import timed
from benchmarks.options import Option
from sklearn_flipad import SMInvDetector
from sklearn_flipad.evaluation import noisy_copy
from sklearn_flipad.generators import sample

KEYS = ("source",)
OPTIONS = (
    Option("n", 4, 1, "samples of each source"),
    Option("max_iter", 200, 2, "gradients"),
)


def random_walks(n, rng):
    """Samples that no generator made, on the scale of its own."""
    walks = np.cumsum(rng.standard_normal((n, *SHAPE)), axis=2)
    walks -= walks.mean(axis=2, keepdims=True)
    return (0.1 * walks / walks.std(axis=2, keepdims=True)).astype(np.float32).clip(-1, 1)


def run(options, results):
    """Search each source."""
    generator = ecg_generator(options.work)
    copy = noisy_copy(generator, 0.2, where="earlier", sampler=uniform, random_state=0)
    draw = partial(sample, n_samples=options.n, sampler=uniform, dtype="float32", random_state=1)
    sources = {
        "own": draw(generator),
        "copy, 20 % of noise": draw(copy),
        "random walks": random_walks(options.n, np.random.default_rng(0)),
    }
    # One random start is enough: there are as many latents as elements.
    detector = SMInvDetector(
        generator, sampler=uniform, optimizer="lbfgs", n_restarts=1, max_iter=options.max_iter
    )
    for name, X in sources.items():
        if results.has(name):
            continue
        found, seconds = timed(detector.reconstruct, X)
        scale = np.sqrt(np.square(X.astype(float)).reshape(len(X), -1).mean(axis=1))
        errors = np.sort(found.distances / scale)
        results.add(
            {
                "source": name,
                "relative_errors": [float(f"{e:.3g}") for e in errors],
                "seconds": round(seconds / len(X), 1),
            }
        )
