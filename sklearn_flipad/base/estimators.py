"""What scikit-learn's and PyOD's estimators need to serve as detectors.

=====================  =====================================================================
Estimator              How it is used
=====================  =====================================================================
ignores labels         fitted to the model's samples alone
classifier             fitted to the labeled samples
takes rows only        samples of more axes are flattened
``score_samples``      how normal a sample is; else ``decision_function``, else
                       ``predict_proba`` of the class +1
PyOD                   ``decision_function`` says how anomalous a sample is
=====================  =====================================================================
"""

import numpy as np
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import _num_samples

from sklearn_flipad.base.lanes import LANES
from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import as_array, shape_of

__all__ = [
    "check_detector",
    "last_step",
    "normality",
    "rows_of",
    "training_rows",
    "window_counts",
]

_METHODS = ("score_samples", "decision_function", "predict_proba")
_SUPERVISED = ("classifier", "regressor")


def check_detector(estimator):
    """Refuse an estimator that gives no scores.

    Parameters
    ----------
    estimator : estimator
        Detector or classifier, perhaps not yet fitted.

    Raises
    ------
    ValueError
        If it has none of the methods that could say how normal a sample is.
    """
    if _method(estimator) is None:
        name = type(last_step(estimator)).__name__
        hint = " Pass novelty=True to it." if name == "LocalOutlierFactor" else ""
        raise ValueError(f"{name} has none of the methods {', '.join(_METHODS)}.{hint}")


def training_rows(estimator, labels):
    """The rows that an estimator is fitted to, and the labels it is given.

    Parameters
    ----------
    estimator : estimator
        Detector or classifier.
    labels : ndarray of int, shape (n,), or None
        +1, -1 and 0; None where there are none.

    Returns
    -------
    rows : ndarray of bool, shape (n,), or slice
    labels : ndarray of int or None
    """
    last = last_step(estimator)
    if labels is None:
        return slice(None), None
    if _ignores_labels(last):
        return labels == 1, None
    if is_classifier(last) and not _is_from("sklearn_flipad", last):
        return labels != 0, labels[labels != 0]
    return slice(None), labels


def rows_of(estimator, X):
    """Samples as the estimator takes them: flattened, if it takes rows only.

    Parameters
    ----------
    estimator : estimator
        Detector or classifier. Pipelines get samples as they are.
    X : array-like, shape (n, ...)
        Samples.

    Returns
    -------
    array-like, shape (n, ...) or (n, n_features)
    """
    if is_ragged(X):
        return _checked_ragged(estimator, X)
    if len(shape_of(X)) <= 2 or isinstance(_thawed(estimator), Pipeline):
        return X
    if not _is_from("pyod", estimator) and get_tags(_thawed(estimator)).input_tags.three_d_array:
        return X
    X = as_array(X)
    return X.reshape(len(X), -1)


def _checked_ragged(estimator, X):
    """Samples that differ in size, for an estimator that takes them."""
    if not hasattr(last_step(estimator), "n_windows"):
        sizes = list(dict.fromkeys("x".join(map(str, x.shape)) for x in X))
        name = type(last_step(estimator)).__name__
        raise ValueError(
            f"The samples have {len(sizes)} shapes, such as {', '.join(sizes[:3])}, and {name} "
            "takes one. Pass windows= to the make_* function that made the attributor, or put its "
            "detector into a WindowedDetector."
        )
    return X


def window_counts(estimator, X):
    """Number of windows of each sample; None for an estimator that has no windows.

    Parameters
    ----------
    estimator : estimator
        Fitted detector.
    X : array-like, or sequence of array-like
        Samples.

    Returns
    -------
    ndarray of int, shape (n,), or None
    """
    estimator = _thawed(estimator)
    return estimator.n_windows(X) if hasattr(estimator, "n_windows") else None


def normality(estimator, X):
    """How normal a fitted estimator says that samples are.

    Parameters
    ----------
    estimator : estimator
        Fitted detector or classifier.
    X : array-like, shape (n, ...)
        Samples.

    Returns
    -------
    ndarray of float64, shape (n,)
        Larger for more normal samples.

    Raises
    ------
    ValueError
        If a score is not finite, or there is more than one for a sample.
    """
    method, name = _method(estimator), type(last_step(estimator)).__name__
    rows, n = rows_of(estimator, X), _num_samples(X)
    is_own = _is_from("sklearn_flipad", last_step(estimator))
    # Matrix products round in another way for a few odd rows; the library's own detectors know.
    if n % LANES and not is_own and isinstance(rows, np.ndarray):
        rows = np.concatenate([rows, np.repeat(rows[-1:], -n % LANES, axis=0)])
    scores = np.asarray(getattr(estimator, method)(rows), dtype=np.float64)[:n]
    if method == "predict_proba" and scores.ndim == 2:
        scores = scores[:, list(estimator.classes_).index(1)]
    if scores.ndim != 1:
        raise ValueError(
            f"{name} gives scores of shape {scores.shape}; one score for each sample is needed."
        )
    bad = ~np.isfinite(scores)
    if bad.any():
        raise ValueError(
            f"{name} gives {bad.sum()} of {len(scores)} samples a score that is NaN or infinite; "
            f"the first is sample {bad.argmax()}. Its training may have diverged, or the samples "
            "are far from all that it was fitted to."
        )
    return -scores if _is_from("pyod", last_step(estimator)) else scores


def _method(estimator):
    if _is_from("pyod", last_step(estimator)):
        return "decision_function"
    return next((name for name in _METHODS if hasattr(estimator, name)), None)


def _thawed(estimator):
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def last_step(estimator):
    """The estimator itself, or the last step of a pipeline, also if it is frozen."""
    estimator = _thawed(estimator)
    return last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def _is_from(package, estimator):
    return any(
        cls.__module__.partition(".")[0] == package for cls in type(_thawed(estimator)).__mro__
    )


def _ignores_labels(estimator):
    """Whether a detector's ``fit`` takes labels and does nothing with them."""
    if _is_from("pyod", estimator):
        return type(estimator).__name__ != "XGBOD"  # PyOD's one supervised detector
    # Others inherit from scikit-learn's base classes, and have a `fit` of their own.
    if type(estimator).fit.__module__.partition(".")[0] != "sklearn":
        return False
    # A search, for example, needs labels to score its candidates.
    wraps_another = "estimator" in estimator.get_params(deep=False)
    return get_tags(estimator).estimator_type not in _SUPERVISED and not wraps_another
