"""Checks of the columns of a table that do not depend on how it is encoded."""

from math import lgamma, log

import numpy as np

__all__ = ["LARGEST_INTEGER", "LEAST_CHANCE", "is_numbering", "is_too_large"]

#: Larger integers are not all float64 numbers.
LARGEST_INTEGER = 2**53
#: What is more likely than this by chance is taken for chance.
LEAST_CHANCE = 1e-3


def is_too_large(integers):
    """Whether integers, a pandas Series or ndarray, hold some that float64 cannot tell apart."""
    return len(integers) > 0 and (
        integers.max() > LARGEST_INTEGER or integers.min() < -LARGEST_INTEGER
    )


def is_numbering(values):
    """Whether values, shape (n,), name the rows, as running numbers and distinct texts do.

    Numbers do if they are all of an evenly spaced sequence, each once, in any order; or if they are
    whole, each once, and sorted as the rows are. Texts do if each occurs once. Few rows may be so
    by chance.
    """
    values = np.asarray(values)
    n = len(values)
    if n < 2 or len(set(values.tolist())) < n:
        return False
    # n draws of n values are all different, and n draws are in order, with these probabilities.
    all_once, in_order = lgamma(n + 1) - n * log(n), log(2) - lgamma(n + 1)
    if values.dtype.kind not in "fiu":
        return all_once < log(LEAST_CHANCE)
    steps = np.diff(values.astype(np.float64))
    is_sorted = (steps > 0).all() or (steps < 0).all()
    if is_sorted and in_order < log(LEAST_CHANCE) and (values == np.rint(values)).all():
        return True
    steps = np.diff(np.sort(values.astype(np.float64)))
    rounding = 8 * np.finfo(np.float64).eps * np.abs(values).max()
    return bool(all_once < log(LEAST_CHANCE) and np.ptp(steps) <= rounding)
