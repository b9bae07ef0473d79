"""The law of the correlation with normal noise, in logarithms."""

import numpy as np
from scipy.special import betainc, betaln

#: Below this, the incomplete beta function nears the least float.
_LEAST = 1e-280


def log_p_values(correlations, n_values):
    """Log probabilities that unit normal noise of `n_values` correlates at least so much, exact.

    The noise is independent of what it is compared with, which may be anything: its direction is
    uniform, so that the squared correlation has the beta law with parameters 1/2 and (n - 2) / 2.
    """
    r = np.clip(np.asarray(correlations, np.float64), -1, 1)
    a, b = (n_values - 2) / 2, 0.5
    with np.errstate(divide="ignore"):
        tail = 0.5 * betainc(a, b, 1 - r * r)
        plain = np.where(r > 0, np.log(tail), np.log1p(-tail))
        # A bound that exceeds the tail by a factor of at most 1 + 1 / (a r²), here below 1.002.
        bound = a * np.log1p(-r * r) - np.log(np.abs(r)) - np.log(2 * a) - betaln(a, b)
    return np.where((r > 0) & (tail < _LEAST), bound, plain)


def bonferroni(log_p, n_candidates):
    """Log p-values of the largest of so many correlations."""
    return np.minimum(log_p + np.log(n_candidates), 0.0)
