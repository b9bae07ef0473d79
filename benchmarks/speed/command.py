"""From a model and a folder to verdicts and a report: two commands, timed.

Writes real images as negatives and suspects as PNG and JPEG files, of the shipped DCGAN, of another
generator and real ones, then runs ``flipad fit`` and ``flipad score --report`` as programs of their
own, with an empty home folder, and prints what they say. ``--python`` is the interpreter that runs
them, of a fresh environment for example; ``--jpeg`` goes to ``fit``.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from PIL import Image

from benchmarks.machine import environment, timed
from benchmarks.options import Option
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

KEYS = ("jpeg",)
OPTIONS = (
    Option("n_negatives", 500, 100),
    Option("n_suspects", 50, 4, "of each other source; twice as many own ones"),
    Option("python", sys.executable, help="interpreter of the commands"),
    Option("jpeg", None, help="quality of the compression of own samples"),
    Option("method", "flipad", "rawpad", "method of the attributor"),
    Option("fnr", 0.005, 0.1, "false-negative rate"),
)
#: Of the half of the suspects that is saved as JPEG files.
QUALITY = 90


def write_files(folder, n_negatives, n):
    """Write negatives and suspects, each suspect under the name of its source."""
    real = load_fashion_sample(n_negatives + n)
    images = {
        "own": sample(load_pretrained("fashion/dcgan-0"), 2 * n, random_state=5),
        "other generator": sample(load_pretrained("fashion/lsgan-0"), n, random_state=5),
        "real": real[n_negatives:],
    }
    for name in ("photos", "suspects"):
        (folder / name).mkdir()
    for k, image in enumerate(real[:n_negatives]):
        Image.fromarray(image[0]).save(folder / "photos" / f"{k:03d}.png")
    for source, found in images.items():
        for k, image in enumerate(found):
            suffix, options = (".png", {}) if k % 2 else (".jpg", {"quality": QUALITY})
            name = f"{source}-{k:03d}{suffix}"
            Image.fromarray(image[0]).save(folder / "suspects" / name, **options)


def flipad(python, folder, *arguments):
    """Run the command, print what it says, and return seconds of wall and of processor time."""
    own = python == sys.executable
    kept = ("PYTHONPATH",) if own else ()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [python, "-m", "sklearn_flipad.cli", *arguments]
    with environment(HOME=str(folder / "home")):
        for name in [x for x in os.environ if x.startswith(("XDG", "PYTHON")) and x not in kept]:
            del os.environ[name]
        done, seconds = timed(
            subprocess.run, command, cwd=folder, capture_output=True, text=True, check=False
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"flipad {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    print(f"$ flipad {' '.join(arguments)}\n{done.stderr}{done.stdout}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "processor_seconds": processor}


def verdicts_by_source(table):
    """Numbers of suspects with each verdict, by source and format."""
    counts = {}
    for line in table.read_text().splitlines():
        row = json.loads(line)
        name = Path(row["path"])
        kind = f"{name.stem.rpartition('-')[0]}, {name.suffix[1:]}"
        counts.setdefault(kind, Counter())[row["verdict"]] += 1
    return {kind: dict(found) for kind, found in sorted(counts.items())}


def run(options, results):
    """Run both commands."""
    if results.has(options.jpeg):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "home").mkdir()
        write_files(folder, options.n_negatives, options.n_suspects)
        fit = ["fit", "fashion/dcgan-0", "--negatives", "photos", "--out", "model.flipad"]
        fit += ["--reference", "photographs of clothes"]
        fit += ["--method", options.method, "--fnr", str(options.fnr)]
        fit += ["--jpeg", options.jpeg] if options.jpeg else []
        score = ["score", "model.flipad", "suspects", "--out", "verdicts.jsonl"]
        score += ["--report", "report.html"]
        timings = {
            "fit": flipad(options.python, folder, *fit),
            "score": flipad(options.python, folder, *score),
        }
        report_bytes = (folder / "report.html").stat().st_size
        verdicts = verdicts_by_source(folder / "verdicts.jsonl")
    results.add(
        {
            "n_cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "threads": os.environ.get("OMP_NUM_THREADS", "as many as cores"),
            "jpeg": options.jpeg,
            **timings,
            "total_seconds": sum(found["seconds"] for found in timings.values()),
            "report_bytes": report_bytes,
            "verdicts": verdicts,
        }
    )
