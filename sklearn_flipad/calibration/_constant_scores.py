"""Detectors that give all samples the same score."""

import warnings

import numpy as np
from sklearn.utils import _safe_indexing

from sklearn_flipad.base.estimators import last_step, normality

__all__ = ["check_scores_differ"]

_CAUSES = (
    "Look at the features: they are constant if all values are saturated, for example with "
    "another output_range or activation than the model's. Or the detector's training collapsed: "
    "try a smaller learning rate or another seed."
)


def check_scores_differ(estimator, scores, X, foreign):
    """Raise ValueError if calibration samples and `foreign` rows of X all have the same score.

    Without foreign rows, warn: nothing tells whether others would have another score. A detector
    with ``check_threshold`` knows: distances of 0 are the best that there are.
    """
    if len(scores) < 2 or np.ptp(scores):
        return
    name = type(last_step(estimator)).__name__
    same = f"{name} gives all {len(scores)} calibration samples the same score, {scores[0]:.4g}"
    if not len(foreign):
        if hasattr(last_step(estimator), "check_threshold"):
            return
        warnings.warn(
            f"{same}. If others get that score too, every sample will be accepted. {_CAUSES}",
            UserWarning,
            stacklevel=3,
        )
    elif (normality(estimator, _safe_indexing(X, foreign)) == -scores[0]).all():
        raise ValueError(
            f"{same}, and all {len(foreign)} samples that are not the model's: it sees no "
            f"difference. {_CAUSES}"
        )
