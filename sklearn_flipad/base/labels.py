"""What a label is: +1 for samples of the model, -1 for others, 0 for unlabeled ones.

Of several models, the name of the one that made the sample.
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
    """Validate attribution labels.

    Parameters
    ----------
    y : array-like of shape (n,) or None
        +1 for the model's own samples, -1 for others, 0 for unlabeled ones. None means
        that all are unlabeled. 1 and 0 alone are the two classes as scikit-learn's
        meta-estimators encode them, and so are True and False.
    n_samples : int
        How many there must be.

    Returns
    -------
    ndarray of int64, shape (n,)
        Of +1, -1 and 0.

    Raises
    ------
    ValueError
        If y has another length or holds other labels.
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
    """The labels that stand for other samples and for the model's own.

    Parameters
    ----------
    y : array-like of shape (n,) or None
        Labels.

    Returns
    -------
    ndarray, shape (2,)
        ``[-1, 1]``, or ``[0, 1]`` or ``[False, True]`` where y has those.
    """
    if y is not None:
        y = column_or_1d(as_array(y))
        if _is_encoded(y):
            return np.array([0, 1]).astype(y.dtype)
    return np.array([-1, 1])


def _is_encoded(y):
    """Whether y holds both 0 and 1 and nothing else, or booleans."""
    return y.dtype == bool or np.array_equal(np.unique(y), (0, 1))


def inlier_rows(y):
    """The rows that statistics of the inliers are taken over.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Labels +1, -1 and 0.

    Returns
    -------
    ndarray of int
        Rows labeled +1; all rows, where none is labeled.

    Raises
    ------
    ValueError
        If rows are labeled -1, but none +1.
    """
    if (y == 1).any():
        return np.flatnonzero(y == 1)
    if (y == -1).any():
        raise ValueError("y holds one class only: no sample is labeled +1.")
    return np.arange(len(y))


def own_samples(X, y):
    """The samples of the model, for detectors that learn from them alone.

    Parameters
    ----------
    X : ndarray, shape (n, ...)
        Samples.
    y : array-like of shape (n,) or None
        Labels; None means that all are the model's.

    Returns
    -------
    ndarray, shape (n_own, ...)

    Raises
    ------
    ValueError
        If y is not valid or holds no +1.
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
    """Refuse labeled data of one class only.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Labels +1, -1 and 0.

    Raises
    ------
    ValueError
        If samples are labeled, but not both +1 and -1 occur.
    """
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
    """Validate labels that name the model of each sample.

    Parameters
    ----------
    y : array-like of str, shape (n,)
        Labels.
    models : list of str
        Names of the models.
    other : str
        Label of samples of all other sources.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ValueError
        If y has another shape, or a label that is none of these.
    """
    y = column_or_1d(as_array(y), warn=True)
    known = {*models, other}
    unknown = [repr(label) for label in dict.fromkeys(y.tolist()) if label not in known]
    if unknown:
        raise ValueError(
            f"Unknown label type: y holds {', '.join(unknown[:5])}, the name of no model in "
            f"estimators. Label samples of all other sources {other!r}."
        )
    return y
