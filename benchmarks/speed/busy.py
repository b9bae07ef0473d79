"""Six jobs on a quiet machine and beside competing processes, with and without a passive wait.

Each process imports a checkout of the library and does the jobs one after the other, with as many
threads as the machine has cores: alone, and beside two processes that multiply matrices with as
many threads. ``package first`` and ``torch first`` are the orders of the imports; with ``spinning``
threads wait as OpenMP's runtime has it by default, others spin that often. ``--other``
measures another checkout in the same run, as it is.
"""

import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.attributors import final_layer
from benchmarks.data.generators import generator_by_name
from benchmarks.machine import environment
from benchmarks.options import Option, selection

KEYS = ("checkout", "waiting")
#: What processes are told of the wait; the package spins 1,000 times, libgomp 300,000 times.
WAITING = {
    "package first": {},
    "torch first": {},
    "no spins": {"GOMP_SPINCOUNT": "0"},
    "3,000 spins": {"GOMP_SPINCOUNT": "3000"},
    "10,000 spins": {"GOMP_SPINCOUNT": "10000"},
    "spinning": {"GOMP_SPINCOUNT": "300000"},
}
JOBS = ("set-up", "32 images", "8 images", "from_generator", "encoder", "DeepSAD")
OPTIONS = (
    Option("generator", "public", "fashion/dcgan-0"),
    Option("traced", 500, 20, "samples of from_generator"),
    Option("steps", 50, 1, "of the encoder"),
    Option("rows", 1000, 40, "of DeepSAD, of 4,096 features"),
    Option("repeats", 3, 1, "processes that are alone; the median is taken"),
    Option("limit", 600, 120, "seconds of the jobs of a process that has competitors"),
    selection("waiting", WAITING, small=("package first",)),
    selection("jobs", JOBS),
    Option("other", None, help="another checkout of the library", selects=True),
)
#: Variables that say how threads wait, or how many there are.
THREADS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS")
COMPETITOR = "import torch; a = torch.randn(600, 600)\nwhile True: a @ a"
TIMED = """
import json, pickle, sys, time
if sys.argv[3] == "torch first":
    import torch
from sklearn_flipad import DeepSADDetector, FinalLayer, FinalLayerInverter, LatentEncoder
import numpy as np
import torch

folder, sizes = sys.argv[1], json.loads(sys.argv[2])
with open(f"{folder}/generator", "rb") as file:
    generator = pickle.load(file)
# Traced here, since other checkouts may have other formats of files.
layer = FinalLayer.from_generator(generator, n_samples=sizes["traced"], random_state=0)
X = np.load(f"{folder}/X.npy")
inverter = FinalLayerInverter(layer)
rng = np.random.default_rng(0)
rows = rng.normal(size=(sizes["rows"], 4096)).astype(np.float32)
y = np.where(np.arange(len(rows)) % 2, 1, -1)
torch.ones(100_000).exp()  # threads start
print(json.dumps(["ready", 0]), flush=True)
jobs = {
    "set-up": lambda: inverter.transform(X[:2]),
    "32 images": lambda: inverter.transform(X),
    "8 images": lambda: inverter.transform(X[:8]),
    "from_generator": lambda: FinalLayer.from_generator(
        generator, n_samples=sizes["traced"], random_state=0),
    "encoder": lambda: LatentEncoder(max_steps=sizes["steps"]).fit(generator),
    "DeepSAD": lambda: DeepSADDetector(max_epochs=5, random_state=0).fit(rows, y),
}
for name in sizes["jobs"]:
    start = time.perf_counter()
    jobs[name]()
    print(json.dumps([name, time.perf_counter() - start]), flush=True)
"""


def measured(checkout, waiting, folder, options, limit=None):
    """Seconds of each job that a process ends within the limit."""
    sizes = {name: getattr(options, name) for name in ("traced", "steps", "rows", "jobs")}
    command = [sys.executable, "-c", TIMED, str(folder), json.dumps(sizes), waiting]
    with environment(PYTHONPATH=str(checkout), **WAITING.get(waiting, {})):
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()  # it is ready
    timer = threading.Timer(limit or threading.TIMEOUT_MAX, process.kill)
    timer.start()
    times = dict(map(json.loads, process.stdout))
    timer.cancel()
    if process.wait() not in (0, -9):
        raise RuntimeError(f"The process that measures ended with {process.returncode}.")
    return times


@contextmanager
def competing():
    """Run two processes that compete for the cores."""
    processes = [subprocess.Popen([sys.executable, "-c", COMPETITOR]) for _ in range(2)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(options, results):
    """Measure each way to wait, and the other checkout, beside the same competitors."""
    here = Path(__file__).parents[2].resolve()
    checkouts = {"this": here}
    cells = [("this", waiting) for waiting in options.waiting]
    if options.other:
        checkouts["other"] = Path(options.other).resolve()
        cells.append(("other", "as it is"))
    cells = [cell for cell in cells if not results.has(*cell)]
    with tempfile.TemporaryDirectory() as name, environment():
        for variable in THREADS:
            os.environ.pop(variable, None)
        folder = Path(name)
        write_inputs(folder, options)
        quiet = [
            [measured(checkouts[which], waiting, folder, options) for which, waiting in cells]
            for _ in range(options.repeats)
        ]
        with competing():
            busy = [
                measured(checkouts[which], waiting, folder, options, options.limit)
                for which, waiting in cells
            ]
    for number, (cell, beside) in enumerate(zip(cells, busy, strict=True)):
        alone = {
            job: statistics.median(times[number][job] for times in quiet) for job in options.jobs
        }
        results.add(
            *(
                {
                    **dict(zip(KEYS, cell, strict=True)),
                    "job": job,
                    "alone, s": alone[job],
                    "busy, s": beside.get(job),  # None: not within the limit
                    "ratio": beside[job] / alone[job] if job in beside else None,
                }
                for job in options.jobs
            )
        )


def table(rows):
    """A row for each job: seconds alone and beside competitors, by the way to wait."""
    found = {}
    for row in rows:
        way = row["waiting"] if row["checkout"] == "this" else "version before"
        beside = row["busy, s"]
        text = f"{row['alone, s']:.1f} / " + ("-" if beside is None else f"{beside:.1f}")
        found.setdefault(row["job"], {"Job": row["job"]})[way] = text
    return pd.DataFrame(list(found.values())).fillna("-")


TABLES = {"busy": table}


def write_inputs(folder, options):
    """Write what the processes read: a generator, its final layer, and images of it."""
    generator = generator_by_name(options.generator, options.work)
    (folder / "generator").write_bytes(pickle.dumps(generator))
    layer = final_layer(generator, 500)
    np.save(folder / "X.npy", layer.sample(generator, 32, random_state=1))
