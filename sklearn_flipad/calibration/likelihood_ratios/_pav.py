"""Pooling of adjacent violators."""

import numpy as np
from sklearn.isotonic import isotonic_regression

__all__ = ["pav_log10_lr"]


def pav_log10_lr(is_own, values):
    """Ascending different values, and the monotone log10 ratios of samples that have them.

    Both kinds have the same weight in total; the ratios are infinite where one kind is alone.
    """
    values, where = np.unique(values, return_inverse=True)
    n_own = np.bincount(where, weights=is_own)
    n_all = np.bincount(where)
    own, reference = n_own / n_own.sum(), (n_all - n_own) / (n_all - n_own).sum()
    share = isotonic_regression(own / (own + reference), sample_weight=own + reference)
    with np.errstate(divide="ignore"):
        return values, np.log10(share) - np.log10(np.maximum(1 - share, 0))
