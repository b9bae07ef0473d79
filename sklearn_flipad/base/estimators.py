"""Estimators of scikit-learn and PyOD as detectors.

=====================  =====================================================================
Estimator              Use
=====================  =====================================================================
ignores labels         fitted to the model's samples only
classifier             fitted to the labeled samples
takes only rows        samples with more axes are flattened
has ``score_samples``  larger scores are more normal; else ``decision_function``, else
                       ``predict_proba`` of class +1
from PyOD              ``decision_function`` is larger for more anomalous samples
=====================  =====================================================================
"""

import numpy as np
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import _check_method_params, _num_samples

from sklearn_flipad.base.lanes import LANES
from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import as_array, shape_of

__all__ = [
    "adopt_features",
    "as_taken",
    "check_detector",
    "check_takes_sizes",
    "detector_of",
    "detector_parameters",
    "last_step",
    "metadata_of",
    "normality",
    "router_to_detector",
    "rows_of",
    "step_parameters",
    "takes_lists",
    "takes_sizes",
    "training_rows",
    "window_counts",
]

_METHODS = ("score_samples", "decision_function", "predict_proba")
_SUPERVISED = ("classifier", "regressor")


def check_detector(estimator):
    """Raise ValueError if an estimator has no method that scores samples."""
    if _method(estimator) is None:
        name = type(last_step(estimator)).__name__
        hint = " Pass novelty=True to it." if name == "LocalOutlierFactor" else ""
        raise ValueError(f"{name} has none of the methods {', '.join(_METHODS)}.{hint}")


def training_rows(estimator, labels):
    """Rows that an estimator is fitted to, a mask or slice, and the labels it gets, or None."""
    last = last_step(estimator)
    if labels is None:
        return slice(None), None
    if _ignores_labels(last):
        return labels == 1, None
    if is_classifier(last) and not _is_from("sklearn_flipad", last):
        return labels != 0, labels[labels != 0]
    return slice(None), labels


def rows_of(estimator, X):
    """Samples of shape (n, n_features) for estimators that take only rows, else unchanged.

    A pipeline gets samples as they are: its first step may need their shape.
    """
    if is_ragged(X):
        check_takes_sizes(estimator, X)
        return X
    if len(shape_of(X)) <= 2 or isinstance(_thawed(estimator), Pipeline):
        return X
    if not _is_from("pyod", estimator) and get_tags(_thawed(estimator)).input_tags.three_d_array:
        return X
    X = as_array(X)
    return X.reshape(len(X), -1)


def check_takes_sizes(estimator, X):
    """Raise ValueError if the estimator does not take samples of different sizes."""
    if not takes_sizes(estimator):
        sizes = list(dict.fromkeys("x".join(map(str, x.shape)) for x in X))
        name = type(last_step(estimator)).__name__
        raise ValueError(
            f"The samples have {len(sizes)} shapes, such as {', '.join(sizes[:3])}, and {name} "
            "takes one. Pass windows= to the make_* function that made the attributor, or put its "
            "detector into a WindowedDetector; make_reproduction takes them with "
            "processing=UnknownGeometry()."
        )


def takes_sizes(estimator):
    """Whether an estimator takes samples of several sizes, as a list."""
    last = last_step(estimator)
    return hasattr(last, "n_windows") or getattr(last, "_takes_lists", False)


def as_taken(attributor, samples):
    """Samples of one shape as a fitted attributor takes them: a list if it may, else an array."""
    # Images in a list still know their files.
    return list(samples) if takes_lists(attributor) else np.stack(samples)


def takes_lists(attributor):
    """Whether a fitted attributor searches images of several sizes or files, as a list."""
    return getattr(detector_of(attributor), "_takes_lists", False)


def detector_of(attributor):
    """The detector of a fitted attributor, None if it has no single one."""
    return last_step(getattr(last_step(attributor), "estimator_", None))


def step_parameters(estimator, params):
    """Parameters of fit by the names of a pipeline: those without a step go to the last one."""
    estimator = _thawed(estimator)
    if not isinstance(estimator, Pipeline):
        return params
    name, last = estimator.steps[-1]
    plain = {key: value for key, value in params.items() if "__" not in key}
    others = {key: value for key, value in params.items() if "__" in key}
    named = {f"{name}__{key}": value for key, value in step_parameters(last, plain).items()}
    return {**others, **named}


def router_to_detector(wrapper):
    """Router of an estimator that passes parameters of fit on to its parameter `estimator`."""
    mapping = MethodMapping().add(caller="fit", callee="fit")
    return MetadataRouter(owner=wrapper).add(estimator=wrapper.estimator, method_mapping=mapping)


def detector_parameters(wrapper, params):
    """Parameters of fit of the estimator of such a wrapper, of those that its own fit gets."""
    if _routing_enabled():
        return process_routing(wrapper, "fit", **params).estimator.fit if params else {}
    return step_parameters(wrapper.estimator, params)


def metadata_of(X, params, rows=slice(None)):
    """Parameters of fit of which those with an entry for each sample are restricted to rows."""
    return _check_method_params(X, params, indices=np.arange(_num_samples(X))[rows])


def window_counts(estimator, X):
    """Number of windows of each sample, shape (n,); None for estimators without windows."""
    estimator = _thawed(estimator)
    return estimator.n_windows(X) if hasattr(estimator, "n_windows") else None


def normality(estimator, X):
    """Scores of a fitted detector, float64 of shape (n,), larger for more normal samples."""
    method, name = _method(estimator), type(last_step(estimator)).__name__
    rows, n = rows_of(estimator, X), _num_samples(X)
    is_own = _is_from("sklearn_flipad", last_step(estimator))
    # Matrix products round differently for a few odd rows; the library's own detectors pad them.
    if n % LANES and not is_own and isinstance(rows, np.ndarray):
        rows = np.concatenate([rows, np.repeat(rows[-1:], -n % LANES, axis=0)])
    scores = np.asarray(getattr(estimator, method)(rows), dtype=np.float64)[:n]
    if method == "predict_proba" and scores.ndim == 2:
        scores = scores[:, list(estimator.classes_).index(1)]
    if scores.ndim != 1:
        raise ValueError(
            f"{name} returns scores of shape {scores.shape}; one score per sample is needed."
        )
    bad = ~np.isfinite(scores)
    if bad.any():
        raise ValueError(
            f"{name} gives {bad.sum()} of {len(scores)} samples a score that is NaN or infinite; "
            f"the first is sample {bad.argmax()}. Its training may have diverged, or the samples "
            "are far from those that it was fitted to."
        )
    return -scores if _is_from("pyod", last_step(estimator)) else scores


def adopt_features(estimator, fitted):
    """Record on an estimator the number and names of features that a fitted part has seen."""
    for name in ("n_features_in_", "feature_names_in_"):
        vars(estimator).pop(name, None)
        if hasattr(fitted, name):
            setattr(estimator, name, getattr(fitted, name))


def _method(estimator):
    if _is_from("pyod", last_step(estimator)):
        return "decision_function"
    return next((name for name in _METHODS if hasattr(estimator, name)), None)


def _thawed(estimator):
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def last_step(estimator):
    """The estimator itself, or the last step if it is a pipeline; frozen ones are unwrapped."""
    estimator = _thawed(estimator)
    return last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def _is_from(package, estimator):
    return any(
        cls.__module__.partition(".")[0] == package for cls in type(_thawed(estimator)).__mro__
    )


def _ignores_labels(estimator):
    """Return whether a detector's ``fit`` takes labels but does not use them."""
    if _is_from("pyod", estimator):
        return type(estimator).__name__ != "XGBOD"  # PyOD's one supervised detector
    # Others inherit from scikit-learn's base classes, and have a `fit` of their own.
    if type(estimator).fit.__module__.partition(".")[0] != "sklearn":
        return False
    # A search, for example, needs labels to score its candidates.
    wraps_another = "estimator" in estimator.get_params(deep=False)
    return get_tags(estimator).estimator_type not in _SUPERVISED and not wraps_another
