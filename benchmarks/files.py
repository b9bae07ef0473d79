"""Many files: one process against two, memory, and runs that are killed.

    python benchmarks/files.py

Scores small PNG files with FLIPAD: 20,000 by one and by two processes, of one thread each, with
the peak memory of the process that writes; 2,000 by one, for its memory; and 20,000 in a run that
is killed with SIGKILL at ten random moments and completed, whose table must be that of the first,
byte for byte. ``--method rawpad`` has a detector that is faster than the decoding of its files,
where starting the processes counts. The table is printed, and written to ``files.json`` in the
folder ``--out``. It takes ten minutes on a quiet machine, ``--small`` one: 400 files against 256,
and two kills.
"""

import argparse
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from output import add_out
from PIL import Image

N_JOBS = (1, 2)


def make_attributor(method):
    """A fitted attributor, and gray images of the size that it takes."""
    from sklearn_flipad import DeepSADDetector, FinalLayer, make_flipad, make_rawpad
    from sklearn_flipad.datasets import load_fashion_sample
    from sklearn_flipad.detectors import MLP
    from sklearn_flipad.zoo import load_pretrained

    generator = load_pretrained("fashion/dcgan-0")
    layer = FinalLayer.from_generator(generator, n_samples=1000, random_state=0)
    real = load_fashion_sample(300)
    X = np.concatenate([layer.sample(generator, 600, random_state=0), real])
    y = np.repeat([1, -1], [600, 300])
    network = {"module": MLP, "module_params": {"hidden": (256,)}}
    detector = DeepSADDetector(max_epochs=5, random_state=0, **network)
    if method == "flipad":
        attributor = make_flipad(layer, detector=detector, fnr=0.05, random_state=0)
    else:
        attributor = make_rawpad(detector=detector, fnr=0.05, random_state=0)
    return attributor.fit(X, y), X


def write_images(folder, X, n):
    """Write n different images, one in a hundred of them damaged."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for k in range(n):
        image = X[k % len(X), 0] ^ (rng.random(X.shape[2:]) < 0.01)
        path = folder / f"{k:06d}.png"
        Image.fromarray(image.astype(np.uint8)).save(path)
        if k % 100 == 99:
            path.write_bytes(path.read_bytes()[:-20])


def score(attributor, folder, out, n_jobs):
    """Score a folder in this process; seconds, peak memory in bytes, and the summary."""
    from sklearn_flipad.scoring import score_files

    attributor = pickle.loads(Path(attributor).read_bytes())
    start = time.perf_counter()
    done = score_files(attributor, folder, out, mode="L", n_jobs=int(n_jobs))
    seconds = time.perf_counter() - start
    # Not ru_maxrss, which begins with the size of whoever started the process.
    status = Path("/proc/self/status").read_text()
    peak = 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    found = {"seconds": seconds, "peak": peak, "n_files": done.n_files, "n_scored": done.n_scored}
    print(json.dumps(found))


def start(attributor, folder, out, n_jobs):
    """Begin to score in a process of its own, with one thread for each of its processes."""
    command = [sys.executable, __file__, "--score", attributor, folder, out, str(n_jobs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(map(str, command), stdout=subprocess.PIPE, env=environment)


def scored(*arguments):
    """Score in a process of its own, to the end."""
    process = start(*arguments)
    content, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"scoring ended with {process.returncode}")
    return json.loads(content.splitlines()[-1])


def killed(attributor, folder, out, n_jobs, *, seconds, n_kills):
    """Kill a run at random moments; how many kills found it unfinished."""
    rng, journal, n_unfinished = np.random.default_rng(0), Path(f"{out}.journal"), 0
    for _ in range(n_kills):
        size = journal.stat().st_size if journal.exists() else 0
        process = start(attributor, folder, out, n_jobs)
        # Its first seconds import; the moments are those of its work.
        while process.poll() is None and (not journal.exists() or journal.stat().st_size <= size):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, seconds / n_kills))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        n_unfinished += not out.exists()
    return n_unfinished


def main():
    """Measure, print a table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", choices=("flipad", "rawpad"), default="flipad")
    parser.add_argument("--small", action="store_true", help="400 files and two kills")
    parser.add_argument("--score", nargs=4, help=argparse.SUPPRESS)
    add_out(parser)
    args = parser.parse_args()
    if args.score:
        score(*args.score)
        return
    n, n_kills = (400, 2) if args.small else (20_000, 10)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        attributor, X = make_attributor(args.method)
        (root / "attributor").write_bytes(pickle.dumps(attributor))
        write_images(root / "few", X, 256 if args.small else n // 10)
        write_images(root / "many", X, n)
        runs = [("few", 1), *(("many", n_jobs) for n_jobs in N_JOBS)]
        for folder, n_jobs in runs:
            out = root / f"{folder}-{n_jobs}.jsonl"
            found = scored(root / "attributor", root / folder, out, n_jobs)
            rows.append({"run": f"{n_jobs} process{'es' * (n_jobs > 1)}", **found})
        few, one, two = rows
        expected = (root / "many-1.jsonl").read_bytes()
        assert (root / "many-2.jsonl").read_bytes() == expected, "two processes score otherwise"
        out, arguments = root / "killed.jsonl", (root / "attributor", root / "many")
        n_unfinished = killed(*arguments, out, 2, seconds=0.8 * two["seconds"], n_kills=n_kills)
        rows.append({"run": f"killed {n_unfinished} times", **scored(*arguments, out, 2)})
        same = out.read_bytes() == expected
    result = {
        "method": args.method,
        "n_files": n,
        "time of two over one": two["seconds"] / one["seconds"],
        "growth of memory in bytes": one["peak"] - few["peak"],
        "kills": n_unfinished,
        "same table after kills": same,
        "rows": rows,
    }
    print(f"{'run':20}{'files':>8}{'scored':>8}{'seconds':>9}{'peak MB':>9}")
    for row in rows:
        numbers = f"{row['n_files']:8}{row['n_scored']:8}{row['seconds']:9.1f}"
        print(f"{row['run']:20}{numbers}{row['peak'] / 1e6:9.0f}")
    for key in list(result)[2:-1]:
        print(f"{key}: {result[key]}")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "files.json").write_text(json.dumps(result, indent=1) + "\n")
    if not same:
        sys.exit("The table of the killed run differs.")


if __name__ == "__main__":
    main()
