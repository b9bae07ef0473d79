"""Samples that were seen in a fit, which do not score as new ones do."""

import warnings

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples

from sklearn_flipad.base.estimators import rows_of
from sklearn_flipad.base.sample_lists import sample_digests

__all__ = ["check_fresh", "seen_in_fit"]

#: Nested estimators that were fitted, in the order of the attributes in which they may stand.
_INSIDE = ("best_estimator_", "estimator_", "estimators_")


def check_fresh(X, seen):
    """Raise ValueError if most samples were seen in fit; warn if a few are equal to such."""
    known = np.isin(sample_digests(X), seen)
    if not known.any():
        return
    message = (
        f"{known.sum()} of {len(known)} samples are equal to samples that the detector was fitted "
        f"to; the first is sample {known.argmax()}. Such samples do not score as new ones do, and "
        "p-values against them would be wrong. "
    )
    if 2 * known.sum() > len(known):
        raise ValueError(
            message + "Pass others, or hold out negatives: pass their name as reference= to the "
            "calibrator and fit again."
        )
    advice = "Leave them out, unless equal samples are common in this population."
    warnings.warn(message + advice, UserWarning, stacklevel=4)


def seen_in_fit(estimator, X):
    """Whether a fitted estimator is known to have been fitted to each row, bool of shape (n,).

    The library's estimators keep digests; some of scikit-learn's keep samples, such as nearest
    neighbors and support vectors. Of others nothing is known.
    """
    if isinstance(estimator, FrozenEstimator):
        return seen_in_fit(estimator.estimator, X)
    known = np.zeros(_num_samples(X), dtype=bool)
    if isinstance(estimator, Pipeline):
        *steps, (_, last) = estimator.steps
        for _, step in steps:
            if step is None or step == "passthrough":
                continue
            known |= seen_in_fit(step, X)
            X = step.transform(X)
        return known | seen_in_fit(last, X)
    if hasattr(estimator, "_seen"):
        return np.isin(sample_digests(X), estimator._seen)
    for name in _INSIDE:
        inside = getattr(estimator, name, None)
        if hasattr(inside, "fit"):
            return seen_in_fit(inside, X)
        if name == "estimators_" and type(estimator).__module__.startswith("sklearn_flipad"):
            return known | np.any([seen_in_fit(part, X) for part in inside or ()], axis=0)
    return known | _kept(estimator, X)


def _kept(estimator, X):
    """Whether each row is among the samples that an estimator keeps."""
    rows = rows_of(estimator, X)
    shape = getattr(rows, "shape", ())
    if len(shape) != 2:
        return False
    arrays = []
    for value in list(getattr(estimator, "__dict__", {}).values()):
        if hasattr(value, "get_arrays"):  # a search tree of nearest neighbors
            value = np.asarray(value.data)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            arrays += [value] if value.ndim == 2 and value.shape[1] == shape[1] else []
    if not arrays:
        return False
    return np.isin(
        sample_digests(rows), np.concatenate([sample_digests(array) for array in arrays])
    )
