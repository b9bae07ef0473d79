"""Conformal p-values of suspects whose content is distributed in another way."""

import numpy as np
from sklearn.utils import check_random_state

from sklearn_flipad.calibration._scores import check_probability
from sklearn_flipad.calibration._weights import masses

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
    :func:`~sklearn_flipad.calibration.conformal_p_values`.

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
    sklearn_flipad.calibration.ContentWeights : Estimates the weights.
    sklearn_flipad.calibration.weighted_evidence : Does both for an attributor.

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
    at_least, weights, total = masses(calibration_scores, scores, calibration_weights, weights)
    return (weights + at_least) / (weights + total)


def select_with_fdr_weighted(
    calibration_scores, scores, calibration_weights, weights, *, fdr=0.05, random_state=None
):
    """Suspects that the model did not make, by weighted p-values with a false discovery rate.

    Weighted p-values that share a calibration set are not positively dependent, so
    :func:`~sklearn_flipad.calibration.select_with_fdr` need not hold its rate for them. This is
    weighted conformal selection with homogeneous pruning, which does: for independent suspects, the
    expected fraction of own samples in the list is at most `fdr`, for any number of samples, given
    the true weights. Weights that are all equal select what ``select_with_fdr`` does.

    One random number decides whether the list is cut short, even to none, where it is shorter than
    its members ask for. Choose its seed before the suspects are seen.

    Parameters
    ----------
    calibration_scores, scores, calibration_weights, weights
        As in :func:`~sklearn_flipad.calibration.weighted_p_values`.
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
        As :func:`~sklearn_flipad.calibration.weighted_p_values`, or if `fdr` is not in (0, 1).

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
    at_least, weights, total = masses(calibration_scores, scores, calibration_weights, weights)
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
