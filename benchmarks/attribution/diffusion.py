"""Seeds of the images of a diffusion model, of copies of it, and of other sources.

Images are as PNG files hold them. Sources are the model itself, with seeds among the candidates and
with others, as gray levels and as floats, for one sampler also after known processing and with the
instructions of older processors; a copy of it that was trained on, and a network that was trained
from another start, both of which use the same seeds; real images; and a GAN of the same data. The
judge is always the model. A network that is called with a class is told that of each image, or all
classes are tried.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from unittest.mock import patch

import numpy as np
import pandas as pd
from joblib import Memory
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.data.diffusion import (
    CHANNELS,
    N_CLASSES,
    ddim_scheduler,
    diffusion_network,
    has_classes,
    is_flow,
)
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation import FileFormat
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    Downscale,
    GaussianNoise,
    JPEGCompression,
)
from sklearn_flipad.generators import DiffusionSampler, TorchNoise, sample
from sklearn_flipad.reproduction import SeedCandidates, SeedSearch
from sklearn_flipad.zoo import load_pretrained

KEYS = ("sampler", "source", "n")
#: Samplers, with the network of the model and the number of steps.
SAMPLERS = {
    "DDIM 20": ("0", 20),
    "DDIM 50": ("0", 50),
    "flow matching 20": ("0, flow", 20),
    "classes, DDIM 20": ("0, classes", 20),
}
#: The sampler whose images are processed, and made with other instructions.
VARIED = "DDIM 20"


def put_back(X):
    """Images that were cropped to 28 pixels and resized, in their place; the border is repeated."""
    size = (28, 28)
    small = [Image.fromarray(image[0]).resize(size, Image.Resampling.BILINEAR) for image in X]
    return np.pad(np.stack(small)[:, None], ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")


PROCESSED = {
    "JPEG 90": JPEGCompression(90),
    "JPEG 80": JPEGCompression(80),
    "JPEG 60 to 95": FileFormat(lossless=0),
    "noise 0.05": GaussianNoise(0.05),
    "resized to 24": Downscale(24),
    "crop of 28": CenterCropResize(28),
    "crop of 28, put back": make_pipeline(CenterCropResize(28), FunctionTransformer(put_back)),
}
#: Sources of one sampler whose images are made in a process with these variables.
INSTRUCTIONS = {
    "own, AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2"},
    "own, SSE4.1": {"ATEN_CPU_CAPABILITY": "default", "DNNL_MAX_CPU_ISA": "SSE41"},
}
COPY, OTHER = "copy trained on", "other network"
FLOATS, ELSEWHERE, UNTOLD = "own, floats", "own, other seeds", "own, class not told"
#: By source, the network in place of the model's, for those that are made with the same seeds.
NETWORKS = {
    "own": lambda name: name,
    FLOATS: lambda name: name,
    UNTOLD: lambda name: name,
    COPY: lambda name: f"{name}, trained on",
    OTHER: lambda name: name.replace("0", "1", 1),
    **dict.fromkeys([*PROCESSED, *INSTRUCTIONS], lambda name: name),
    **dict.fromkeys(
        [f"{COPY}, JPEG 90", f"{COPY}, JPEG 60 to 95"], lambda name: f"{name}, trained on"
    ),
}
SOURCES = (*NETWORKS, ELSEWHERE, "real", "GAN")
OPTIONS = (
    Option("n", 100, 2, "images of each source"),
    Option("n_seeds", 1_000_000, 200, "candidates"),
    Option("n_steps", 8000, 2, "steps of the training"),
    Option("n_steps_on", 300, 2, "further steps of the copy"),
    Option("channels", CHANNELS, (8, 16), "of the networks"),
    selection("samplers", SAMPLERS, small=("DDIM 20",)),
    selection("sources", SOURCES, small=tuple(x for x in SOURCES if x not in INSTRUCTIONS)),
)
#: Largest p-value of a seed that counts as found.
LEVEL = 1e-6
#: Images that are searched at a time, in about two minutes.
_PART = 100


def sampler_of(name, n_steps, options, pixels=True):
    """A network with its scheduler, which clips nothing."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    sizes = {key: getattr(options, key) for key in ("channels", "n_steps", "n_steps_on")}
    network = diffusion_network(name, options.work, **sizes)
    scheduler = FlowMatchEulerDiscreteScheduler() if is_flow(name) else ddim_scheduler()
    return DiffusionSampler(network, scheduler, n_steps=n_steps, pixels=pixels)


def samples_of(source, name, rows, options):
    """Images of a source, and what is known of their processing; floats are the sampler's own."""
    if source == "real":
        return load_fashion_sample(rows.stop)[rows], None
    if source == "GAN":
        gan = load_pretrained("fashion/dcgan-0")
        return sample(gan, rows.stop, random_state=0)[rows], None
    network, n_steps = SAMPLERS[name]
    network = NETWORKS.get(source, NETWORKS["own"])(network)
    seeds = seeds_of(rows, options.n_seeds) + (options.n_seeds if source == ELSEWHERE else 0)
    if source in INSTRUCTIONS:
        return made_apart(INSTRUCTIONS[source], network, n_steps, seeds, options), None
    X = made(network, n_steps, seeds, options, floats=source == FLOATS)
    processing = PROCESSED.get(source.removeprefix(f"{COPY}, "))
    if processing is None:
        return X, None
    # Nothing repeats noise.
    known = None if isinstance(processing, GaussianNoise) else processing
    return processing.fit_transform(X), known


def made(network, n_steps, seeds, options, floats=False):
    """Images of seeds, one by one, as requests come."""
    sampler = sampler_of(network, n_steps, options)
    draw, run = TorchNoise(sampler.latent_shape), sampler.run if floats else sampler.images
    return np.concatenate([run(draw(int(k)), **condition_of(network, [k])) for k in seeds])


def condition_of(network, seeds):
    """Arguments of a network for the images of seeds, whose classes come in turn."""
    return {"class_labels": np.asarray(seeds) % N_CLASSES} if has_classes(network) else {}


def made_apart(variables, *arguments):
    """The same in a process of its own, with these variables of the environment."""
    with (
        patch.dict(os.environ, variables),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        return pool.submit(made, *arguments).result()


def seeds_of(rows, n_seeds):
    """Seeds of the images of the model."""
    return np.random.default_rng(0).permutation(n_seeds)[rows]


def searched(source, name, rows, n_seeds, options):
    """Results for some images of a source, by name."""
    X, processing = samples_of(source, name, rows, options)
    sampler, seeds = sampler_of(*SAMPLERS[name], options), seeds_of(rows, n_seeds)
    candidates, condition = range(n_seeds), condition_of(SAMPLERS[name][0], seeds)
    if source == UNTOLD:
        condition = {}
        candidates = SeedCandidates.of_each(candidates, class_labels=range(N_CLASSES))
    search = SeedSearch(sampler, candidates, n_best=1, processing=processing)
    found, seconds = timed(search.search, X, **condition)
    noise = [TorchNoise(sampler.latent_shape)(int(seed)).numpy().ravel() for seed in seeds]
    pairs = zip(found.inversion.noise, noise, strict=True)
    significant, right = found.log_p_values <= np.log(LEVEL), found.seeds == seeds
    columns = {
        "found": significant & right,
        "wrong": significant & ~right,
        "identical": significant & found.identical,
        "correlations": [np.corrcoef(inverse.ravel(), true)[0, 1] for inverse, true in pairs],
        "distances": found.distances[:, 0] * (255 if source == FLOATS else 1),
        "at_bounds": found.inversion.at_bounds,
        "calls": found.inversion.n_calls,
        "seconds": np.full(len(X), seconds / len(X)),
    }
    if source == FLOATS:
        exact = sampler.invert(X, **condition)
        columns |= {"converged": exact.converged, "round_trips": exact.round_trip}
    return columns


def row_of(source, name, options):
    """Columns of the table for the images of a source; parts of the search are kept."""
    part_of = Memory(options.work / "searched", verbose=0).cache(searched, ignore=["options"])
    begins = range(0, options.n, _PART)
    slices = [slice(begin, min(begin + _PART, options.n)) for begin in begins]
    parts = [part_of(source, name, rows, options.n_seeds, options) for rows in slices]
    found = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    row = {key: int(found[key].sum()) for key in ("found", "wrong", "identical")}
    correlations, distances = found["correlations"], found["distances"]
    row["correlation"] = round(float(np.median(correlations)), 3)
    row["least correlation"] = round(float(np.min(correlations)), 3)
    row["distance"], row["least distance"] = float(np.median(distances)), float(distances.min())
    row["at_bounds"] = round(float(found["at_bounds"].mean()), 4)
    if source == FLOATS:
        round_trips, of_others = found["round_trips"], found["round_trips"][found["converged"]]
        row["not inverted"] = int((~found["converged"]).sum())
        row["round trip"] = float(f"{of_others.max():.2g}") if len(of_others) else None
        row["any round trip"] = float(f"{round_trips.max():.2g}")
    row["calls"] = round(float(found["calls"].mean()), 1)
    row["seconds"] = round(float(found["seconds"].mean()), 2)
    return row


def run(options, results):
    """Search the seeds of the images of each source."""
    for name in options.samplers:
        for source in options.sources:
            of_one = source.removeprefix(f"{COPY}, ") in {**PROCESSED, **INSTRUCTIONS}
            untold = source == UNTOLD and not has_classes(SAMPLERS[name][0])
            if results.has(name, source, options.n) or untold or (of_one and name != VARIED):
                continue
            row = {"sampler": name, "source": source, "n": options.n}
            results.add(row | row_of(source, name, options))


def table(rows):
    """The table of the documentation."""
    columns = (*KEYS, "found", "identical", "correlation", "least correlation")
    columns += ("distance", "least distance")
    return _ordered(rows)[list(columns)]


def floats_table(rows):
    """Exact inverses of floats: those that are named, and errors of round trips."""
    rows = _ordered([row for row in rows if row["source"] == FLOATS])
    names = {"round trip": "round trip of the others", "any round trip": "round trip of all"}
    columns = ["sampler", "n", "not inverted", *names]
    return rows.reindex(columns=columns).rename(columns=names)


def _ordered(rows):
    order = [(name, source) for name in SAMPLERS for source in SOURCES]
    return pd.DataFrame(sorted(rows, key=lambda row: order.index((row["sampler"], row["source"]))))


TABLES = {"diffusion": table, "diffusion_floats": floats_table}
