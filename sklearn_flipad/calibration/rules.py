"""Threshold rules: from the anomaly scores of inliers to a threshold.

Each takes the scores of n inliers that the detector was not fitted on, and returns the
largest anomaly score that still counts as an inlier.
"""

from math import ceil, log

import numpy as np
from scipy import stats

__all__ = [
    "conformal_threshold",
    "min_calibration_size",
    "pac_threshold",
    "quantile_threshold",
]


def quantile_threshold(scores, fnr):
    """The interpolated (1 - fnr)-quantile of the scores, the paper's rule.

    Its true false-negative rate exceeds `fnr` when there are few scores: on average it
    is about 0.6 % with 1,000 scores and 1.5 % with 100 for a nominal 0.5 %.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Anomaly scores of held-out inliers.
    fnr : float
        False-negative rate, in (0, 1).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `scores` is empty or not finite, or `fnr` is not in (0, 1).

    References
    ----------
    Appendix G.1 of Laszkiewicz et al., ICML 2024.
    """
    return float(np.quantile(_checked(scores, fnr), 1 - fnr))


def conformal_threshold(scores, fnr):
    """The ceil((n + 1)(1 - fnr))-th smallest score.

    The false-negative rate of a new inlier, exchangeable with the n calibration ones, is
    at most `fnr` on average over calibration sets, for any n and any distribution.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Anomaly scores of held-out inliers.
    fnr : float
        False-negative rate, in (0, 1).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `scores` is not finite, `fnr` is not in (0, 1), or there are fewer than
        ``1 / fnr - 1`` scores.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005.
    """
    scores = _checked(scores, fnr)
    _check_size(len(scores), min_calibration_size("conformal", fnr), fnr)
    # Rounding guards against (n + 1)(1 - fnr) landing a bit above a whole number.
    rank = ceil(round((len(scores) + 1) * (1 - fnr), 9))
    return float(np.sort(scores)[rank - 1])


def pac_threshold(scores, fnr, confidence=0.95):
    """The smallest order statistic that holds with a confidence.

    With probability `confidence` over calibration sets, the false-negative rate on new
    inliers is at most `fnr`, for any distribution.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Anomaly scores of held-out inliers.
    fnr : float
        False-negative rate, in (0, 1).
    confidence : float, default=0.95
        Confidence, in (0, 1).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `scores` is not finite, `fnr` or `confidence` is not in (0, 1), or there are
        fewer than ``log(1 - confidence) / log(1 - fnr)`` scores.

    References
    ----------
    Wilks, "Determination of Sample Sizes for Setting Tolerance Limits", Annals of
    Mathematical Statistics 1941.
    """
    scores = _checked(scores, fnr)
    n = len(scores)
    _check_size(n, min_calibration_size("pac", fnr, confidence), fnr, confidence)
    # With the threshold at rank r, n - r scores lie above it. The true rate exceeds fnr
    # with probability P(Binomial(n, fnr) <= n - r).
    n_above = int(stats.binom.ppf(1 - confidence, n, fnr))
    if stats.binom.cdf(n_above, n, fnr) > 1 - confidence:
        n_above -= 1
    return float(np.sort(scores)[n - n_above - 1])


def min_calibration_size(method, fnr, confidence=0.95):
    """How many held-out inliers a rule needs.

    Parameters
    ----------
    method : {"quantile", "conformal", "pac"}
        The rule.
    fnr : float
        False-negative rate, in (0, 1).
    confidence : float, default=0.95
        Confidence of ``"pac"``, in (0, 1).

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If `method` is unknown, or `fnr` or `confidence` is not in (0, 1).
    """
    _check_probability("fnr", fnr)
    _check_probability("confidence", confidence)
    if method == "quantile":
        return 1
    if method == "conformal":
        return ceil(round(1 / fnr - 1, 9))
    if method == "pac":
        return ceil(round(log(1 - confidence) / log(1 - fnr), 9))
    raise ValueError(f"method must be 'quantile', 'conformal' or 'pac', got {method!r}.")


def _checked(scores, fnr):
    _check_probability("fnr", fnr)
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise ValueError(
            f"scores must be a non-empty vector of finite numbers, got shape {scores.shape}."
        )
    return scores


def _check_probability(name, value):
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value}.")


def _check_size(n, needed, fnr, confidence=None):
    if n < needed:
        rate = f"fnr={fnr:g}" + (f" with confidence={confidence:g}" if confidence else "")
        raise ValueError(
            f"{rate} needs at least {needed} held-out inliers, got {n}. Provide more inliers, "
            "hold out more of them, or ask for a larger fnr."
        )
