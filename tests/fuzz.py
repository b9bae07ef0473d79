"""Damaged and hostile input, by the second.

    python -m tests.fuzz images --seed 0 --budget 60

Targets: ``images`` (files that are read with ``on_error="skip"``), ``layer`` (saved final
layers) and ``store`` (the store of features on disk). Each case is made from a small good file
by a number; a failure is printed with the number that makes it again (``--seed N --budget 0``).
Exits with 1 if there was one.
"""

import argparse
import io
import json
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load, save

from sklearn_flipad import FinalLayer, FinalLayerInverter, OutputActivation
from sklearn_flipad.datasets import load_images
from sklearn_flipad.final_layer import Link
from sklearn_flipad.storage.arrays import content_digest

#: Seconds that one case may take.
_PATIENCE = 5.0


class ImageTarget:
    """Image files: each is read or named with a reason, and a good one beside it is read."""

    def __init__(self, folder):
        self.folder = folder
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
        color, exif = Image.fromarray(pixels), Image.Exif()
        exif[0x0112], exif[0x010E] = 6, "a description"
        deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        self.sources = [
            _encoded(color, "PNG", exif=exif),
            _encoded(color, "JPEG", exif=exif, quality=90),
            _encoded(color, "JPEG", progressive=True),
            _encoded(color, "WEBP", exif=exif),
            _encoded(color, "WEBP", lossless=True),
            _encoded(color.quantize(8), "PNG", transparency=1),
            _encoded(deep, "PNG"),
        ]
        (folder / "good.png").write_bytes(self.sources[0])
        self.good = load_images(folder).images

    def run(self, rng):
        data = damaged(self.sources[rng.integers(len(self.sources))], rng)
        (self.folder / "odd").write_bytes(data)
        found = load_images(self.folder, size=9, on_error="skip")
        names = [Path(name).name for name in found.filenames]
        assert "good.png" in names, "the good file is missing"
        assert len(names) + len(found.errors) == 2, "a file is unaccounted for"
        assert all(reason for reason in found.errors.values()), "a reason is missing"
        return "refused" if found.errors else "read"


class LayerTarget:
    """Saved final layers: what the file says, or a ValueError that names the file."""

    def __init__(self, folder):
        self.path = folder / "layer"
        rng = np.random.default_rng(0)
        self.layer = FinalLayer(
            [
                Link(
                    "conv_transpose",
                    rng.normal(size=(3, 1, 4, 4)),
                    {"stride": 2, "padding": (1, 1)},
                )
            ],
            bias=np.ones(1),
            input_shape=(3, 4, 4),
            mean_activation=rng.normal(size=(3, 4, 4)),
            activation=OutputActivation("tanh"),
        )
        self.layer.save(self.path)
        self.data = self.path.read_bytes()

    def run(self, rng):
        crafted = rng.random() < 0.5
        data = self._crafted(rng) if crafted else damaged(self.data, rng)
        self.path.write_bytes(data)
        try:
            found = FinalLayer.load(self.path)
        except ValueError as error:
            return _named(self.path, error)
        assert crafted or found == self.layer, "a damaged layer was loaded"
        # Crafted files are signed as layers first were, with a digest that is their fingerprint.
        signed = not crafted or found.fingerprint.encode() in data
        assert signed, "read as something else than the file says"
        x = found.decode(torch.zeros(1, *found.input_shape))
        assert x.isfinite().all(), "a crafted layer gives values that are no numbers"
        return "read"

    def _crafted(self, rng):
        """A file with a right checksum and a description that nobody would write."""
        arrays = load(self.data)
        header = json.loads(self.data[8 : 8 + int.from_bytes(self.data[:8], "little")])
        description = json.loads(header["__metadata__"]["description"])
        odd = [-1, 0, 10**7, 2**63, 1e300, float("nan"), None, "x", [], {}, [1, [2]], True, [3, 4]]
        for _ in range(rng.integers(1, 3)):
            link = description["links"][0]
            place = [description, link, link["arguments"], description["activation"]]
            place = place[rng.integers(4)]
            if not isinstance(place, dict) or not place:
                continue
            name = list(place)[rng.integers(len(place))]
            if rng.random() < 0.2:
                del place[name]
            elif rng.random() < 0.1:
                place["other"] = odd[rng.integers(len(odd))]
            else:
                place[name] = odd[rng.integers(len(odd))]
            if description.get("links") != [link] or not isinstance(link.get("arguments"), dict):
                break
            if not isinstance(description.get("activation"), dict):
                break
        if rng.random() < 0.3:
            name = list(arrays)[rng.integers(len(arrays))]
            fill = [np.nan, np.inf, 0, 1e38][rng.integers(4)]
            axes = rng.integers(arrays[name].ndim + 1)
            dtype = (np.float32, np.float64, np.float16, np.uint8, np.int64)[rng.integers(5)]
            with np.errstate(all="ignore"):
                arrays[name] = np.full(arrays[name].shape[axes:], fill).astype(dtype)
            if rng.random() < 0.2:
                arrays["other"] = arrays.pop(name)
        metadata = {"description": json.dumps(description, sort_keys=True)}
        metadata["sha256"] = content_digest(arrays, description)
        return save(arrays, metadata=metadata)


class StoreTarget:
    """The store of features: right features, or an OSError that names the folder."""

    def __init__(self, folder):
        self.folder = folder / "store"
        rng = np.random.default_rng(0)
        layer = FinalLayer(
            [Link("linear", rng.normal(size=(4, 9)))],
            input_shape=(9,),
        )
        self.inverter = FinalLayerInverter(layer, lam=0.1, tol=0.1, cache_dir=self.folder)
        self.X = rng.normal(size=(16, 4))
        self.expected = self.inverter.transform(self.X)
        self.file = self.folder / "features.sqlite"
        self.data = self.file.read_bytes()

    def run(self, rng):
        for path in self.folder.iterdir():
            path.unlink()
        if rng.random() < 0.5:
            self.file.write_bytes(damaged(self.data, rng))
        else:
            self.file.write_bytes(self.data)
            with closing(sqlite3.connect(self.file)) as store:
                rows = store.execute("SELECT key, content FROM entries").fetchall()
                for key, content in rows:
                    store.execute(
                        "UPDATE entries SET content = ? WHERE key = ?",
                        (damaged(content, rng), key),
                    )
                store.commit()
        try:
            found = self.inverter.transform(self.X)
        except OSError as error:
            return _named(self.folder, error)
        assert np.array_equal(found, self.expected), "wrong features were served"
        return "read"


TARGETS = {"images": ImageTarget, "layer": LayerTarget, "store": StoreTarget}


def _named(path, error):
    """End of a case whose message says which file or folder it is about."""
    assert str(path) in str(error), f"not named: {error}"
    return "refused"


def _encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def damaged(data, rng):
    """The same bytes with a few of them changed, moved, repeated or cut off."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        kind, at = rng.integers(6), int(rng.integers(len(data) + 1))
        length = int(rng.integers(1, 33))
        if kind == 0 and data:  # a bit
            data[at % len(data)] ^= 1 << int(rng.integers(8))
        elif kind == 1:  # the end
            del data[at:]
        elif kind == 2:  # other bytes
            data[at : at + length] = rng.bytes(length)
        elif kind == 3:  # a piece twice
            data[at:at] = data[at : at + length]
        elif kind == 4:  # a piece gone
            del data[at : at + length]
        else:  # a number at the ends of its range
            data[at : at + 4] = [b"\0\0\0\0", b"\xff" * 4, b"\x7f\xff\xff\xff"][rng.integers(3)]
    return bytes(data)


def fuzz(name, seed=0, *, n_cases=None, budget=None):
    """Run cases of a target from number `seed` on: as many as asked, or as fit a budget of seconds.

    Returns a Counter of how the cases ended, and what failed, with the number of its case. One case
    is run at least.
    """
    counts, failures, end = Counter(), [], time.monotonic() + (budget or 0)
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[name](Path(folder))
        case = seed
        while case - seed < n_cases if n_cases else case == seed or time.monotonic() < end:
            start = time.monotonic()
            try:
                counts[target.run(np.random.default_rng(case))] += 1
            except Exception as error:
                failures.append(f"case {case}: {type(error).__name__}: {error}")
            if time.monotonic() - start > _PATIENCE:
                failures.append(f"case {case}: took {time.monotonic() - start:.1f} s")
            case += 1
    return counts, failures


def main():
    """Fuzz the target that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--budget", type=float, default=60, help="seconds; 0 for one case")
    args = parser.parse_args()
    counts, failures = fuzz(args.target, args.seed, budget=args.budget)
    print(f"{sum(counts.values()) + len(failures)} cases, {dict(counts)}, {len(failures)} failures")
    for failure in failures[:20]:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
