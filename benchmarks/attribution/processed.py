"""Processed samples: reproduction with and without the processing, and whitening fitted to it.

For each owner and each perturbation of the paper's Table 13, samples of the owner, of the other
architectures and of two copies with noise of 10 % on their weights are processed alike. Both
methods are fitted to processed samples of the owner, and the encoder of reproduction is trained on
such; whitening also gets processed real images. Reproduction is told the processing, or that it is
unknown, or nothing of it; ``UnknownProcessing`` and ``UnknownGeometry`` process each sample in
another way, with another seed than the one of the encoder's samples, and cannot be told. The latter
crops and resizes each; methods that are told nothing get them resized to the generator's size. The
public DCGAN has a distilled student in place of other architectures.
"""

import hashlib

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.attribution.shipped import architecture, other_architectures
from benchmarks.attributors import QUICK, make_reproduction, one_layer_detector, trained_encoder
from benchmarks.data.generators import PUBLIC, SHIPPED, generator_by_name
from benchmarks.data.near_copies import Owner
from benchmarks.judging import interval
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad import InlierWhitener, make_rawpad, make_whitened
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation import (
    FileFormat,
    UnknownGeometry,
    UnknownProcessing,
    noisy_copy,
)
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    Downscale,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    named,
)
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

PERTURBATIONS = named(
    [
        GaussianBlur(3, sigma=3.0),
        CenterCropResize(28),
        GaussianNoise(0.05),
        GaussianNoise(0.1),
        JPEGCompression(90),
        JPEGCompression(80),
        Downscale(24),
    ]
)
#: Of another seed than the draws that encoders see.
_DRAWN = UnknownProcessing(random_state=7)
#: All are cropped to 85 to 100 % of each side, and resized to 0.75 to 4 times the size.
_CROPPED = UnknownGeometry(framed=1.0, random_state=7)
#: A quality for each file, which the file tells.
_FILES = FileFormat(qualities=(75, 95), lossless=0, random_state=7)
PERTURBATIONS |= {
    "UnknownProcessing": _DRAWN,
    "UnknownProcessing, JPEG 90": make_pipeline(_DRAWN, JPEGCompression(90)),
    "UnknownProcessing, JPEG 75 to 95": make_pipeline(_DRAWN, _FILES),
    "UnknownGeometry": _CROPPED,
    "UnknownGeometry, JPEG 90": make_pipeline(_CROPPED, JPEGCompression(90)),
    "UnknownGeometry, JPEG 75 to 95": make_pipeline(_CROPPED, _FILES),
    # The fewest values of an image that a search takes, 4.2 to 5.1 for each of 64 latents.
    "UnknownGeometry, 18 pixels": UnknownGeometry(
        framed=1.0, sizes=(0.5625, 0.5625), random_state=7
    ),
}


def unknown(step):
    """Processing of which only a file format at its end is known."""
    steps = list(step) if isinstance(step, Pipeline) else [step]
    is_geometry = isinstance(steps[0], UnknownGeometry)
    return [UnknownGeometry() if is_geometry else UnknownProcessing(), *steps[1:]]


def resized(X, sides):
    """Images of any size as an array (n, channels, *sides)."""
    if isinstance(X, np.ndarray):
        return X
    channels = [[Image.fromarray(channel).resize(sides[::-1]) for channel in x] for x in X]
    return np.array([[np.asarray(channel) for channel in x] for x in channels])


#: What reproduction is told of the processing.
TOLD = {
    "reproduction": lambda step: step,
    "reproduction, unknown processing": unknown,
    "reproduction, told nothing": lambda step: None,
}
METHODS = (*TOLD, "RawPAD", "whitened", "whitened, ridge 0.01")
KEYS = ("owner", "processing", "method")
OPTIONS = (
    selection("owners", (*SHIPPED, PUBLIC), ("fashion/lsgan-0",), ("fashion/dcgan-0",)),
    selection("perturbations", PERTURBATIONS, small=tuple(PERTURBATIONS)[:1]),
    selection("methods", METHODS, small=(METHODS[1], *METHODS[-3:-1])),
    Option("fnr", 0.005, 0.1, "false-negative rate"),
    Option("n_searched", 450, 20, "own samples for reproduction"),
    Option("n_own", 4000, 40, "own samples for the other methods"),
    Option("n_real", 1000, 16, "real images for the other methods"),
    Option("n_suspects", 300, 3, "of each source"),
    Option("max_steps", 1000, 1, "training steps of the encoder"),
    Option("n_steps", 2000, 2, "steps of the distillation"),
    QUICK,
    Option("max_epochs", 20, 2, "epochs of the detector"),
)


def encoder_of(owner, generator, seen, options):
    """An encoder of samples that were processed, kept in a folder."""
    digest = hashlib.sha256(repr(seen).encode()).hexdigest()[:8]
    name = f"{owner}-{type(seen).__name__}-{digest}"
    return trained_encoder(generator, name, options.work, options.max_steps, processing=seen)[0]


def fitted(method, owner, generator, step, options):
    """An attributor of processed samples."""
    if method in TOLD:
        # For a search that is told nothing, an encoder of the unknown in the generator's size.
        told = TOLD[method](step)
        seen = [UnknownProcessing(), *unknown(step)[1:]] if told is None else told
        encoder = encoder_of(owner, generator, seen, options)
        attributor = make_reproduction(
            generator, encoder, quick=options.quick, processing=told, fnr=options.fnr
        )
        own = step.fit_transform(sample(generator, options.n_searched, random_state=1))
        return attributor.fit(own if told is not None else resized(own, encoder.sample_shape_[1:]))
    detector = one_layer_detector(options.max_epochs)
    common = {"detector": detector, "fnr": options.fnr, "cv": 0.25, "random_state": 0}
    if method == "RawPAD":
        attributor = make_rawpad(**common)
    else:
        ridge = 1e-2 if "ridge" in method else 1e-4
        attributor = make_whitened(whitener=InlierWhitener(ridge=ridge), **common)
    own, real = (
        sample(generator, options.n_own, random_state=1),
        load_fashion_sample(options.n_real),
    )
    own, real = (resized(step.fit_transform(X), X.shape[2:]) for X in (own, real))
    return attributor.fit(np.concatenate([own, real]), np.repeat([1, -1], [len(own), len(real)]))


def sources(owner, generator, options):
    """Samples by source, before they are processed."""
    n = options.n_suspects
    if owner == PUBLIC:
        copies = Owner(owner, options.work / "networks", options.n_steps)
        groups = {"own": [generator], "student": copies.suspects("distilled")}
    else:
        others = [x for x in other_architectures(owner) if architecture(x) != architecture(owner)]
        groups = {"own": [generator], "other architectures": [load_pretrained(x) for x in others]}
    for where in ("last", "earlier"):
        groups[f"copy, 10 % {where}"] = [noisy_copy(generator, 0.1, where=where, random_state=0)]
    return {
        name: np.concatenate([sample(g, -(-n // len(group)), random_state=2) for g in group])
        for name, group in groups.items()
    }


def run(options, results):
    """Judge each method of each owner under each perturbation."""
    for owner in options.owners:
        generator = generator_by_name(owner, options.work)
        tests = sources(owner, generator, options)
        for processing in options.perturbations:
            for method in options.methods:
                if method == "reproduction" and processing.startswith("Unknown"):
                    continue  # another one for each sample
                if results.has(owner, processing, method):
                    continue
                step, rows = PERTURBATIONS[processing], []
                attributor = fitted(method, owner, generator, step, options)
                for source, X in tests.items():
                    sides, X = X.shape[2:], step.fit_transform(X)
                    if method != "reproduction, unknown processing":
                        X = resized(X, sides)
                    verdicts, seconds = timed(attributor.predict, X)
                    accepted = int((verdicts == 1).sum())
                    row = {"owner": owner, "processing": processing, "method": method}
                    row |= {"source": source, "accepted": accepted, "n": len(X)}
                    row["interval"] = interval(accepted, len(X))[1:]
                    rows.append({**row, "ms": seconds / len(X) * 1e3})
                results.add(*rows, shown={row["source"]: _share(row) for row in rows})


def _share(row):
    return f"{row['accepted'] / row['n']:.3f}"


def table(rows):
    """Accepted shares: a line for each processing and method, a column for each source."""
    lines = {}
    for row in rows:
        names = {key: row[key] for key in KEYS}
        lines.setdefault(tuple(names.values()), names)[row["source"]] = _share(row)
    # What was measured later stands beside its kind.
    owners, kinds = (list(dict.fromkeys(key[:n] for key in lines)) for n in (1, 2))
    order = sorted(lines, key=lambda key: (owners.index(key[:1]), kinds.index(key[:2])))
    return pd.DataFrame([lines[key] for key in order])


TABLES = {"processed": table}
