"""Warnings about suspects that are weighed together."""

import warnings

import numpy as np

__all__ = ["warn_of_joint"]


def warn_of_joint(scores):
    """Warn that scores are taken to be independent, and of equal ones, which are not."""
    n_equal = len(scores) - len(np.unique(scores))
    equal = f" {n_equal} of them are equal to others: leave copies out." if n_equal else ""
    warnings.warn(
        f"The ratio of {len(scores)} suspects is the product of theirs, which holds if they come "
        "from one source and are independent draws of it. Frames of a clip, versions of a file "
        f"and samples of one prompt are not.{equal}",
        UserWarning,
        stacklevel=3,
    )
