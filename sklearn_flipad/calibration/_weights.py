"""Sums of weights of calibration samples."""

import numpy as np

from sklearn_flipad.calibration._scores import check_scores

__all__ = ["effective_sizes", "masses", "weighted_thresholds"]


def masses(calibration_scores, scores, calibration_weights, weights):
    """Weights of the calibration scores at least as large as each score, of suspects, of all.

    Relative to the largest calibration weight, so that equal weights are 1 and their sums exact.
    """
    calibration_scores = check_scores("calibration_scores", calibration_scores)
    scores = check_scores("scores", scores)
    calibration_weights = _check_weights(
        "calibration_weights", calibration_weights, calibration_scores
    )
    weights = _check_weights("weights", weights, scores)
    largest = calibration_weights.max()
    if not largest > 0:
        raise ValueError("calibration_weights are all zero: no calibration sample compares.")
    if not (weights > 0).all():
        raise ValueError("weights of suspects must be positive; one that is zero has no p-value.")
    # Ties by weight too, so that the sums do not depend on the order of the samples.
    order = np.lexsort((calibration_weights, calibration_scores))
    sums = np.cumsum(calibration_weights[order][::-1] / largest)[::-1]
    first = np.searchsorted(calibration_scores[order], scores, side="left")
    return np.append(sums, 0.0)[first], weights / largest, sums[0]


def effective_sizes(calibration_weights, weights):
    """Effective number of calibration samples for each suspect, shape (n_suspects,).

    The smaller one of Kish's, ``sum(v)**2 / sum(v**2)``, which says how few samples carry the
    weight, and ``sum(v) / w``, as many samples of the suspect's own weight.
    """
    largest = np.max(calibration_weights)
    v, w = np.sort(calibration_weights) / largest, weights / largest
    return np.minimum(v.sum() ** 2 / np.square(v).sum(), v.sum() / w)


def weighted_thresholds(calibration_scores, calibration_weights, weights, level):
    """Largest scores whose p-values exceed a level, shape (n_suspects,); infinite if all do."""
    values = np.unique(calibration_scores)
    found = np.full(len(weights), np.inf)
    for row, weight in enumerate(weights):
        same = np.full(len(values), weight)
        at_least, same, total = masses(calibration_scores, values, calibration_weights, same)
        # As p-values are computed, so that the two never disagree.
        if same[0] / (same[0] + total) <= level:
            found[row] = values[(same + at_least) / (same + total) > level][-1]
    return found


def _check_weights(name, weights, scores):
    weights = check_scores(name, weights)
    if len(weights) != len(scores):
        raise ValueError(
            f"{name} must be as many as the scores, {len(scores)}, got {len(weights)}."
        )
    if (weights < 0).any():
        raise ValueError(f"{name} must not be negative, got {weights.min():g}.")
    return weights
