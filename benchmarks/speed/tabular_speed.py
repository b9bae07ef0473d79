"""Inversion of rows of a table, with every gap below the tolerance.

Wall time is that of all threads that torch is given; processor time is what it cost in all, which
other processes on the machine do not change.
"""

import time

import torch

from benchmarks.attributors import final_layer
from benchmarks.options import Option
from sklearn_flipad import FinalLayerInverter
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

KEYS = ("rows", "threads")
OPTIONS = (Option("rows", 100_000, 200),)


def run(options, results):
    """Invert rows of a shipped generator."""
    threads, n = options.threads or 2, options.rows
    if results.has(n, threads):
        return
    torch.set_num_threads(threads)
    generator = load_pretrained("redwine/kl-wgan-0")
    X = sample(generator, n, dtype="float32", random_state=1)
    inverter = FinalLayerInverter(final_layer(generator))
    inverter.transform(X[:8])  # what is computed of the layer alone, once
    start, cpu = time.perf_counter(), time.process_time()
    found = inverter.invert(X)
    results.add(
        {
            "rows": n,
            "threads": threads,
            "wall_s": round(time.perf_counter() - start, 2),
            "processor_s": round(time.process_time() - cpu, 2),
            "largest_gap": float(found.gap.max()),
            "tol": inverter.tol,
            "median_iterations": int(sorted(found.n_iter)[n // 2]),
        }
    )
