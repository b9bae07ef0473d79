"""Set-up and solution of layers of every size, with FISTA to the same objective beside it.

Measured are a vocoder's last convolution, and that of a latent-diffusion decoder for images of 64
and 512 pixels a side, with the weights that torch draws and targets with the spectrum of natural
images. Each case runs in a process of its own, whose largest memory is noted. FISTA stops when it
is as good as the default was, or after ``--fista`` iterations.
"""

import os
import time
from contextlib import contextmanager, suppress

import numpy as np
import torch

from benchmarks.machine import in_own_process, peak_memory
from benchmarks.options import Option, selection
from benchmarks.speed.solvers import EnoughError
from sklearn_flipad.operators import ConvOperator
from sklearn_flipad.solvers import FISTA, DouglasRachford, LassoProblem

LAM = 1e-3
#: Shapes of the weight and of the activations, and how many samples are solved at once.
CASES = {
    "Conv1d(32 -> 1, k7), 8192": ((1, 32, 7), (32, 8192), 16),
    "Conv2d(128 -> 3, k3), 64x64": ((3, 128, 3, 3), (128, 64, 64), 8),
    "Conv2d(128 -> 3, k3), 512x512": ((3, 128, 3, 3), (128, 512, 512), 1),
}
KEYS = ("case",)
OPTIONS = (
    selection("cases", CASES, small=tuple(CASES)[:1]),
    Option("fista", 2000, 20, "most iterations of FISTA"),
    Option("n_most", 16, 2, "most samples that are solved at once"),
)


def targets(n, shape):
    """Random signals or images whose amplitudes fall with the square of the frequency."""
    rng = np.random.default_rng(0)
    axes = tuple(range(2, len(shape) + 1))
    frequencies = np.meshgrid(*map(np.fft.fftfreq, shape[1:]), indexing="ij")
    frequency = np.maximum(np.sqrt(sum(f**2 for f in frequencies)), 1 / max(shape[1:]))
    noise = np.fft.fftn(rng.normal(size=(n, *shape)), axes=axes) / frequency**2
    colored = np.fft.ifftn(noise, axes=axes).real
    return torch.from_numpy(0.3 * colored / colored.std()).float()


def operator_of(weight_shape, input_shape):
    """A convolution that keeps the size, with the weights that torch draws."""
    torch.manual_seed(0)
    weight = torch.empty(weight_shape)
    torch.nn.init.kaiming_uniform_(weight, a=5**0.5)
    return ConvOperator(weight, input_shape, padding=weight_shape[-1] // 2)


def measure(weight_shape, input_shape, n_samples, max_fista):
    """Seconds, of the clock and of the processor, of one case."""
    operator = operator_of(weight_shape, input_shape)
    problem = LassoProblem(operator, targets(n_samples, operator.output_shape), LAM)
    row = {"n_samples": n_samples}
    solver = DouglasRachford()
    with clock(row, "set-up"):
        state = solver.prepare(operator)
    row["Gram solver"] = type(state.gram).__name__
    with clock(row, "default"):
        result = solver.solve(problem, state=state)
    row["default, iterations"] = result.n_iter.tolist()
    row["default, largest gap"] = float(result.gap.max())
    row["memory, GB"] = peak_memory() / 2**30
    left = {}

    def enough(n_iter, rows, z, objective, gap):
        above = (objective / result.objective[rows] - 1).max()
        left.update(iterations=n_iter, excess=float(above))
        if above <= 0:
            raise EnoughError

    with clock(row, "FISTA"), suppress(EnoughError):
        FISTA().solve(problem, tol=1e-12, max_iter=max_fista, callback=enough)
    row["FISTA, iterations"] = left["iterations"]
    row["FISTA, objective above the default's"] = max(left["excess"], 0.0)
    return row


@contextmanager
def clock(row, name):
    """Note in a row how long the block took."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    row[f"{name}, seconds"] = time.perf_counter() - wall
    row[f"{name}, processor seconds"] = time.process_time() - processor


def run(options, results):
    """Measure each case."""
    for name in options.cases:
        if not results.has(name):
            *shapes, n = CASES[name]
            arguments = *shapes, min(n, options.n_most), options.fista
            row = in_own_process(measure, *arguments, threads=options.threads)
            row |= {"threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
            results.add({"case": name, **row})
