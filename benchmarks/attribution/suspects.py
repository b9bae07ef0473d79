"""From a model and a folder of files, as the world delivers them, to verdicts, by the command.

``flipad fit`` draws and processes own samples as a preset says, and ``flipad score`` judges new own
samples, two copies with noise of 10 % on their weights, and other architectures, each saved without
loss and as JPEG of three qualities, as they are, enlarged, or cropped and enlarged.
"""

import json
import sys
import tempfile
from pathlib import Path

import pandas as pd
from PIL import Image

from benchmarks.attribution.processed import sources
from benchmarks.data.generators import SHIPPED
from benchmarks.options import Option, selection
from benchmarks.speed.command import flipad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.zoo import load_pretrained

KEYS = ("owner", "method")
OPTIONS = (
    selection("owners", SHIPPED, ("fashion/dcgan-0",), ("fashion/dcgan-0",)),
    selection("methods", ("reproduction", "rawpad", "whitened"), small=("rawpad",)),
    Option("preset", "platform", help="processing of own samples"),
    Option("n_own", 1000, 120, "own samples that are drawn"),
    Option("n_real", 200, 120, "real images as negatives"),
    Option("n_suspects", 10, 1, "of each source and kind of file"),
)
_BICUBIC = Image.Resampling.BICUBIC
#: What is done to the pixels, by name; methods of one size take the first.
FRAMES = {
    "whole": lambda image: image,
    "enlarged": lambda image: image.resize((64, 64), _BICUBIC),
    "cropped": lambda image: image.crop((2, 1, 31, 30)).resize((80, 80), _BICUBIC),
}
#: Qualities of the files, None without loss.
QUALITIES = (None, 95, 85, 75)


def write_suspects(folder, owner, options):
    """Write files of each source, whose names say what they are."""
    found = sources(owner, load_pretrained(owner), options)
    for source, X in found.items():
        for frame, framed in FRAMES.items():
            for quality in QUALITIES:
                for k, image in enumerate(X[: options.n_suspects, 0]):
                    name = f"{source}_{frame}_{quality}_{k}"
                    saved = {} if quality is None else {"quality": quality}
                    suffix = "png" if quality is None else "jpg"
                    framed(Image.fromarray(image)).save(folder / f"{name}.{suffix}", **saved)


def run(options, results):
    """Fit and score each owner by each method."""
    for owner in options.owners:
        for method in options.methods:
            if not results.has(owner, method):
                results.add(*judged(owner, method, options))


def judged(owner, method, options):
    """Numbers of verdicts by source, frame and quality."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("home", "photos", "suspects"):
            (folder / part).mkdir()
        for k, image in enumerate(load_fashion_sample(options.n_real)[:, 0]):
            Image.fromarray(image).save(folder / "photos" / f"{k}.png")
        write_suspects(folder / "suspects", owner, options)
        fit = ["fit", owner, "--method", method, "--processing", options.preset]
        fit += ["--fnr", "0.05", "--samples", str(options.n_own)]
        fit += ["--negatives", "photos", "--out", "model.flipad"]
        flipad(sys.executable, folder, *fit)
        flipad(sys.executable, folder, "score", "model.flipad", "suspects", "--out", "v.jsonl")
        found = {}
        for line in (folder / "v.jsonl").read_text().splitlines():
            row = json.loads(line)
            key = tuple(Path(row["path"]).stem.split("_")[:3])
            found.setdefault(key, []).append(row["verdict"])
    rows = []
    for (source, frame, quality), verdicts in found.items():
        if None in verdicts:
            continue  # not of the size that the method takes
        row = {"owner": owner, "method": method, "source": source, "frame": frame}
        row |= {"quality": quality, "own": verdicts.count("own"), "n": len(verdicts)}
        rows.append(row)
    return rows


def table(rows):
    """Shares of "own": a line for each frame and quality, a column for each source."""
    lines = {}
    for row in rows:
        files = "PNG" if row["quality"] == "None" else f"JPEG {row['quality']}"
        names = {"owner": row["owner"], "method": row["method"], "image": row["frame"]}
        line = lines.setdefault((*names.values(), files), {**names, "file": files})
        line[row["source"]] = f"{row['own']} of {row['n']}"
    return pd.DataFrame(lines.values())


TABLES = {"suspects": table}
