"""What competing processes do to the inversion.

    python benchmarks/busy.py [--other FOLDER] [--repeats 3]

Inverts 32 images of a public 64x64 DCGAN alone and beside two processes that multiply
matrices with two threads each, and prints the medians of both times and their ratio.
``--other`` measures another checkout of the library in the same run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COMPETITOR = "import torch; torch.set_num_threads(2); a = torch.randn(600, 600)\nwhile True: a @ a"
TIMED = """
import sys, time, json, pickle
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


def measured(checkout, folder, repeats):
    """Times of a checkout, in a process of its own, in seconds."""
    command = [sys.executable, "-c", TIMED, str(folder / "layer"), str(folder / "X.npy")]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [*command, str(repeats)], env=environment, cwd=folder, capture_output=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Print the times."""
    import numpy as np
    from problems import public_dcgan

    from sklearn_flipad import FinalLayer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other", type=Path, help="another checkout of the library")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    checkouts = [Path(__file__).parents[1], *([args.other] if args.other else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator = public_dcgan()
        layer = FinalLayer.from_generator(generator, n_samples=500, random_state=0)
        layer.save(folder / "layer")
        np.save(folder / "X.npy", layer.sample(generator, 32, random_state=1))
        quiet = [measured(checkout, folder, args.repeats) for checkout in checkouts]
        competitors = [subprocess.Popen([sys.executable, "-c", COMPETITOR]) for _ in range(2)]
        try:
            busy = [measured(checkout, folder, 1) for checkout in checkouts]
        finally:
            for process in competitors:
                process.kill()
    for checkout, alone, beside in zip(checkouts, quiet, busy, strict=True):
        alone, beside = statistics.median(alone), statistics.median(beside)
        print(f"{checkout.name}: {alone:.2f} s alone, {beside:.2f} s busy, {beside / alone:.1f} x")


if __name__ == "__main__":
    main()
