"""Outcomes of a search of latents for own samples, and for those of copies and of others."""

from collections import Counter

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.attribution import processed
from benchmarks.attributors import reproduction_detector, trained_encoder
from benchmarks.data.generators import PUBLIC, generator_by_name
from benchmarks.machine import timed
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction.search.records import REJECTED, REPRODUCED

__all__ = ["measure", "measure_guess"]

#: Training steps of an encoder whose guesses are poor, so that starts fail.
_FEW_STEPS = 20


def measure(options, *, processing, owner="fashion/dcgan-0", sources=None):
    """The search of samples that were processed, which are those of all sources by default."""
    step = processed.PERTURBATIONS[processing]
    generator, told = generator_by_name(owner, options.work), processed.unknown(step)
    encoder = processed.encoder_of(owner, generator, told, options)
    detector = reproduction_detector(
        generator, encoder, quick=options.quick, processing=told, n_calibration=0
    )
    tests = processed.sources(owner, generator, options)
    tests = {name: step.fit_transform(tests[name]) for name in sources or tests}
    return outcomes(detector, tests)


def measure_guess(options, *, owner, **params):
    """The search of unprocessed samples from poor guesses, after it learned from own ones."""
    generator = generator_by_name(owner, options.work)
    steps = min(_FEW_STEPS, options.max_steps)
    encoder, _ = trained_encoder(generator, owner, options.work, steps)
    detector = reproduction_detector(generator, encoder, quick=options.quick, **params)
    detector.fit(sample(generator, 256, random_state=1))
    # More of the own samples, of which few are hard to reproduce.
    tests = {"own": sample(generator, 4 * options.n_suspects, random_state=2)}
    if owner != PUBLIC:
        tests = {**processed.sources(owner, generator, options), **tests}
    return outcomes(detector, tests)


def outcomes(detector, tests):
    """Outcomes, distances and trials of the search of each source's samples, own ones first."""
    row, own = {}, None
    for source, X in tests.items():
        found, seconds = timed(detector.reconstruct, X)
        own = found.distances if source == "own" else own
        counts = Counter(found.outcomes.tolist())
        row[source] = {
            "n": len(X),
            **{outcome: counts[outcome] for outcome in (REPRODUCED, REJECTED)},
            "nearest": round(float(found.distances.min()), 3),
            "farthest": round(float(found.distances.max()), 3),
            "area": round(roc_auc_score(*_labeled(own, found.distances)), 4),
            "trials": round(float(found.n_iter.mean()), 1),
            "ms": round(1e3 * seconds / len(X), 1),
        }
    return row


def _labeled(own, others):
    return np.repeat([0, 1], [len(own), len(others)]), np.concatenate([own, others])
