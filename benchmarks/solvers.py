"""Time and iterations of the solvers to a given suboptimality, all in one run.

``make bench`` runs it; ``--peers`` adds celer, skglm and pyproximal where they are
installed (``pip install celer skglm pyproximal``). The table, the picture and a
description of the machine land in the folder ``--out``.
"""

import argparse
import json
import platform
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from output import add_out
from peers import PEERS, trace_peer
from problems import cases

import sklearn_flipad
from sklearn_flipad.operators import ConvTransposeOperator, gram_solver
from sklearn_flipad.solvers import FISTA, DouglasRachford, LassoProblem

LEVELS = (1e-2, 1e-3, 1e-4)

PUBLISHED, PUBLISHED_TORCH = "published (step 0.025)", "published, torch's convolutions"

#: The published setting takes steps of 0.025 for the objective with a factor 1/2.
SOLVERS = {
    PUBLISHED: (FISTA(step=0.0125), 10_000),
    PUBLISHED_TORCH: (FISTA(step=0.0125), 10_000),
    "FISTA (1/L)": (FISTA(), 10_000),
    "FISTA + restart": (FISTA(restart=True), 10_000),
    "Douglas-Rachford": (DouglasRachford(), 10_000),
    "  one step for all channels": (DouglasRachford(scaled=False), 10_000),
}


class TorchConvTranspose(ConvTransposeOperator):
    """With torch's transposed convolution, which the published code calls."""

    def _as_columns(self):
        return None


class _EnoughError(Exception):
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
            raise _EnoughError

    with suppress(_EnoughError):
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
            start = time.perf_counter()
            result = solver.solve(problem, tol=1e-12, max_iter=n_iter)
            times.append(time.perf_counter() - start)
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
    """How many times as fast the default is, for the median image.

    As FISTA to 1e-3, and as the published setting to what its iterations reach.
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
    times = []
    for _ in range(n):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(case, n_images, with_peers):
    """All solvers on one case."""
    problem = case.problem(n=n_images)
    n_images = len(problem)
    start = time.perf_counter()
    FISTA().solve(problem.select(slice(0, 1)), max_iter=0)
    setup = {"spectral norm": time.perf_counter() - start}
    start = time.perf_counter()
    DouglasRachford().solve(problem.select(slice(0, 1)), max_iter=0)
    setup["factorization and channel scales"] = time.perf_counter() - start
    start = time.perf_counter()
    reference = DouglasRachford(check_every=50).solve(
        case.problem(torch.float64, n_images), tol=3e-5, max_iter=4_000
    )
    print(f"  reference: gap {float(reference.gap.max()):.1e}, {time.perf_counter() - start:.0f} s")
    result = {
        "n_images": n_images,
        "reference gap": float(reference.gap.max()),
        "set-up, seconds": setup,
        "solvers": {},
        "curves": {},
    }
    curves, traces = result["curves"], {}
    for name, (solver, max_iter) in SOLVERS.items():
        solved = problem
        if name == PUBLISHED_TORCH:
            if not isinstance(problem.operator, ConvTransposeOperator):
                continue  # others are torch's anyway
            solved = _with_torch(problem)
        record = trace_ends if isinstance(solver, DouglasRachford) else trace
        traced = record(solver, max_iter, solved, reference.objective, LEVELS[-1] / 2)
        traces[name] = traced
        result["solvers"][name] = summary(*traced, n_images)
        curves[name] = _curve(traced[0] / n_images, np.median(traced[2], axis=1))
        print(f"  {name}: {result['solvers'][name]}", flush=True)
    result["times as fast"] = speed_ups(traces)
    if with_peers:
        for name in PEERS:
            traced = trace_peer(name, problem.select(slice(0, 1)), reference.objective[:1])
            if traced is not None:
                result["solvers"][name] = summary(*traced, 1)
                curves[name] = _curve(traced[0], traced[2][:, 0])
                print(f"  {name}: {result['solvers'][name]}", flush=True)
    return result


def _with_torch(problem):
    operator = problem.operator
    operator = TorchConvTranspose(operator.weight, operator.input_shape, **operator._arguments)
    return LassoProblem(operator, problem.b, problem.lam)


def _curve(seconds, excess):
    """At most a hundred points of a convergence plot."""
    every = -(-len(seconds) // 100)
    return [np.asarray(values)[::every].round(8).tolist() for values in (seconds, excess)]


def machine():
    """What the numbers were measured on."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":")[1].strip() if lines else model
    return {
        "cpu": model,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "sklearn_flipad": sklearn_flipad.__version__,
    }


def write_table(results, path):
    """A Markdown table of all cases."""
    lines = [
        "# Solvers of the final-layer inversion",
        "",
        "Milliseconds an image (and iterations) until the relative suboptimality is at most",
        "the given level: median / 95th percentile over the images of a batch, single",
        "precision, against a reference in double precision. Set-up is not included. A dash:",
        "not reached. Peers solve one image at a time. Douglas-Rachford polishes what it",
        "returns, so its times are those of whole runs of increasing length (median of 3).",
        "",
        f"Machine: {results['machine']}",
    ]
    for name, case in results["cases"].items():
        lines += ["", f"## {name}, {case['n_images']} images", ""]
        setup = ", ".join(f"{k} {v:.2f} s" for k, v in case["set-up, seconds"].items())
        rates = dict(case["roofline"])
        gram = rates.pop("Gram solver")
        bound = ", ".join(f"{v:.3g} {k}" for k, v in rates.items())
        ratios = case["times as fast"].items()
        faster = "; ".join(f"{ratio:.3g} times that of {name}" for name, ratio in ratios)
        lines += [
            f"Set-up: {setup} ({gram}).",
            f"Roofline of the default: {bound}.",
            f"Speed of the default: {faster}.",
            "",
        ]
        header = " | ".join(f"{level:g}" for level in LEVELS)
        lines += [f"| solver | {header} | end |", "| --- | " + "--- | " * (len(LEVELS) + 1)]
        for solver, row in case["solvers"].items():
            cells = [_cell(row[f"{level:g}"]) for level in LEVELS]
            end = f"{row['final excess, median']:.1e} after {row['seconds']:.0f} s"
            lines.append(f"| {solver} | {' | '.join(cells)} | {end} |")
    path.write_text("\n".join(lines) + "\n")


def _cell(entry):
    if entry["ms"][0] is None:
        return "-"
    p95 = "-" if entry["ms"][1] is None else f"{entry['ms'][1]:.3g}"
    return f"{entry['ms'][0]:.3g} / {p95} ({entry['iterations'][0]:.0f})"


def draw(results, path):
    """Median suboptimality over time, one panel a case."""
    import matplotlib.pyplot as plt

    cases, names = results["cases"], [*SOLVERS, *PEERS]
    columns = min(len(cases), 3)
    rows = -(-len(cases) // columns)
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(4 * columns + 2, 3.5 * rows),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(cases) :]:
        ax.remove()
    for ax, (case, result) in zip(axes.flat, cases.items(), strict=False):
        for name, (seconds, excess) in result["curves"].items():
            marker = "o" if len(seconds) < 10 else None
            ax.plot(
                np.multiply(seconds, 1e3),
                np.maximum(excess, 1e-6),
                label=name.strip(),
                color=f"C{names.index(name)}",
                marker=marker,
            )
        ax.set(xscale="log", yscale="log", xlabel="ms an image", ylim=(1e-5, 10))
        ax.set_title(case, fontsize="small")
    for ax in axes[:, 0]:
        ax.set_ylabel("relative suboptimality, median")
    lines = {line.get_label(): line for ax in fig.axes for line in ax.lines}
    fig.legend(lines.values(), lines.keys(), fontsize="x-small", loc="outside right center")
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main():
    """Measure, and write after every case what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", default="", help="part of the names of the cases to run")
    parser.add_argument("--resume", action="store_true", help="keep the cases already measured")
    add_out(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine(), "cases": {}}
    stored = args.out / "solvers.json"
    if args.resume and stored.exists():
        before = json.loads(stored.read_text())
        if before["machine"] == results["machine"]:
            results = before
    for case in cases(args.images):
        if args.only in case.name:
            if case.name not in results["cases"]:
                print(case.name, flush=True)
                results["cases"][case.name] = measure(case, args.images, args.peers)
            results["cases"][case.name]["roofline"] = roofline(case.problem(n=1))
            stored.write_text(json.dumps(results, indent=1) + "\n")
            write_table(results, args.out / "solvers.md")
            draw(results, args.out / "solvers.png")


if __name__ == "__main__":
    main()
