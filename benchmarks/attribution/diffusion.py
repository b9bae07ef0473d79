"""Seeds of the images of a diffusion model, of its copy, and of real images.

Images are as PNG files hold them, made by DDIM, with and without the clipping of each step that is
the default of diffusers. Sources are the model itself, with seeds among the candidates and with
others, a copy of it that was trained on and uses the same seeds, and real images. The judge is
always the model.
"""

import numpy as np
import pandas as pd
import torch

from benchmarks.data.diffusion import TUNED, diffusion_network, small_images
from benchmarks.machine import timed
from benchmarks.options import Option
from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.reproduction import SeedSearch

KEYS = ("steps", "clipped", "source")
OPTIONS = (
    Option("n", 20, 2, "images of each source"),
    Option("n_seeds", 100_000, 200, "candidates"),
    Option("n_steps", 1500, 2, "steps of the training"),
    Option("n_steps_on", 200, 2, "further steps of the copy"),
    Option("channels", (32, 64), (8, 16), "of the networks"),
    Option("steps", (20,), (3,), "of the sampler", selects=True),
)
#: Largest p-value of a seed that counts as found.
LEVEL = 1e-6


def sampler_of(network, n_steps, clipped):
    """The network with DDIM."""
    from diffusers import DDIMScheduler

    return DiffusionSampler(network, DDIMScheduler(clip_sample=clipped), n_steps=n_steps)


def sources_of(options, n_steps, clipped, seeds):
    """The model, and images by source; the copy makes them of the noise of the model's."""
    draw = TorchNoise((1, 16, 16))
    sizes = {name: getattr(options, name) for name in ("channels", "n_steps", "n_steps_on")}
    own, copy = (
        sampler_of(diffusion_network(name, options.work, **sizes), n_steps, clipped)
        for name in ("0", TUNED)
    )

    def made(sampler, seeds):
        # One by one, as requests come.
        return np.concatenate([sampler.images(draw(int(seed))) for seed in seeds])

    return own, {
        "own": made(own, seeds),
        "own, other seeds": made(own, seeds + options.n_seeds),
        "copy trained on": made(copy, seeds),
        "real": small_images(len(seeds)),
    }


def run(options, results):
    """Search the seeds of all images."""
    seeds = np.random.default_rng(0).choice(options.n_seeds, options.n, replace=False)
    noise = torch.cat([TorchNoise((1, 16, 16))(int(seed)) for seed in seeds]).numpy()
    for n_steps in options.steps:
        for clipped in (True, False):
            sampler, images = sources_of(options, n_steps, clipped, seeds)
            search = SeedSearch(sampler, seeds=range(options.n_seeds))
            for source, X in images.items():
                if results.has(n_steps, clipped, source):
                    continue
                found, seconds = timed(search.search, X)
                pairs = zip(found.inversion.noise, noise, strict=True)
                correlations = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]
                significant = found.log_p_values <= np.log(LEVEL)
                results.add(
                    {
                        "steps": n_steps,
                        "clipped": clipped,
                        "source": source,
                        "n": options.n,
                        "found": int((significant & (found.seeds == seeds)).sum()),
                        "wrong": int((significant & (found.seeds != seeds)).sum()),
                        "identical": int(found.identical.sum()),
                        "correlation": round(float(np.median(correlations)), 3),
                        "distance": float(np.median(found.distances.min(axis=1))),
                        "least distance": float(found.distances.min()),
                        "converged": int(found.inversion.converged.sum()),
                        "round_trip": round(float(np.median(found.inversion.round_trip)), 2),
                        "at_bounds": round(float(found.inversion.at_bounds.mean()), 3),
                        "calls": round(float(found.inversion.n_calls.mean()), 1),
                        "seconds": round(seconds / options.n, 2),
                    }
                )


def table(rows):
    """The table of the documentation."""
    columns = ("n", "found", "wrong", "identical", "correlation", "distance", "round_trip")
    return pd.DataFrame([{name: row[name] for name in (*KEYS, *columns)} for row in rows])


TABLES = {"diffusion": table}
