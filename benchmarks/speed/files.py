"""Many files: one process against two, memory, and runs that are killed.

Small PNG files are scored: all by one and by two processes, of one thread each, with the peak
memory of the process that writes; a tenth of them by one, for its memory; and all in a run that is
killed with SIGKILL at random moments and completed, whose table must be that of the first, byte for
byte. ``--method rawpad`` has a detector that is faster than the decoding of its files, where
starting the processes counts.
"""

import pickle
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.attributors import final_layer, one_layer_detector
from benchmarks.machine import environment, in_own_process, peak_memory, timed
from benchmarks.options import Option
from sklearn_flipad import make_flipad, make_rawpad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.scoring import score_files
from sklearn_flipad.zoo import load_pretrained

N_JOBS = (1, 2)
KEYS = ("method",)
OPTIONS = (
    Option("method", "flipad", "rawpad", choices=("flipad", "rawpad")),
    Option("n", 20_000, 64, "files"),
    Option("n_few", 2_000, 32, "files for the memory of one process"),
    Option("kills", 10, 1),
)


def make_attributor(method):
    """A fitted attributor, and gray images of the size that it takes."""
    generator = load_pretrained("fashion/dcgan-0")
    real = load_fashion_sample(300)
    X = np.concatenate([sample(generator, 600, random_state=0), real])
    y = np.repeat([1, -1], [600, 300])
    common = {"detector": one_layer_detector(5), "fnr": 0.05, "random_state": 0}
    if method == "flipad":
        attributor = make_flipad(final_layer(generator, 1000), **common)
    else:
        attributor = make_rawpad(**common)
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
    """Seconds, peak memory in bytes and numbers of files of this process, which scores a folder."""
    attributor = pickle.loads(attributor.read_bytes())
    done, seconds = timed(score_files, attributor, folder, out, mode="L", n_jobs=n_jobs)
    row = {"seconds": seconds, "peak": peak_memory()}
    return row | {"n_files": done.n_files, "n_scored": done.n_scored}


def kill(arguments, *, seconds, n_kills):
    """Kill runs at random moments; how many kills found one that was not finished."""
    out = arguments[2]
    rng, journal, n_unfinished = np.random.default_rng(0), Path(f"{out}.journal"), 0
    for _ in range(n_kills):
        size = journal.stat().st_size if journal.exists() else 0
        process = get_context("spawn").Process(target=score, args=arguments)
        process.start()
        # Its first seconds import; the moments are those of its work.
        while process.is_alive() and (not journal.exists() or journal.stat().st_size <= size):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, seconds / n_kills))
        process.kill()
        process.join()
        n_unfinished += not out.exists()
    return n_unfinished


def run(options, results):
    """Score, kill and compare."""
    if results.has(options.method):
        return
    with tempfile.TemporaryDirectory() as name, environment(OMP_NUM_THREADS="1"):
        root, rows = Path(name), []
        attributor, X = make_attributor(options.method)
        (root / "attributor").write_bytes(pickle.dumps(attributor))
        write_images(root / "few", X, options.n_few)
        write_images(root / "many", X, options.n)
        for folder, n_jobs in [("few", 1), *(("many", n_jobs) for n_jobs in N_JOBS)]:
            out = root / f"{folder}-{n_jobs}.jsonl"
            found = in_own_process(score, root / "attributor", root / folder, out, n_jobs)
            rows.append({"run": f"{n_jobs} process{'es' * (n_jobs > 1)}", **found})
        few, one, two = rows
        expected = (root / "many-1.jsonl").read_bytes()
        assert (root / "many-2.jsonl").read_bytes() == expected, "two processes score otherwise"
        arguments = root / "attributor", root / "many", root / "killed.jsonl", 2
        n_unfinished = kill(arguments, seconds=0.8 * two["seconds"], n_kills=options.kills)
        rows.append({"run": f"killed {n_unfinished} times", **in_own_process(score, *arguments)})
        same = arguments[2].read_bytes() == expected
    results.add(
        {
            "method": options.method,
            "n_files": options.n,
            "time of two over one": two["seconds"] / one["seconds"],
            "growth of memory in bytes": one["peak"] - few["peak"],
            "kills": n_unfinished,
            "same table after kills": same,
            "runs": rows,
        }
    )
    if not same:
        sys.exit("The table of the killed run differs.")
