"""Which request made an image of a GAN: its latents by reproduction, and their seed among many.

Images are those of a shipped GAN in 8 bits, made of the latents that torch draws of a seed. Latents
are found by the search from a trained encoder's guess, and compared with those of all candidates.
"""

import numpy as np

from benchmarks.machine import timed
from benchmarks.options import Option
from sklearn_flipad import LatentEncoder, ReproductionDetector, SeedDetector
from sklearn_flipad.reproduction import SeedCandidates, SeedSearch
from sklearn_flipad.zoo import load_pretrained

KEYS = ("model",)
OPTIONS = (
    Option("models", ("fashion/dcgan-0",), ("fashion/dcgan-0",), "shipped GANs", selects=True),
    Option("n", 1000, 4, "images of each"),
    Option("n_seeds", 10_000_000, 500, "candidates"),
    Option("n_steps", 1000, 3, "steps of the encoder's training"),
)
#: Largest p-value of a seed that counts as found.
LEVEL = 1e-6


def run(options, results):
    """Find the seeds of images of each model."""
    for name in options.models:
        if results.has(name):
            continue
        generator = load_pretrained(name)
        encoder = LatentEncoder(max_steps=options.n_steps, random_state=0).fit(generator)
        candidates = SeedCandidates.of_each(range(options.n_seeds))
        X = SeedDetector(generator, seeds=candidates, encoder=encoder).sample(options.n)
        drawn = candidates.drawn(options.n, np.random.RandomState(0))  # as sample does
        seeds = np.array([seed for seed, _ in drawn])
        detector = ReproductionDetector(generator, encoder=encoder, verbose=1)
        found, seconds = timed(SeedSearch(detector, candidates, verbose=1).search, X)
        significant, right = found.log_p_values <= np.log(LEVEL), found.seeds == seeds
        correlations = found.matches.correlations[:, 0]
        results.add(
            {
                "model": name,
                "n": options.n,
                "n_seeds": options.n_seeds,
                "reproduced": int(found.inversion.reproduced.sum()),
                "found": int((significant & right).sum()),
                "wrong": int((significant & ~right).sum()),
                "identical": int(found.identical.sum()),
                "correlation": round(float(np.median(correlations)), 6),
                "least_correlation": round(float(correlations.min()), 6),
                "largest_log10_p": round(float(found.log_p_values.max() / np.log(10)), 1),
                "seconds": round(seconds, 1),
            }
        )
