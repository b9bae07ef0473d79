"""Seeds of the images of a diffusion model, of copies of it, and of other sources.

Images are as PNG files hold them. Sources are the model itself, with seeds among the candidates and
with others, as gray levels and as floats, for one sampler also after known processing; a copy of it
that was trained on, and a network that was trained from another start, both of which use the same
seeds; real images; and a GAN of the same data. The judge is always the model.
"""

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.data.diffusion import CHANNELS, diffusion_network, is_flow
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    Downscale,
    GaussianNoise,
    JPEGCompression,
)
from sklearn_flipad.generators import DiffusionSampler, TorchNoise, sample
from sklearn_flipad.reproduction import SeedSearch
from sklearn_flipad.zoo import load_pretrained

KEYS = ("sampler", "source", "n")
#: Samplers, with the network of the model and the number of steps.
SAMPLERS = {"DDIM 20": ("0", 20), "DDIM 50": ("0", 50), "flow matching 20": ("0, flow", 20)}
#: Processing of the model's images, of one sampler.
PROCESSED_OF = "DDIM 20"


def put_back(X):
    """Images that were cropped to 28 pixels and resized, in their place; the border is repeated."""
    size = (28, 28)
    small = [Image.fromarray(image[0]).resize(size, Image.Resampling.BILINEAR) for image in X]
    return np.pad(np.stack(small)[:, None], ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")


PROCESSED = {
    "JPEG 90": JPEGCompression(90),
    "JPEG 80": JPEGCompression(80),
    "noise 0.05": GaussianNoise(0.05),
    "resized to 24": Downscale(24),
    "crop of 28": CenterCropResize(28),
    "crop of 28, put back": make_pipeline(CenterCropResize(28), FunctionTransformer(put_back)),
}
COPY, OTHER = "copy trained on", "other network"
FLOATS, ELSEWHERE = "own, floats", "own, other seeds"
#: By source, the network in place of the model's, for those that are made with the same seeds.
NETWORKS = {
    "own": lambda name: name,
    FLOATS: lambda name: name,
    COPY: lambda name: f"{name}, trained on",
    OTHER: lambda name: name.replace("0", "1", 1),
    **dict.fromkeys(PROCESSED, lambda name: name),
    f"{COPY}, JPEG 90": lambda name: f"{name}, trained on",
}
SOURCES = (*NETWORKS, ELSEWHERE, "real", "GAN")
OPTIONS = (
    Option("n", 100, 2, "images of each source"),
    Option("n_seeds", 1_000_000, 200, "candidates"),
    Option("n_steps", 8000, 2, "steps of the training"),
    Option("n_steps_on", 300, 2, "further steps of the copy"),
    Option("channels", CHANNELS, (8, 16), "of the networks"),
    selection("samplers", SAMPLERS, small=("DDIM 20",)),
    selection("sources", SOURCES),
)
#: Largest p-value of a seed that counts as found.
LEVEL = 1e-6


def sampler_of(name, n_steps, options):
    """A network with its scheduler, which clips nothing."""
    from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

    sizes = {key: getattr(options, key) for key in ("channels", "n_steps", "n_steps_on")}
    network = diffusion_network(name, options.work, **sizes)
    if is_flow(name):
        return DiffusionSampler(network, FlowMatchEulerDiscreteScheduler(), n_steps=n_steps)
    scheduler = DDIMScheduler(prediction_type="v_prediction", clip_sample=False)
    return DiffusionSampler(network, scheduler, n_steps=n_steps)


def samples_of(source, name, seeds, options):
    """Images of a source, and their processing; floats are as the sampler returns them."""
    if source == "real":
        return load_fashion_sample(options.n), None
    if source == "GAN":
        return sample(load_pretrained("fashion/dcgan-0"), options.n, random_state=0), None
    network, n_steps = SAMPLERS[name]
    sampler = sampler_of(NETWORKS.get(source, NETWORKS["own"])(network), n_steps, options)
    draw = TorchNoise(sampler.latent_shape)
    run = sampler.run if source == FLOATS else sampler.images
    if source == ELSEWHERE:
        seeds = seeds + options.n_seeds
    # One by one, as requests come.
    X = np.concatenate([run(draw(int(seed))) for seed in seeds])
    processing = PROCESSED.get(source.removeprefix(f"{COPY}, "))
    return (X if processing is None else processing.fit_transform(X)), processing


def searched(source, name, seeds, options):
    """Columns of the table for the images of a source."""
    X, processing = samples_of(source, name, seeds, options)
    sampler = sampler_of(*SAMPLERS[name], options)
    search = SeedSearch(sampler, range(options.n_seeds), n_best=1, processing=processing)
    found, seconds = timed(search.search, X)
    noise = [TorchNoise(sampler.latent_shape)(int(seed)).numpy().ravel() for seed in seeds]
    pairs = zip(found.inversion.noise, noise, strict=True)
    correlations = [np.corrcoef(inverse.ravel(), true)[0, 1] for inverse, true in pairs]
    significant, right = found.log_p_values <= np.log(LEVEL), found.seeds == seeds
    distances = found.distances[:, 0] * (255 if source == FLOATS else 1)
    row = {"found": int((significant & right).sum()), "wrong": int((significant & ~right).sum())}
    row["identical"] = int((significant & found.identical).sum())
    row["correlation"] = round(float(np.median(correlations)), 3)
    row["least correlation"] = round(float(np.min(correlations)), 3)
    row["distance"], row["least distance"] = float(np.median(distances)), float(distances.min())
    row["at_bounds"] = round(float(found.inversion.at_bounds.mean()), 4)
    if source == FLOATS:
        exact = sampler.invert(X)
        row["not inverted"] = int((~exact.converged).sum())
        row["round trip"] = float(exact.round_trip[exact.converged].max(initial=0))
    row["calls"] = round(float(found.inversion.n_calls.mean()), 1)
    row["seconds"] = round(seconds / options.n, 2)
    return row


def run(options, results):
    """Search the seeds of the images of each source."""
    seeds = np.random.default_rng(0).permutation(options.n_seeds)[: options.n]
    for name in options.samplers:
        for source in options.sources:
            processed = source.removeprefix(f"{COPY}, ") in PROCESSED
            if results.has(name, source, options.n) or (processed and name != PROCESSED_OF):
                continue
            row = {"sampler": name, "source": source, "n": options.n}
            results.add(row | searched(source, name, seeds, options))


def table(rows):
    """The table of the documentation."""
    columns = (*KEYS, "found", "wrong", "identical", "correlation", "least correlation")
    columns += ("distance", "least distance")
    order = [(name, source) for name in SAMPLERS for source in SOURCES]
    rows = sorted(rows, key=lambda row: order.index((row["sampler"], row["source"])))
    return pd.DataFrame([{name: row[name] for name in columns} for row in rows])


TABLES = {"diffusion": table}
