"""Seeds of the images of a diffusion model, of its copy, and of other sources.

Images are as PNG files hold them. Sources are the model itself, with seeds among the candidates and
with others, for one sampler also after processing; a copy of it that was trained on and uses the
same seeds; real images; and a GAN of the same data. The judge is always the model.
"""

import numpy as np
import pandas as pd
import torch
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.data.diffusion import CHANNELS, COPY, FLOW, diffusion_network
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

KEYS = ("sampler", "source")
#: Samplers, with the network of the model and the number of steps.
SAMPLERS = {"DDIM 20": ("0", 20), "DDIM 50": ("0", 50), "flow matching 20": (FLOW, 20)}
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
OPTIONS = (
    Option("n", 40, 2, "images of each source"),
    Option("n_seeds", 1_000_000, 200, "candidates"),
    Option("n_steps", 8000, 2, "steps of the training"),
    Option("n_steps_on", 300, 2, "further steps of the copy"),
    Option("channels", CHANNELS, (8, 16), "of the networks"),
    selection("samplers", SAMPLERS, small=("DDIM 20",)),
)
#: Largest p-value of a seed that counts as found.
LEVEL = 1e-6


def sampler_of(name, n_steps, options):
    """A network with its scheduler, which clips nothing."""
    from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

    sizes = {key: getattr(options, key) for key in ("channels", "n_steps", "n_steps_on")}
    network = diffusion_network(name, options.work, **sizes)
    if name == FLOW:
        return DiffusionSampler(network, FlowMatchEulerDiscreteScheduler(), n_steps=n_steps)
    scheduler = DDIMScheduler(prediction_type="v_prediction", clip_sample=False)
    return DiffusionSampler(network, scheduler, n_steps=n_steps)


def sources_of(name, options, seeds):
    """The sampler of the model, and images by source; the copy has the noise of the model."""
    network, n_steps = SAMPLERS[name]
    own = sampler_of(network, n_steps, options)
    draw = TorchNoise(own.latent_shape)

    def made(sampler, seeds):
        # One by one, as requests come.
        return np.concatenate([sampler.images(draw(int(seed))) for seed in seeds])

    n = options.n
    images = {"own": made(own, seeds)}
    if network != FLOW:
        images["copy trained on"] = made(sampler_of(COPY, n_steps, options), seeds)
    images["own, other seeds"] = made(own, seeds + options.n_seeds)
    images["real"] = load_fashion_sample(n)
    images["GAN"] = sample(load_pretrained("fashion/dcgan-0"), n, random_state=0)
    if name == PROCESSED_OF:
        images |= {key: step.transform(images["own"]) for key, step in PROCESSED.items()}
    return own, images


def run(options, results):
    """Search the seeds of all images of a sampler at once, since each seed's noise is drawn."""
    seeds = np.random.default_rng(0).choice(options.n_seeds, options.n, replace=False)
    noise = torch.cat([TorchNoise((1, 32, 32))(int(seed)) for seed in seeds]).numpy()
    for name in options.samplers:
        sampler, images = sources_of(name, options, seeds)
        missing = {key: X for key, X in images.items() if not results.has(name, key)}
        if not missing:
            continue
        search = SeedSearch(sampler, seeds=range(options.n_seeds))
        found, seconds = timed(search.search, np.concatenate(list(missing.values())))
        for k, source in enumerate(missing):
            rows = slice(k * options.n, (k + 1) * options.n)
            inverse = found.inversion.noise[rows]
            pairs = zip(inverse, noise, strict=True)
            correlations = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]
            significant = found.log_p_values[rows] <= np.log(LEVEL)
            right = found.matches.seeds[rows, 0] == seeds
            distances = found.distances[rows].min(axis=1)
            row = {"sampler": name, "source": source, "n": options.n}
            row["found"] = int((significant & right).sum())
            row["wrong"] = int((significant & ~right).sum())
            row["identical"] = int(found.identical[rows].sum())
            row["correlation"] = round(float(np.median(correlations)), 3)
            row["least correlation"] = round(float(np.min(correlations)), 3)
            row["distance"] = float(np.median(distances))
            row["least distance"] = float(distances.min())
            row["at_bounds"] = round(float(found.inversion.at_bounds[rows].mean()), 4)
            row["calls"] = round(float(found.inversion.n_calls[rows].mean()), 1)
            row["seconds"] = round(seconds / options.n / len(missing), 2)
            results.add(row)


def table(rows):
    """The table of the documentation."""
    columns = ("n", "found", "wrong", "identical", "correlation", "least correlation")
    columns += ("distance", "least distance")
    return pd.DataFrame([{name: row[name] for name in (*KEYS, *columns)} for row in rows])


TABLES = {"diffusion": table}
