"""Checks of samples and labels that all estimators share."""

from math import inf, prod

import numpy as np
from sklearn.utils.validation import check_array, column_or_1d, validate_data

__all__ = ["check_labels", "check_samples", "check_two_classes", "own_samples", "shape_of"]

#: The first is what other types become.
_DTYPES = (np.float64, np.float32, np.uint8)


def check_samples(estimator, X, *, reset, sample_shape=None, value_range=None):
    """Validate samples and record or compare their number of features.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_``, the number of elements of one sample, and, for data
        frames, ``feature_names_in_``.
    X : array-like, shape (n, *sample_shape) or (n, n_features)
        Samples.
    reset : bool
        Whether to record the number of features, as in fit, or to compare with it.
    sample_shape : tuple of int, default=None
        The shape that one sample must have; any if None.
    value_range : pair of float, default=None
        Smallest and largest value that floats may have; any if None.

    Returns
    -------
    ndarray of uint8, float32 or float64
        X in its own shape. Other integers and smaller floats become float.

    Raises
    ------
    ValueError
        If X is empty, holds NaN or infinity, is out of range or has another shape.
    """
    given = X
    X = check_array(
        X,
        allow_nd=len(shape_of(X)) > 2,
        dtype=_DTYPES,
        ensure_all_finite=False,
        estimator=estimator,
        input_name="X",
    )
    if not reset:
        _check_n_features(estimator, given, X, reset=False)
    if sample_shape is not None and X.shape[1:] not in (sample_shape, (prod(sample_shape),)):
        raise ValueError(
            f"X must have shape (n, {', '.join(map(str, sample_shape))}) or "
            f"(n, {prod(sample_shape)}), got {X.shape}."
        )
    _check_finite(X)
    if value_range is not None and X.dtype != np.uint8:
        _check_range(X, *value_range)
    if reset:  # at the end: what is refused leaves no trace
        _check_n_features(estimator, given, X, reset=True)
    return X


def shape_of(X):
    """The shape of an array, data frame or nested sequence."""
    return tuple(X.shape if hasattr(X, "shape") else np.asarray(X).shape)


def _check_n_features(estimator, given, X, reset):
    n_features = prod(X.shape[1:])
    if X.ndim <= 2:
        validate_data(estimator, given, reset=reset, skip_check_array=True)
    elif reset:
        estimator.n_features_in_ = n_features
    elif getattr(estimator, "n_features_in_", n_features) != n_features:
        raise ValueError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )


def _check_finite(X):
    if X.dtype == np.uint8 or np.isfinite(X.sum(dtype=np.float64)):
        return
    bad = ~np.isfinite(X).reshape(len(X), -1).all(axis=1)
    if bad.any():
        raise ValueError(
            f"Input X contains NaN or infinity: {bad.sum()} of {len(X)} samples, the first "
            f"is sample {bad.argmax()}. Remove them or repair their values."
        )


def _check_range(X, low, high):
    """Refuse floats outside the range of a layer's output.

    Parameters
    ----------
    X : ndarray of float, shape (n, ...)
        Samples.
    low, high : float
        The range, possibly infinite.

    Raises
    ------
    ValueError
        If a value is outside; the message names the first such sample.
    """
    if low == -inf and high == inf:
        return
    flat = X.reshape(len(X), -1)
    bad = (flat.min(axis=1) < low) | (flat.max(axis=1) > high)
    if bad.any():
        first = int(bad.argmax())
        raise ValueError(
            f"{bad.sum()} of {len(X)} samples have values outside the range "
            f"[{low:g}, {high:g}]; the first is sample {first}, with values "
            f"from {flat[first].min():g} to {flat[first].max():g}. Pass grey levels as uint8, "
            "or rescale the samples to the range."
        )


def check_labels(y, n_samples):
    """Validate attribution labels.

    Parameters
    ----------
    y : array-like of shape (n,) or None
        +1 for the model's own samples, -1 for others, 0 for unlabelled ones. None means
        that all are unlabelled.
    n_samples : int
        How many there must be.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If y has another length or holds other labels.
    """
    if y is None:
        return np.zeros(n_samples, dtype=np.int64)
    y = column_or_1d(y, warn=True)
    if len(y) != n_samples:
        raise ValueError(f"y has {len(y)} labels for {n_samples} samples in X.")
    known = np.isin(y, (-1, 0, 1))
    if not known.all():
        others = sorted({str(label) for label in y[~known]})[:5]
        raise ValueError(
            "Unknown label type: y must hold +1 (made by the model), -1 (not) and 0 "
            f"(unlabelled), got also {', '.join(others)}."
        )
    return y.astype(np.int64)


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
        raise ValueError("y holds no sample labelled +1, of the one class of the model.")
    return X[own]


def check_two_classes(y):
    """Refuse labelled data of one class only.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Labels +1, -1 and 0.

    Raises
    ------
    ValueError
        If samples are labelled, but not both +1 and -1 occur.
    """
    n_inliers, n_outliers = int((y == 1).sum()), int((y == -1).sum())
    if (n_inliers or n_outliers) and not (n_inliers and n_outliers):
        raise ValueError(
            f"y holds one class only: {n_inliers} samples are labelled +1 and {n_outliers} "
            "are labelled -1, and both are needed. Add the missing class, or pass y=None for "
            "one-class training on samples of the model."
        )
