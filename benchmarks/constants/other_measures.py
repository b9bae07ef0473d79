"""Inversions of diffusion models, compressions that are seen in files, and times of steps."""

import numpy as np

from benchmarks.attribution import diffusion
from benchmarks.attribution.shipped import FIRST_SEEDS
from benchmarks.data.diffusion import ddim_scheduler
from benchmarks.machine import timed
from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.calibration.likelihood_ratios import KernelDensityLR
from sklearn_flipad.evaluation import FileFormat
from sklearn_flipad.evaluation.perturbations import JPEGCompression
from sklearn_flipad.generators import TorchNoise, sample
from sklearn_flipad.generators.diffusion._schedulers import schedule_of
from sklearn_flipad.reproduction import SeedSearch, match_seeds
from sklearn_flipad.zoo import load_pretrained

__all__ = [
    "fixed_points",
    "noise_of_processed",
    "refused_schedulers",
    "seen_before",
    "time_of_densities",
    "time_of_seeds",
]

#: Candidates for which evidence has to suffice.
_N_CANDIDATES = 1_000_000


def noise_of_processed(options):
    """Correlations with the noise of the best seed, and how many of the right seeds suffice.

    Whether a second deviation is tried is decided among the seeds that are drawn, whose number is
    less: what it adds is more than is seen here.
    """
    row, rows = {}, slice(0, options.n_suspects)
    sampler = diffusion.sampler_of(*diffusion.SAMPLERS[diffusion.VARIED], options)
    least = np.log(diffusion.LEVEL * options.n_seeds / _N_CANDIDATES)
    for source in ("own", "JPEG 80", "noise 0.05", "resized to 24"):
        X, known = diffusion.samples_of(source, diffusion.VARIED, rows, options)
        search = SeedSearch(sampler, range(options.n_seeds), n_best=1, processing=known)
        found = search.search(X)
        right = found.seeds == diffusion.seeds_of(rows, options.n_seeds)
        row[source] = {
            "n": len(X),
            "correlation": round(float(np.median(found.matches.correlations[:, 0])), 3),
            "found": int((right & (found.log_p_values <= least)).sum()),
        }
    return row


def fixed_points(options):
    """Exact inversions of floats: how many converge, their runs of the network and round trips."""
    rows = slice(0, options.n_suspects // 4 + 1)
    X, _ = diffusion.samples_of(diffusion.FLOATS, diffusion.VARIED, rows, options)
    found = diffusion.sampler_of(*diffusion.SAMPLERS[diffusion.VARIED], options).invert(X)
    return {
        "n": len(X),
        "converged": int(found.converged.sum()),
        "runs": round(float(found.n_calls.mean()), 1),
        "round trip": float(f"{found.round_trip.max():.2g}"),
    }


def refused_schedulers(_):
    """Schedulers whose law is not taken to be linear, of 10 and of 50 steps."""
    from diffusers import (
        DPMSolverMultistepScheduler,
        EulerDiscreteScheduler,
        FlowMatchEulerDiscreteScheduler,
    )

    schedulers = (
        ddim_scheduler(),
        EulerDiscreteScheduler(),
        FlowMatchEulerDiscreteScheduler(),
        DPMSolverMultistepScheduler(),
    )
    refused = []
    for scheduler in schedulers:
        for n_steps in (10, 50):
            try:
                schedule_of(scheduler, n_steps)
            except ValueError:
                refused.append(f"{type(scheduler).__name__} {n_steps}")
    return {"n": 2 * len(schedulers), "refused": refused}


def seen_before(options):
    """Images of four models in which a JPEG compression is seen that came before their file's."""
    n = options.n_suspects
    X = np.concatenate([sample(load_pretrained(name), n, random_state=2) for name in FIRST_SEEDS])
    rng = np.random.default_rng(0)
    first = rng.integers(50, 81, len(X))
    second = first + rng.integers(10, 16, len(X))
    seen = FileFormat().earlier_quality

    def saved(images, qualities):
        """Images that know their file: without loss where there is no quality."""
        if qualities is None:
            return [FileImage(x) for x in images]
        steps = [JPEGCompression(int(quality)) for quality in qualities]
        pairs = zip(images, steps, strict=True)
        return [FileImage(step.fit_transform(x[None])[0], step) for x, step in pairs]

    twice = {
        "never": saved(X, None),
        "once": saved(X, first),
        "before PNG": saved(saved(X, first), None),
        "before JPEG": saved(saved(X, first), second),
    }
    qualities = {name: [seen(x) for x in images] for name, images in twice.items()}
    counts = {name: sum(x is not None for x in found) for name, found in qualities.items()}
    pairs = zip(qualities["before JPEG"], first, strict=True)
    near = sum(found is not None and abs(found - quality) <= 2 for found, quality in pairs)
    return {"n": len(X), **counts, "before JPEG, within 2": int(near)}


def time_of_seeds(options):
    """Seconds in which the noise of seeds is drawn and compared with that of four suspects."""
    draw = TorchNoise((4, 64, 64))
    noise = np.concatenate([draw(options.n_seeds + k).numpy() for k in range(4)])
    _, seconds = timed(match_seeds, noise, seeds=range(options.n_seeds), draw=draw)
    return {"n": options.n_seeds, "seconds": round(seconds, 2)}


def time_of_densities(options):
    """Seconds of ten ratios of kernel densities, and one of the ratios."""
    rng, n = np.random.default_rng(0), options.n_scores
    own, reference = rng.normal(size=max(n // 10, 10)), rng.normal(3, 2, n)
    scores = np.linspace(-1, 4, 50)

    def ratios():
        for _ in range(10):
            found = KernelDensityLR().log10_lr(own, reference, scores)
        return found

    found, seconds = timed(ratios)
    return {"n": n, "seconds": round(seconds, 2), "log10_lr": float(found[25])}
