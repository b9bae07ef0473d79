"""Checks of likelihood ratios: those that samples support, and those of several suspects."""

import warnings

import numpy as np

__all__ = ["check_ratios", "warn_of_joint"]


def warn_of_joint(scores):
    """Warn that scores are taken to be independent, and of equal ones, which are not."""
    if len(scores) == 1:
        return
    n_equal = len(scores) - len(np.unique(scores))
    equal = f" {n_equal} of them are equal to others: leave copies out." if n_equal else ""
    warnings.warn(
        f"The ratio of {len(scores)} suspects is the product of theirs, which holds if they come "
        "from one source and are independent draws of it. Frames of a clip, versions of a file "
        f"and samples of one prompt are not.{equal}",
        UserWarning,
        stacklevel=3,
    )


def check_ratios(calibrator, reference_scores):
    """Raise ValueError if the system of a calibrator cannot be fitted; warn if it says nothing."""
    system = getattr(calibrator, "lr_", None)
    if system is None:
        return
    if reference_scores is None:
        warnings.warn(
            "lr asks for likelihood ratios, and there is no reference population to compare the "
            "model with, so that there are none. Pass reference=, the name of the negatives, or "
            "call calibrate_reference.",
            UserWarning,
            stacklevel=3,
        )
        return
    own = calibrator.calibration_scores_
    low, high = system.weigh(own, reference_scores, own[:1]).bounds
    if low == high == 0:
        warnings.warn(
            f"The likelihood ratios of all suspects will be 1: {len(own)} own samples and "
            f"{len(reference_scores)} of the reference population are too few, or score too much "
            "alike, to support any other.",
            UserWarning,
            stacklevel=3,
        )
