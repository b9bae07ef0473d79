"""Distances of thumbnails: between different samples, and between samples and copies of them.

The tolerance of near-duplicates lies between the two. Copies of images are
compressed as JPEG, made brighter, or have noise; those of sounds are quieter or have noise.
"""

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad.calibration import _near_duplicates as found
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation.perturbations import GaussianNoise, JPEGCompression
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

OWNERS = ("fashion/dcgan-0", "fashion/ebgan-0", "fashion/lsgan-0", "fashion/wgan-gp-0")
SOURCES = ("real", *OWNERS, "sounds")
KEYS = ("source", "pair")
OPTIONS = (
    selection("sources", SOURCES, small=("real",)),
    Option("n_samples", 4000, 40, "of each source; 2,000 real ones"),
    Option("n_copied", 500, 8, "of these, of each kind of copy"),
)


def copies(X):
    """Copies of samples, by their names."""
    if X.ndim == 3:
        rng = np.random.default_rng(1)
        noise = 0.01 * X.std() * rng.normal(size=X.shape)
        return {"quieter": 0.9 * X, "noise of 1 %": X + noise}
    steps = {f"JPEG {quality}": JPEGCompression(quality) for quality in (50, 75, 90)}
    steps["noise 0.02"] = GaussianNoise(0.02, random_state=1)
    brighter = np.minimum(X.astype(int) + 8, 255).astype(np.uint8)
    return {"brighter": brighter} | {name: s.fit_transform(X) for name, s in steps.items()}


def samples_of(source, n):
    """Different samples of a source; sounds are filtered noise."""
    if source == "real":
        return load_fashion_sample()[:n]
    if source == "sounds":
        noise = np.random.default_rng(0).normal(size=(n, 1, 2048))
        return np.fft.irfft(np.fft.rfft(noise) / (1 + np.arange(1025)) ** 0.5)
    return sample(load_pretrained(source), n, random_state=0)


def run(options, results):
    """Measure the nearest other sample, and copies, of each source."""
    for source in options.sources:
        if results.has(source, "nearest other sample"):
            continue
        X = samples_of(source, options.n_samples)
        of_X, _ = found.directions(found.thumbnails_of(X))
        (distances, _), seconds = timed(cKDTree(of_X).query, of_X, k=2)
        results.add(row(source, "nearest other sample", distances[:, 1], round(seconds, 2)))
        for name, copied in copies(X[: options.n_copied]).items():
            of_copies, _ = found.directions(found.thumbnails_of(copied))
            distances = np.linalg.norm(of_X[: options.n_copied] - of_copies, axis=1)
            results.add(row(source, name, distances))


def row(source, pair, distances, seconds=None):
    """Quantiles of distances, and the part within the tolerance."""
    return {
        "source": source,
        "pair": pair,
        "n": len(distances),
        "smallest": round(float(distances.min()), 4),
        "median": round(float(np.median(distances)), 4),
        "largest": round(float(distances.max()), 4),
        "within": round(float((distances <= found._TOLERANCE).mean()), 4),
        "seconds": seconds,
    }
