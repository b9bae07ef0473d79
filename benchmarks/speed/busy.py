"""The inversion beside competing processes.

A batch of images is inverted alone, and beside two processes that multiply matrices with two
threads each. ``--other`` measures another checkout of the library in the same run.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.attributors import final_layer
from benchmarks.data.generators import generator_by_name
from benchmarks.machine import environment
from benchmarks.options import Option

KEYS = ("checkout",)
OPTIONS = (
    Option("generator", "public", "fashion/dcgan-0"),
    Option("n", 32, 2, "images"),
    Option("repeats", 3, 1, "of the inversion that is alone"),
    Option("other", None, help="another checkout of the library", selects=True),
)
COMPETITOR = "import torch; torch.set_num_threads(2); a = torch.randn(600, 600)\nwhile True: a @ a"
TIMED = """
import sys, time, json
import numpy as np, torch
torch.set_num_threads(2)
from sklearn_flipad import FinalLayer, FinalLayerInverter
inverter = FinalLayerInverter(FinalLayer.load(sys.argv[1]))
X = np.load(sys.argv[2])
inverter.transform(X[:8])
times = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    inverter.transform(X)
    times.append(time.perf_counter() - start)
print(json.dumps(times))
"""


def median_time(checkout, folder, repeats):
    """Median time of a checkout, in a process of its own, in seconds."""
    command = [sys.executable, "-c", TIMED, str(folder / "layer"), str(folder / "X.npy")]
    with environment(PYTHONPATH=str(checkout)):
        done = subprocess.run(
            [*command, str(repeats)], cwd=folder, stdout=subprocess.PIPE, check=True
        )
    return statistics.median(json.loads(done.stdout.splitlines()[-1]))


def run(options, results):
    """Measure each checkout, and all of them beside the same competitors."""
    checkouts = [Path(__file__).parents[2], *([Path(options.other)] if options.other else [])]
    checkouts = [path.resolve() for path in checkouts if not results.has(str(path.resolve()))]
    if not checkouts:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator = generator_by_name(options.generator, options.work)
        layer = final_layer(generator, 500)
        layer.save(folder / "layer")
        np.save(folder / "X.npy", layer.sample(generator, options.n, random_state=1))
        quiet = [median_time(checkout, folder, options.repeats) for checkout in checkouts]
        competitors = [subprocess.Popen([sys.executable, "-c", COMPETITOR]) for _ in range(2)]
        try:
            busy = [median_time(checkout, folder, 1) for checkout in checkouts]
        finally:
            for process in competitors:
                process.kill()
                process.wait()
    for checkout, alone, beside in zip(checkouts, quiet, busy, strict=True):
        row = {"checkout": str(checkout), "alone, s": alone, "busy, s": beside}
        results.add({**row, "ratio": beside / alone})
