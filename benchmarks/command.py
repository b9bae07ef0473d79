"""From a model and a folder to verdicts and a report: two commands, timed.

    python benchmarks/command.py

Writes 500 real images as negatives and 200 suspects as PNG and JPEG files, of the shipped DCGAN,
of another generator and real ones, then runs ``flipad fit`` and ``flipad score --report`` as
programs of their own, with an empty home folder. Prints their output, seconds of wall and processor
time, the load of the machine, and the verdicts by source and format, and writes them to
``command.json``, with ``--jpeg`` to ``command-jpeg.json``, in the folder ``--out``. ``--python`` is
the interpreter that runs them, of a fresh environment for example; ``--jpeg`` goes to ``fit``.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from output import add_out
from PIL import Image

#: Suspects of each source; half of them are saved as JPEG files of this quality.
N_SUSPECTS = {"own": 100, "other generator": 50, "real": 50}
QUALITY = 90
N_NEGATIVES = 500


def write_files(folder):
    """Write negatives and suspects, each suspect under the name of its source."""
    from sklearn_flipad.datasets import load_fashion_sample
    from sklearn_flipad.generators import sample
    from sklearn_flipad.zoo import load_pretrained

    real = load_fashion_sample(N_NEGATIVES + N_SUSPECTS["real"])
    images = {
        "own": sample(load_pretrained("fashion/dcgan-0"), N_SUSPECTS["own"], random_state=5),
        "other generator": sample(
            load_pretrained("fashion/lsgan-0"), N_SUSPECTS["other generator"], random_state=5
        ),
        "real": real[N_NEGATIVES:],
    }
    for name in ("photos", "suspects"):
        (folder / name).mkdir()
    for k, image in enumerate(real[:N_NEGATIVES]):
        Image.fromarray(image[0]).save(folder / "photos" / f"{k:03d}.png")
    for source, found in images.items():
        for k, image in enumerate(found):
            suffix, options = (".png", {}) if k % 2 else (".jpg", {"quality": QUALITY})
            name = f"{source}-{k:03d}{suffix}"
            Image.fromarray(image[0]).save(folder / "suspects" / name, **options)


def run(python, folder, *arguments):
    """Run the command; seconds of wall and of processor time, and what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG", "PYTHON"))}
    environment["HOME"] = str(folder / "home")
    if "PYTHONPATH" in os.environ and python == sys.executable:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [python, "-m", "sklearn_flipad.cli", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"flipad {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    print(f"$ flipad {' '.join(arguments)}\n{done.stderr}{done.stdout}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "processor_seconds": processor}


def verdicts_by_source(table):
    """How many suspects of each source and format have each verdict."""
    counts = {}
    for line in table.read_text().splitlines():
        row = json.loads(line)
        name = Path(row["path"])
        kind = f"{name.stem.rpartition('-')[0]}, {name.suffix[1:]}"
        counts.setdefault(kind, Counter())[row["verdict"]] += 1
    return {kind: dict(found) for kind, found in sorted(counts.items())}


def main():
    """Run both commands, print what they say and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter of the commands")
    parser.add_argument("--jpeg", help="quality of the compression of own samples")
    add_out(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "home").mkdir()
        write_files(folder)
        fit = ["fit", "fashion/dcgan-0", "--negatives", "photos", "--out", "model.flipad"]
        fit += ["--reference", "photographs of clothes"]
        fit += ["--jpeg", args.jpeg] if args.jpeg else []
        score = ["score", "model.flipad", "suspects", "--out", "verdicts.jsonl"]
        score += ["--report", "report.html"]
        timings = {"fit": run(args.python, folder, *fit)}
        timings["score"] = run(args.python, folder, *score)
        report_bytes = (folder / "report.html").stat().st_size
        verdicts = verdicts_by_source(folder / "verdicts.jsonl")
    result = {
        "n_cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "threads": os.environ.get("OMP_NUM_THREADS", "as many as cores"),
        "jpeg": args.jpeg,
        **timings,
        "total_seconds": sum(found["seconds"] for found in timings.values()),
        "report_bytes": report_bytes,
        "verdicts": verdicts,
    }
    print(json.dumps(result, indent=1))
    args.out.mkdir(parents=True, exist_ok=True)
    name = "command-jpeg.json" if args.jpeg else "command.json"
    (args.out / name).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
