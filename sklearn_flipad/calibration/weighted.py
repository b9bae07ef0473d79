"""Conformal p-values of suspects whose content is distributed in another way."""

import numpy as np
from sklearn.utils import check_random_state

from sklearn_flipad.calibration._scores import check_probability, check_scores

__all__ = ["select_with_fdr_weighted", "weighted_p_values"]


def weighted_p_values(calibration_scores, scores, calibration_weights, weights):
    """Weighted share of calibration scores at least as large, the suspect counted in.

    ``(w + sum(v[c >= s])) / (w + sum(v))`` for a suspect of score s and weight w, and calibration
    samples of scores c and weights v. The weights are values of a likelihood ratio, up to a common
    factor: how much more probable a sample's content is among suspects than among calibration
    samples. If calibration samples and suspects are independent, and a suspect's score is
    distributed given its content as those of the calibration samples, such a p-value is at most a
    with probability at most a, for any number of samples. That holds for the true ratio; with an
    estimated one it holds approximately. Weights that are all equal give the p-values of
    :func:`conformal_p_values`.

    No p-value is below ``w / (w + sum(v))``: a suspect whose content hardly occurs in the
    calibration set has a large weight, and cannot be rejected.

    Parameters
    ----------
    calibration_scores : array-like of shape (n,)
        Anomaly scores of the model's samples, on which the detector was not fitted.
    scores : array-like of shape (n_suspects,)
        Anomaly scores of the suspects.
    calibration_weights : array-like of shape (n,)
        Weights of the calibration samples, not negative and not all zero.
    weights : array-like of shape (n_suspects,)
        Weights of the suspects, positive.

    Returns
    -------
    ndarray of float64, shape (n_suspects,)
        In (0, 1].

    Raises
    ------
    ValueError
        If there are no scores of either kind, one is not finite, or weights are not valid.

    See Also
    --------
    ContentWeights : Estimates the weights.
    weighted_evidence : Does both for an attributor.

    References
    ----------
    Tibshirani, Foygel Barber, Candès and Ramdas, "Conformal prediction under covariate shift",
    NeurIPS 2019.

    Examples
    --------
    >>> from sklearn_flipad.calibration import weighted_p_values
    >>> weighted_p_values([1.0, 2.0, 3.0], [2.5, 4.0], [1.0, 1.0, 3.0], [1.0, 2.0])
    array([0.66666667, 0.28571429])
    """
    at_least, weights, total = _masses(calibration_scores, scores, calibration_weights, weights)
    return (weights + at_least) / (weights + total)


def select_with_fdr_weighted(
    calibration_scores, scores, calibration_weights, weights, *, fdr=0.05, random_state=None
):
    """Suspects that the model did not make, by weighted p-values with a false discovery rate.

    Weighted p-values that share a calibration set are not positively dependent, so
    :func:`select_with_fdr` need not hold its rate for them. This is weighted conformal selection
    with homogeneous pruning, which does: for independent suspects, the expected fraction of own
    samples in the list is at most `fdr`, for any number of samples, given the true weights. Weights
    that are all equal select what :func:`select_with_fdr` does.

    The list may be cut short, or be empty, by one random number, most often a small fraction of
    the time. Choose its seed before the suspects are seen.

    Parameters
    ----------
    calibration_scores, scores, calibration_weights, weights
        As in :func:`weighted_p_values`.
    fdr : float, default=0.05
        False discovery rate, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Seed of the random number.

    Returns
    -------
    ndarray of bool, shape (n_suspects,)
        Whether each suspect is in the list.

    Raises
    ------
    ValueError
        As :func:`weighted_p_values`, or if `fdr` is not in (0, 1).

    References
    ----------
    Jin and Candès, "Model-free selective inference under covariate shift via weighted conformal
    p-values", arXiv:2307.09291, 2023.

    Examples
    --------
    >>> from sklearn_flipad.calibration import select_with_fdr_weighted
    >>> select_with_fdr_weighted(range(99), [50.0, 100.0, 200.0], [1.0] * 99, [1.0, 2.0, 1.0])
    array([False,  True,  True])
    """
    check_probability("fdr", fdr)
    at_least, weights, total = _masses(calibration_scores, scores, calibration_weights, weights)
    scores, n = np.asarray(scores, dtype=np.float64), len(weights)
    p_values = (weights + at_least) / (weights + total)
    numbers = np.arange(1, n + 1)
    sizes = np.empty(n, dtype=int)
    for j in range(n):
        # The p-values of the others if suspect j were one more calibration sample: they do not
        # change if it changes places with one of these, and so are independent of its rank.
        others = (at_least + weights[j] * (scores[j] >= scores)) / (weights[j] + total)
        others[j] = 0
        (rejected,) = np.nonzero(np.sort(others) * (n / numbers) <= fdr)  # Benjamini-Hochberg
        sizes[j] = rejected[-1] + 1
    candidates = p_values * (n / sizes) <= fdr
    # Keep the largest number of candidates that are as many as each of them asks for, where the
    # random number lowers what all of them ask for.
    asked = sizes * (1 - check_random_state(random_state).random_sample())
    kept = np.searchsorted(np.sort(asked[candidates]), numbers, side="right") >= numbers
    return candidates & (asked <= numbers[kept].max(initial=0))


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
    above = np.append(values, np.nextafter(values[-1], np.inf))
    found = np.full(len(weights), np.inf)
    for row, weight in enumerate(weights):
        p_values = weighted_p_values(
            calibration_scores, above, calibration_weights, np.full(len(above), weight)
        )
        if p_values[-1] <= level:
            found[row] = values[p_values[:-1] > level][-1]
    return found


def _masses(calibration_scores, scores, calibration_weights, weights):
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


def _check_weights(name, weights, scores):
    weights = check_scores(name, weights)
    if len(weights) != len(scores):
        raise ValueError(
            f"{name} must be as many as the scores, {len(scores)}, got {len(weights)}."
        )
    if (weights < 0).any():
        raise ValueError(f"{name} must not be negative, got {weights.min():g}.")
    return weights
