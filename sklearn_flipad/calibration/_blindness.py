"""Detectors that see no difference between samples."""

import warnings

import numpy as np
from sklearn.utils import _safe_indexing

from sklearn_flipad.base.estimators import last_step, normality

__all__ = ["check_sight"]

_CAUSES = (
    "Look at the features: they are constant where all values are saturated, for example under "
    "another output_range or activation than the model's. Or the detector's training collapsed: "
    "a smaller learning rate or another seed helps."
)


def check_sight(estimator, scores, X, foreign):
    """Refuse a detector that gives one score to all samples.

    Parameters
    ----------
    estimator : estimator
        Fitted detector.
    scores : ndarray, shape (n,)
        Anomaly scores of the model's samples that calibrate.
    X : array-like, shape (n_samples, ...)
        All samples.
    foreign : ndarray of int
        Rows of those that are not the model's, perhaps none.

    Raises
    ------
    ValueError
        If the foreign samples have that score too.

    Warns
    -----
    UserWarning
        If there are none, and nothing says whether others would have another score.
    """
    if len(scores) < 2 or np.ptp(scores):
        return
    name = type(last_step(estimator)).__name__
    same = f"{name} gives all {len(scores)} calibration samples the same score, {scores[0]:.4g}"
    if not len(foreign):
        warnings.warn(
            f"{same}. If it gives it to others too, every sample will be accepted. {_CAUSES}",
            UserWarning,
            stacklevel=3,
        )
    elif (normality(estimator, _safe_indexing(X, foreign)) == -scores[0]).all():
        raise ValueError(
            f"{same}, and all {len(foreign)} samples that are not the model's: it sees no "
            f"difference. {_CAUSES}"
        )
