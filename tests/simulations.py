"""Simulated scores, and what their error rates may be."""

import numpy as np
from scipy import stats

from sklearn_flipad.evaluation import clopper_pearson

N_RUNS = 1000
#: Scores by quantile, so that populations can be shifted: continuous, with ties, discrete.
SCORES = {
    "continuous": lambda u: stats.norm.ppf(u),
    "ties": lambda u: np.round(stats.expon.ppf(u), 1),
    "discrete": lambda u: stats.binom.ppf(u, 3, 0.4),
}


def draw(rng, kind, *shape, shift=0.0):
    """Scores of the model's samples; with a shift, of more (+) or less (-) anomalous ones."""
    return SCORES[kind](stats.norm.cdf(rng.normal(shift, 1, size=shape)))


def p_values(calibration, scores):
    """Conformal p-values of many runs at once, along the last axis."""
    counts = (calibration[:, None, :] >= scores[:, :, None]).sum(axis=2)
    return (1 + counts) / (calibration.shape[1] + 1)


def without_one(calibration, scores):
    """Broken: the suspect is not counted in."""
    return (calibration[:, None, :] >= scores[:, :, None]).mean(axis=2)


def ties_for_rejection(calibration, scores):
    """Broken: ties count as less anomalous."""
    counts = (calibration[:, None, :] > scores[:, :, None]).sum(axis=2)
    return (1 + counts) / (calibration.shape[1] + 1)


def halved(calibration, scores):
    """Broken: two-sided evidence from the smaller side alone."""
    return np.minimum(p_values(calibration, scores), p_values(-calibration, -scores))


BROKEN = [(without_one, "continuous"), (ties_for_rejection, "discrete"), (halved, "continuous")]


def keeps_level(rejected, level):
    """Whether a number of rejections in independent runs is explained by the level."""
    return clopper_pearson(int(rejected.sum()), len(rejected), 1 - 1e-5).low <= level
