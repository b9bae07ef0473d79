"""Time and iterations of the solvers to a given suboptimality, all in one run.

Milliseconds an image (and iterations) until the relative suboptimality is at most the given level,
over the images of a batch, in single precision, against a reference in double precision. Set-up is
not included. Douglas-Rachford polishes what it returns, so its times are those of whole runs of
increasing length (median of 3). Peers solve one image at a time. ``--peers`` adds celer, skglm and
pyproximal where they are installed (``pip install celer skglm pyproximal``). A picture,
``solvers.png``, is drawn beside the tables.
"""

import time
from contextlib import suppress

import numpy as np
import pandas as pd
import torch

from benchmarks.data.problems import CASES
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from benchmarks.speed.other_solvers import PEERS, trace_peer
from sklearn_flipad.operators import ConvTransposeOperator, gram_solver
from sklearn_flipad.solvers import FISTA, DouglasRachford, LassoProblem

KEYS = ("case",)
OPTIONS = (
    selection("cases", CASES, small=("Linear 100 to 11",)),
    Option("images", 32, 2, "images of a batch"),
    Option("max_iter", 10_000, 100, "most iterations"),
    Option("peers", False, help="solve with other libraries too"),
)
LEVELS = (1e-2, 1e-3, 1e-4)

PUBLISHED, PUBLISHED_TORCH = "published (step 0.025)", "published, torch's convolutions"

#: The published setting takes steps of 0.025 for the objective with a factor 1/2.
SOLVERS = {
    PUBLISHED: FISTA(step=0.0125),
    PUBLISHED_TORCH: FISTA(step=0.0125),
    "FISTA (1/L)": FISTA(),
    "FISTA + restart": FISTA(restart=True),
    "Douglas-Rachford": DouglasRachford(),
    "  one step for all channels": DouglasRachford(scaled=False),
}


class TorchConvTranspose(ConvTransposeOperator):
    """With torch's transposed convolution, which the published code calls."""

    def _as_columns(self):
        return None


class EnoughError(Exception):
    """All images are as good as was asked."""


def trace(solver, max_iter, problem, best, target):
    """Seconds, iterations and suboptimality of each image at every check.

    The time of the callback itself is not counted.
    """
    seconds, iterations, excess = [], [], []
    aside = 0.0
    start = time.perf_counter()

    def callback(n_iter, rows, z, objective, gap):
        nonlocal aside
        now = time.perf_counter()
        seconds.append(now - start - aside)
        iterations.append(n_iter)
        excess.append(((objective - best) / best).numpy())
        aside += time.perf_counter() - now
        if excess[-1].max() <= target:
            raise EnoughError

    with suppress(EnoughError):
        solver.solve(problem, tol=1e-12, max_iter=max_iter, callback=callback)
    return np.array(seconds), np.array(iterations), np.array(excess)


def trace_ends(solver, max_iter, problem, best, target):
    """The same of what runs of increasing length return, which is polished.

    They are short, so each is run three times, and its time is the median.
    """
    seconds, iterations, excess = [], [], []
    every = solver.check_every // 2
    for n_iter in range(every, max_iter + 1, every):
        times = []
        for _ in range(3):
            result, took = timed(solver.solve, problem, tol=1e-12, max_iter=n_iter)
            times.append(took)
        seconds.append(np.median(times))
        iterations.append(n_iter)
        excess.append(((result.objective - best) / best).numpy())
        if excess[-1].max() <= target:
            break
    return np.array(seconds), np.array(iterations), np.array(excess)


def reached(values, excess, level):
    """For each image, the first of `values` at which its excess is at most `level`."""
    good = np.minimum.accumulate(excess, axis=0) <= level
    first = good.argmax(axis=0)
    return np.where(good.any(axis=0), values[first], np.inf)


def summary(seconds, iterations, excess, n):
    """Milliseconds an image and iterations to each level: median and 95th percentile.

    All images of a batch run together, so the time of one is the time of the batch until
    then, divided by the size of the batch.
    """
    row = {"final excess, median": float(np.median(excess[-1])), "seconds": float(seconds[-1])}
    for level in LEVELS:
        time_to = reached(seconds, excess, level) / n * 1e3
        steps_to = reached(iterations, excess, level)
        row[f"{level:g}"] = {
            "ms": [_quantile(time_to, 0.5), _quantile(time_to, 0.95)],
            "iterations": [_quantile(steps_to, 0.5), _quantile(steps_to, 0.95)],
        }
    return row


def speed_ups(traces):
    """Ratios of times to those of the default, for the median image.

    Of FISTA to 1e-3, and of the published setting to what its iterations reach.
    """
    fista, default = traces["FISTA (1/L)"], traces["Douglas-Rachford"]
    ratios = {"FISTA (1/L) to 1e-3": _time_to(fista, 1e-3) / _time_to(default, 1e-3)}
    labels = {PUBLISHED: "published setting", PUBLISHED_TORCH: "it with torch's convolutions"}
    for name, label in labels.items():
        if name in traces:
            traced = traces[name]
            # None has to be better than what all were traced to.
            end = max(float(np.median(traced[2][-1])), LEVELS[-1] / 2)
            took = min(float(traced[0][-1]), _time_to(traced, end))
            ratios[f"{label} to {end:.1e}"] = took / _time_to(default, end)
    return ratios


def _time_to(traced, level):
    seconds, _, excess = traced
    return float(np.quantile(reached(seconds, excess, level), 0.5, method="higher"))


def _quantile(values, q):
    value = float(np.quantile(values, q, method="higher"))
    return value if np.isfinite(value) else None


def _ridge(operator):
    return 1e-3 * operator.norm_squared


def roofline(problem):
    """Operations and bytes of one iteration an image, and the machine's rates."""
    operator = problem.operator
    weight = operator.weight
    per_pair = 2 * 2 * weight[0].numel() * operator.n_inputs  # forward and adjoint
    solver = gram_solver(operator, _ridge(operator))
    a = torch.randn(1024, 1024)
    gflops = 2 * 1024**3 / _best(lambda: a @ a) / 1e9
    x = torch.randn(2**25)
    y = torch.empty_like(x)
    gbytes = 2 * 4 * x.numel() / _best(lambda: y.copy_(x)) / 1e9
    flop = per_pair + 2 * solver.n_multiplications
    traffic = 4 * 12 * operator.n_inputs  # reads and writes of the activations
    return {
        "Gram solver": type(solver).__name__,
        "MFLOP an iteration": flop / 1e6,
        "MB an iteration": traffic / 1e6,
        "GFLOP/s": gflops,
        "GB/s": gbytes,
        "bound, ms an iteration": max(flop / gflops, traffic / gbytes) / 1e6,
    }


def _best(function, n=5):
    return min(timed(function)[1] for _ in range(n))


def measure(case, options):
    """Measurements of one case, with all solvers."""
    problem = case.problem(n=options.images)
    n_images = len(problem)
    one, setup = problem.select(slice(0, 1)), {}
    _, setup["spectral norm"] = timed(FISTA().solve, one, max_iter=0)
    _, setup["factorization and channel scales"] = timed(DouglasRachford().solve, one, max_iter=0)
    exact = case.problem(torch.float64, n_images)
    reference = DouglasRachford(check_every=50).solve(exact, tol=3e-5, max_iter=4_000)
    result = {
        "n_images": n_images,
        "reference gap": float(reference.gap.max()),
        "set-up, seconds": setup,
        "roofline": roofline(one),
        "solvers": {},
        "curves": {},
    }
    traces = {}
    for name, solver in SOLVERS.items():
        solved = problem
        if name == PUBLISHED_TORCH:
            if not isinstance(problem.operator, ConvTransposeOperator):
                continue  # others are torch's anyway
            solved = _with_torch(problem)
        record = trace_ends if isinstance(solver, DouglasRachford) else trace
        traced = record(solver, options.max_iter, solved, reference.objective, LEVELS[-1] / 2)
        traces[name] = traced
        _note(result, name, traced, n_images)
    result["times as fast"] = speed_ups(traces)
    for name in PEERS if options.peers else ():
        traced = trace_peer(name, one, reference.objective[:1])
        if traced is not None:
            _note(result, name, traced, 1)
    return result


def _note(result, name, traced, n_images):
    """Add summary and curve of a solver to what was measured of a case, and print the former."""
    seconds, _, excess = traced
    result["solvers"][name] = summary(*traced, n_images)
    result["curves"][name] = _curve(seconds / n_images, np.median(excess, axis=1))
    print(f"  {name}: {result['solvers'][name]}", flush=True)


def _with_torch(problem):
    operator = problem.operator
    operator = TorchConvTranspose(operator.weight, operator.input_shape, **operator._arguments)
    return LassoProblem(operator, problem.b, problem.lam)


def _curve(seconds, excess):
    """At most a hundred points of a convergence plot."""
    every = -(-len(seconds) // 100)
    return [np.asarray(values)[::every].round(8).tolist() for values in (seconds, excess)]


def run(options, results):
    """Measure each case, and draw those that are there."""
    for name in options.cases:
        if not results.has(name):
            print(name, flush=True)
            case = CASES[name](options.images, options.work)
            results.add({"case": name, **measure(case, options)}, shown="measured")
            draw(results.rows, results.path.with_suffix(".png"))


def table(rows):
    """Milliseconds an image, median / 95th percentile (iterations) to each level; ``-``: never."""
    lines = []
    for row in rows:
        for solver, found in row["solvers"].items():
            line = {"case": f"{row['case']}, {row['n_images']} images", "solver": solver}
            line |= {f"{level:g}": _cell(found[f"{level:g}"]) for level in LEVELS}
            line["end"] = f"{found['final excess, median']:.1e} after {found['seconds']:.0f} s"
            lines.append(line)
    return pd.DataFrame(lines)


def _cell(entry):
    if entry["ms"][0] is None:
        return "-"
    p95 = "-" if entry["ms"][1] is None else f"{entry['ms'][1]:.3g}"
    return f"{entry['ms'][0]:.3g} / {p95} ({entry['iterations'][0]:.0f})"


def table_of_cases(rows):
    """Set-up, roofline of the default and how many times as fast it is, of each case."""
    lines = []
    for row in rows:
        setup, rates = row["set-up, seconds"], dict(row["roofline"])
        line = {"case": row["case"], "images": row["n_images"]}
        line |= {f"set-up, {name}, s": f"{seconds:.2f}" for name, seconds in setup.items()}
        line["Gram solver"] = rates.pop("Gram solver")
        line |= {name: f"{rate:.3g}" for name, rate in rates.items()}
        faster = (f"{ratio:.3g} times {name}" for name, ratio in row["times as fast"].items())
        lines.append({**line, "speed of the default": "; ".join(faster)})
    return pd.DataFrame(lines)


def table_of_peers(rows):
    """Milliseconds until the median image is within 1e-3 of the minimum, beside other libraries."""
    shown = {"Douglas-Rachford": "here", "FISTA (1/L)": "FISTA here", PUBLISHED: "published step"}
    shown |= {name: name for name in PEERS}
    lines = []
    for row in rows:
        line = {"case": row["case"]}
        for solver, name in shown.items():
            ms = row["solvers"].get(solver, {}).get("0.001", {"ms": [None]})["ms"][0]
            line[name] = "-" if ms is None else f"{ms:,.0f}" if ms >= 10 else f"{ms:.1f}"
        lines.append(line)
    return pd.DataFrame(lines)


TABLES = {"solvers": table, "solvers_cases": table_of_cases, "solvers_peers": table_of_peers}


def draw(rows, path):
    """Median suboptimality over time, one panel a case."""
    import matplotlib.pyplot as plt

    names, columns = [*SOLVERS, *PEERS], min(len(rows), 3)
    n_lines = -(-len(rows) // columns)
    fig, axes = plt.subplots(
        n_lines,
        columns,
        figsize=(4 * columns + 2, 3.5 * n_lines),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(rows) :]:
        ax.remove()
    for ax, row in zip(axes.flat, rows, strict=False):
        for name, (seconds, excess) in row["curves"].items():
            ax.plot(
                np.multiply(seconds, 1e3),
                np.maximum(excess, 1e-6),
                label=name.strip(),
                color=f"C{names.index(name)}",
                marker="o" if len(seconds) < 10 else None,
            )
        ax.set(xscale="log", yscale="log", xlabel="ms an image", ylim=(1e-5, 10))
        ax.set_title(row["case"], fontsize="small")
    for ax in axes[:, 0]:
        ax.set_ylabel("relative suboptimality, median")
    lines = {line.get_label(): line for ax in fig.axes for line in ax.lines}
    fig.legend(lines.values(), lines.keys(), fontsize="x-small", loc="outside right center")
    fig.savefig(path, dpi=120)
    plt.close(fig)
