"""Set-up and solution of layers of every size, with FISTA to the same objective beside it.

``python benchmarks/sizes.py`` measures a vocoder's last convolution, and that of a
latent-diffusion decoder for images of 64 and 512 pixels a side, with the weights that torch
draws and targets with the spectrum of natural images. Each case runs in a process of its own,
whose largest memory is noted. ``--only`` runs a part. FISTA stops when it is as good as the
default was, or after ``--fista`` iterations.
"""

import argparse
import json
import multiprocessing
import os
import resource
import time
from contextlib import suppress

import numpy as np
import torch
from output import add_out

from sklearn_flipad.operators import ConvOperator
from sklearn_flipad.solvers import FISTA, DouglasRachford, LassoProblem

LAM = 1e-3
#: Shapes of the weight and of the activations, and how many samples are solved at once.
CASES = {
    "Conv1d(32 -> 1, k7), 8192": ((1, 32, 7), (32, 8192), 16),
    "Conv2d(128 -> 3, k3), 64x64": ((3, 128, 3, 3), (128, 64, 64), 8),
    "Conv2d(128 -> 3, k3), 512x512": ((3, 128, 3, 3), (128, 512, 512), 1),
}


class _EnoughError(Exception):
    """All samples are as good as was asked."""


def targets(n, shape):
    """Random signals or images whose amplitudes fall with the square of the frequency."""
    rng = np.random.default_rng(0)
    axes = tuple(range(2, len(shape) + 1))
    frequencies = np.meshgrid(*map(np.fft.fftfreq, shape[1:]), indexing="ij")
    frequency = np.maximum(np.sqrt(sum(f**2 for f in frequencies)), 1 / max(shape[1:]))
    noise = np.fft.fftn(rng.normal(size=(n, *shape)), axes=axes) / frequency**2
    colored = np.fft.ifftn(noise, axes=axes).real
    return torch.from_numpy(0.3 * colored / colored.std()).float()


def measure(weight_shape, input_shape, n_samples, max_fista):
    """Seconds, of the clock and of the processor, of one case."""
    torch.manual_seed(0)
    weight = torch.empty(weight_shape)
    torch.nn.init.kaiming_uniform_(weight, a=5**0.5)
    operator = ConvOperator(weight, input_shape, padding=weight_shape[-1] // 2)
    problem = LassoProblem(operator, targets(n_samples, operator.output_shape), LAM)
    row = {"n_samples": n_samples}
    solver = DouglasRachford()
    with _Clock(row, "set-up"):
        state = solver.prepare(operator)
    row["Gram solver"] = type(state.gram).__name__
    with _Clock(row, "default"):
        result = solver.solve(problem, state=state)
    row["default, iterations"] = result.n_iter.tolist()
    row["default, largest gap"] = float(result.gap.max())
    row["memory, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    left = {}

    def enough(n_iter, rows, z, objective, gap):
        above = (objective / result.objective[rows] - 1).max()
        left.update(iterations=n_iter, excess=float(above))
        if above <= 0:
            raise _EnoughError

    with _Clock(row, "FISTA"), suppress(_EnoughError):
        FISTA().solve(problem, tol=1e-12, max_iter=max_fista, callback=enough)
    row["FISTA, iterations"] = left["iterations"]
    row["FISTA, objective above the default's"] = max(left["excess"], 0.0)
    return row


class _Clock:
    """Notes how long the block took."""

    def __init__(self, row, name):
        self.row, self.name = row, name

    def __enter__(self):
        self.began = time.perf_counter(), time.process_time()

    def __exit__(self, *_):
        wall, processor = time.perf_counter(), time.process_time()
        self.row[f"{self.name}, seconds"] = wall - self.began[0]
        self.row[f"{self.name}, processor seconds"] = processor - self.began[1]


def main():
    """Measure, and write after every case what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of the names of the cases to run")
    parser.add_argument("--fista", type=int, default=2000, help="most iterations of FISTA")
    add_out(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "sizes.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for name, case in CASES.items():
        if args.only in name:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                row = pool.apply(measure, (*case, args.fista))
            row["threads"], row["load"] = torch.get_num_threads(), os.getloadavg()[0]
            results[name] = row
            print(name, json.dumps(row), flush=True)
            path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
