"""Labels: +1 for samples of the model, -1 for others, 0 for unlabeled ones.

With several models, a label is the name of the model that made the sample.
"""

import numpy as np
from sklearn.utils.validation import column_or_1d

from sklearn_flipad.base.samples import as_array

__all__ = [
    "check_labels",
    "check_model_names",
    "check_two_classes",
    "classes_of",
    "inlier_rows",
    "own_samples",
]


def check_labels(y, n_samples):
    """Labels +1, -1 and 0, int64 of shape (n_samples,); all 0 if y is None.

    0 and 1 alone, or booleans, are the two classes as scikit-learn's meta-estimators encode them.
    """
    if y is None:
        return np.zeros(n_samples, dtype=np.int64)
    y = column_or_1d(as_array(y), warn=True)
    if len(y) != n_samples:
        raise ValueError(f"y has {len(y)} labels for {n_samples} samples in X.")
    known = np.isin(y, (-1, 0, 1))
    if not known.all():
        others = sorted({str(label) for label in y[~known]})
        hint = ""
        if others == ["2"] and np.isin(y, (0, 1)).any():
            hint = (
                " 0, 1 and 2 may be -1, 0 and +1 as a meta-estimator encodes them: leave the "
                "unlabeled samples out."
            )
        raise ValueError(
            "Unknown label type: y must hold +1 (made by the model), -1 (not) and 0 "
            f"(unlabeled), got also {', '.join(others[:5])}.{hint}"
        )
    labels = y.astype(np.int64)
    return 2 * labels - 1 if _is_encoded(y) else labels


def classes_of(y):
    """Labels of others and of the model's samples in the encoding of y, ndarray of shape (2,).

    ``[-1, 1]``, or ``[0, 1]`` or ``[False, True]`` if y holds those.
    """
    if y is not None:
        y = column_or_1d(as_array(y))
        if _is_encoded(y):
            return np.array([0, 1]).astype(y.dtype)
    return np.array([-1, 1])


def _is_encoded(y):
    """Return whether y is boolean, or holds both 0 and 1 and nothing else."""
    return y.dtype == bool or np.array_equal(np.unique(y), (0, 1))


def inlier_rows(y):
    """Indices of the samples labeled +1, or of all samples if none is labeled."""
    if (y == 1).any():
        return np.flatnonzero(y == 1)
    if (y == -1).any():
        raise ValueError("y holds one class only: no sample is labeled +1.")
    return np.arange(len(y))


def own_samples(X, y):
    """Select the samples of the model, for detectors that learn from those alone.

    Parameters
    ----------
    X : ndarray, shape (n, ...)
        Samples or features.
    y : array-like of shape (n,) or None
        +1 for the model's samples; others are not selected. None means that all are the model's.

    Returns
    -------
    ndarray, shape (n_own, ...)

    Raises
    ------
    ValueError
        If no sample is labeled +1, or labels are unknown.
    """
    if y is None:
        return X
    own = check_labels(y, len(X)) == 1
    if not own.any():
        raise ValueError(
            "y holds no sample labeled +1, of the one class that this detector learns from."
        )
    return X[own]


def check_two_classes(y):
    """Raise ValueError if some samples are labeled, but not both +1 and -1 occur."""
    n_inliers, n_outliers = int((y == 1).sum()), int((y == -1).sum())
    if (n_inliers or n_outliers) and not (n_inliers and n_outliers):
        n_unlabeled = int((y == 0).sum())
        unlabeled = f", and the {n_unlabeled} zeros count as unlabeled" if n_unlabeled else ""
        raise ValueError(
            f"y holds one class only: {n_inliers} samples are labeled +1 and {n_outliers} "
            f"are labeled -1{unlabeled}. Both are needed: add the missing class, or pass "
            "y=None for one-class training on samples of the model."
        )


def check_model_names(y, models, other):
    """Labels of shape (n,), each one of `models` or `other`."""
    y = column_or_1d(as_array(y), warn=True)
    known = {*models, other}
    unknown = [repr(label) for label in dict.fromkeys(y.tolist()) if label not in known]
    if unknown:
        raise ValueError(
            f"Unknown label type: y holds {', '.join(unknown[:5])}, the name of no model in "
            f"estimators. Label samples of all other sources {other!r}."
        )
    return y
