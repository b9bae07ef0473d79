"""Solvers of the Gram systems, side by side: set-up, solves, inversions, memory.

For each layer, every solver that can take it inverts the same samples, in turn, several times, with
one thread. Times are CPU times of the process, so that other processes do not count; of each, the
median. A solver that is three times as slow as the fastest is run once.
"""

import dataclasses
import time
from statistics import median

import numpy as np
import torch
from torch import nn

from benchmarks.options import Option, selection
from sklearn_flipad import FinalLayer
from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.final_layer import Link
from sklearn_flipad.operators import gram as solvers
from sklearn_flipad.operators.gram._periodic_extension import PeriodicExtension
from sklearn_flipad.operators.gram._structure import band_of, row_partition
from sklearn_flipad.solvers import DouglasRachford, LassoProblem
from sklearn_flipad.zoo import load_pretrained

LAM = 1e-3
#: Largest numbers of outputs and of values in the border for the dense and the circulant solver.
MAX_DENSE, MAX_BORDER = 4096, 3500


def shipped(name):
    """A shipped layer and samples of its generator."""
    generator = load_pretrained(name)
    layer = FinalLayer.from_generator(generator, n_samples=200, random_state=0)
    return layer, layer.sample(generator, 16, random_state=1)


def untrained(module, input_shape, *before, n_samples=16):
    """A layer with random weights, and images with the spectrum of natural ones."""
    torch.manual_seed(0)
    module.reset_parameters()
    layer = FinalLayer.from_module(module, input_shape=input_shape)
    if before:
        layer = FinalLayer([*before, *layer.links], input_shape=input_shape)
    return layer, natural(n_samples, layer.output_shape)


def natural(n_samples, shape):
    """Random images with the spectrum of natural ones, shape (n_samples, *shape)."""
    rng = np.random.default_rng(0)
    axes = tuple(range(2, len(shape) + 1))
    frequency = np.sqrt(
        sum(f**2 for f in np.meshgrid(*map(np.fft.fftfreq, shape[1:]), indexing="ij"))
    )
    spectrum = np.fft.fftn(rng.normal(size=(n_samples, *shape)), axes=axes)
    images = np.fft.ifftn(spectrum / frequency.clip(1 / max(shape)) ** 1.5, axes=axes).real
    return (0.5 * images / images.std()).astype(np.float32)


#: Layer and samples, and the largest number of iterations, by name.
CASES = {
    "fashion/dcgan-0": (lambda: shipped("fashion/dcgan-0"), 2000),
    "fashion/lsgan-0": (lambda: shipped("fashion/lsgan-0"), 2000),
    "ConvTranspose2d(64, 3, 4, 2, 1) to 64x64": (
        lambda: untrained(nn.ConvTranspose2d(64, 3, 4, 2, 1), (64, 32, 32)),
        2000,
    ),
    "ConvTranspose2d(32, 3, 4, 2, 1) to 128x128": (
        lambda: untrained(nn.ConvTranspose2d(32, 3, 4, 2, 1), (32, 64, 64), n_samples=4),
        100,
    ),
    "Conv2d(64, 3, 3) of 64x64": (
        lambda: untrained(nn.Conv2d(64, 3, 3, padding=1), (64, 64, 64), n_samples=4),
        2000,
    ),
    "Conv2d(32, 3, 7, reflect) of 64x64": (
        lambda: untrained(
            nn.Conv2d(32, 3, 7, padding=3, padding_mode="reflect"), (32, 64, 64), n_samples=4
        ),
        200,
    ),
    "nearest, Conv2d(32, 3, 3) to 64x64": (
        lambda: untrained(
            nn.Conv2d(32, 3, 3, padding=1),
            (32, 32, 32),
            Link("resize", None, {"factor": (2, 2)}),
        ),
        2000,
    ),
    "bilinear, Conv2d(16, 1, 3) to 64x64": (
        lambda: untrained(
            nn.Conv2d(16, 1, 3, padding=1),
            (16, 32, 32),
            Link("resize", None, {"factor": (2, 2), "mode": "linear"}),
        ),
        2000,
    ),
    "Conv1d(32, 1, 7) of 8192": (
        lambda: untrained(nn.Conv1d(32, 1, 7, padding=3), (32, 8192)),
        2000,
    ),
    "Conv2d(128, 3, 3) of 512x512": (
        lambda: untrained(nn.Conv2d(128, 3, 3, padding=1), (128, 512, 512), n_samples=1),
        20,
    ),
}


KEYS = ("layer", "solver")
OPTIONS = (
    selection("layers", CASES, small=("fashion/dcgan-0",), help="layers that are inverted"),
    Option("repeats", 5, 1, "runs of each solver"),
    Option("max_iter", 2000, 2, "largest number of iterations"),
)


def run(options, results):
    """Measure the solvers of each layer."""
    torch.set_num_threads(1)
    for name in options.layers:
        if results.has(name, "chosen"):
            continue
        build, max_iter = CASES[name]
        layer, samples = build()
        rows = measure(layer, samples, min(max_iter, options.max_iter), options.repeats)
        results.add(*({"layer": name, "solver": solver, **row} for solver, row in rows.items()))


def candidates(operator, ridge):
    """Constructors of all solvers that can take an operator, by name."""
    image = operator.image
    found = {"chosen": lambda: solvers.gram_solver(operator, ridge)}
    if operator.n_outputs <= MAX_DENSE:
        found["dense"] = lambda: solvers.DenseGramSolver(operator, ridge)
    if (band := band_of(operator)) is not None:
        found["banded"] = lambda: solvers.BandedGramSolver(operator, ridge, band)
    width = operator.n_outputs // operator.output_shape[1]
    least = 1 if band is None else -(-64 // width)
    edges = None if image is None else row_partition(image.axis_maps()[0], least)
    if edges is not None and max(np.diff(edges)) * width <= MAX_DENSE:
        found["block tridiagonal"] = lambda: solvers.BlockTridiagonalGramSolver(
            operator, ridge, edges
        )
    extension = None if image is None else PeriodicExtension.smallest(image)
    if extension is not None and extension.n_border <= MAX_BORDER:
        found["circulant"] = lambda: solvers.CirculantGramSolver(operator, ridge, extension)
    found["conjugate gradients"] = lambda: solvers.ConjugateGradientGramSolver(operator, ridge)
    return found


def timed(function):
    """CPU seconds and result of a call."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def n_bytes(thing, seen=None):
    """Bytes of all arrays that an object of the library holds, but for its operator."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor | np.ndarray):
        return thing.nbytes
    parts = ()
    if isinstance(thing, list | tuple):
        parts = thing
    elif type(thing).__module__.startswith("sklearn_flipad"):
        parts = [part for name, part in vars(thing).items() if name != "operator"]
    return sum(n_bytes(part, seen) for part in parts)


def measure(layer, samples, max_iter, repeats):
    """Rows of the table: one per solver."""
    x = torch.from_numpy(samples)
    x = x.double() / 127.5 - 1 if x.dtype == torch.uint8 else x.double()
    problem = LassoProblem(layer.operator(), layer.shifted_target(x).float(), LAM)
    method = DouglasRachford()
    with full_precision():
        splitting = method.prepare(problem.operator)
        inner, ridge = splitting.gram.operator, splitting.gram.ridge
        built, rows = {}, {}
        for name, build in candidates(inner, ridge).items():
            seconds, solver = timed(build)
            built[name] = solver
            rows[name] = {
                "class": type(solver).__name__,
                "set_up_s": [seconds],
                "solve_s": [],
                "inversion_s": [],
            }
            rows[name]["bytes"] = n_bytes(solver)
        for _ in range(repeats):
            for name in _worth_it(rows, "solve_s"):
                if rows[name]["set_up_s"][0] < 5:
                    rows[name]["set_up_s"].append(timed(candidates(inner, ridge)[name])[0])
                rows[name]["solve_s"].append(timed(lambda s=built[name]: s.solve(problem.b))[0])
        for _ in range(repeats):
            for name in _worth_it(rows, "inversion_s"):
                state = dataclasses.replace(splitting, gram=built[name])
                seconds, result = timed(
                    lambda s=state: method.solve(problem, state=s, max_iter=max_iter)
                )
                rows[name]["inversion_s"].append(seconds)
                rows[name]["n_iter"] = float(result.n_iter.double().mean())
    for row in rows.values():
        for key in ("set_up_s", "solve_s", "inversion_s"):
            row[key] = median(row[key]) / (1 if key == "set_up_s" else len(samples))
    return rows


def _worth_it(rows, key):
    """Names of the solvers that were at most three times as slow as the fastest, at first all."""
    times = {name: min(row[key], default=0.0) for name, row in rows.items()}
    return [name for name in rows if times[name] <= 3 * min(times.values())]
