"""Checks of thresholds by the detectors that have some."""

import warnings

import numpy as np

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.calibration._strata import of_groups

__all__ = ["check_threshold", "threshold_messages"]


def check_threshold(estimator, scores, threshold):
    """Let a fitted detector check a threshold with its calibration scores, if it does so."""
    check = getattr(last_step(estimator), "check_threshold", None)
    if check is not None:
        check(scores, threshold)


def threshold_messages(calibrator):
    """Messages that ``fit`` warned of, about the thresholds of a fitted calibrator."""
    numbers = getattr(calibrator, "calibration_strata_", None)
    parts = of_groups(calibrator.calibration_scores_, numbers)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for part, threshold in zip(parts, np.atleast_1d(calibrator.threshold_), strict=True):
            check_threshold(calibrator.estimator_, part, float(threshold))
    return [warning.message.args[0] for warning in caught]
