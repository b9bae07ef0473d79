"""How long the inversion of rows takes: 100,000 of them, with every gap below the tolerance.

Wall time is that of all threads that torch is given (``--threads``); processor time is what it
cost in all, which other processes on the machine do not change. One line of JSON is written to
``tabular_speed.json`` in the folder ``--out``.
"""

import argparse
import json
import time

import torch
from output import add_out

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained


def measure(n_rows):
    """Invert rows of a shipped generator."""
    generator = load_pretrained("redwine/kl-wgan-0")
    layer = FinalLayer.from_generator(generator, n_samples=5000, random_state=0)
    X = sample(generator, n_rows, dtype="float32", random_state=1)
    inverter = FinalLayerInverter(layer)
    inverter.transform(X[:8])  # what is computed of the layer alone, once
    start, cpu = time.perf_counter(), time.process_time()
    found = inverter.invert(X)
    return {
        "rows": n_rows,
        "threads": torch.get_num_threads(),
        "wall_s": round(time.perf_counter() - start, 2),
        "processor_s": round(time.process_time() - cpu, 2),
        "largest_gap": float(found.gap.max()),
        "tol": inverter.tol,
        "median_iterations": int(sorted(found.n_iter)[n_rows // 2]),
    }


def main():
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    add_out(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    found = measure(args.rows)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "tabular_speed.json").write_text(json.dumps(found) + "\n")
    print(found)


if __name__ == "__main__":
    main()
