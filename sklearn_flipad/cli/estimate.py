"""The time that ``flipad fit`` takes, estimated from a small part of its work."""

import time
import warnings
from dataclasses import replace
from inspect import signature

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    InlierWhitener,
    ReproductionDetector,
    SMInvDetector,
)
from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.base.progress import duration
from sklearn_flipad.detectors import WindowedDetector
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction import LatentEncoder

__all__ = ["estimated_seconds", "shown_estimate"]

#: Samples of the first measurement, which includes the set-up, and of the second.
_N_FIRST, _N_SECOND = 16, 32
#: Rows that are trained with, two batches; and more epochs, steps or trials than in a first run.
_N_ROWS, _MORE = 256, 3
#: Features of which a covariance is tried.
_N_FEATURES = 1024
#: What makes each part shorter.
_SHORTER = {
    "tracing the final layer": "",
    "drawing samples": "fewer --samples",
    "features": "fewer --samples, or fewer files",
    "whitening, at most": "--windows, smaller samples",
    "training the detector": "fewer --epochs",
    "fitting": "fewer --samples, or fewer files",
    "training the encoder, at most": "",
    "searching, at most": "fewer --samples, or fewer files",
}


def shown_estimate(seconds, device):
    """The estimate as a line, with the longest parts first and advice about the longest one."""
    parts = sorted(seconds.items(), key=lambda part: -part[1])
    listed = ", ".join(f"{name} {duration(value)}" for name, value in parts if value >= 0.5)
    gpu = "a GPU" if resolve_device(device).type == "cpu" else ""
    advice = "; or ".join(filter(None, [_SHORTER[parts[0][0]], gpu]))
    text = f"this takes about {duration(sum(seconds.values()))}"
    return f"{text}{f' ({listed})' if listed else ''}{f'. Shorter: {advice}' if advice else ''}"


def estimated_seconds(make, model, X, negatives, n_own, *, traces):
    """Seconds of each part of the work, measured on a few samples; None if that fails.

    ``make(model)`` returns the attributor that is to be fitted. X are own samples, or None where
    `n_own` are drawn; `traces` tells whether a final layer has to be found.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _measured(make, replace(model, verbose=0), X, negatives, n_own, traces)
    except Exception:  # the work itself says what is wrong
        return None


def _measured(make, model, X, negatives, n_own, traces):
    seconds = {}
    if X is None or traces:
        n_traced = signature(FinalLayer.from_generator).parameters["n_samples"].default
        drawing = {"random_state": 0, **model.latents}
        drawn = sample(model.module, _N_FIRST, dtype="float32", **drawing)
        pace = _time(lambda: sample(model.module, _N_SECOND, dtype="float32", **drawing))
        pace /= _N_SECOND
        if traces:
            vars(model)["final_layer"] = FinalLayer.from_generator(
                model.module,
                n_samples=_N_SECOND,
                output_range=model.output_range,
                **drawing,
            )
            seconds["tracing the final layer"] = n_traced * pace
        if X is None:
            layer = vars(model).get("final_layer")
            in_levels = {"dtype": "float32"} if drawn.ndim == 3 else {"layer": layer}
            X = sample(model.module, _N_FIRST + _N_SECOND, **drawing, **in_levels)
            seconds["drawing samples"] = n_own * pace
    attributor = make(model)
    detect = attributor["detect"]
    detector, n_each = detect.estimator, np.ones(1)
    if isinstance(detector, WindowedDetector):
        n_each = detector.n_windows(X)
        X = [x[..., : detector.size, : detector.size] for x in X]
        steps = detector.estimator.steps
    else:
        inside = detector.steps if isinstance(detector, Pipeline) else [("detector", detector)]
        steps = [*attributor.steps[:-1], *inside]
    n_negatives = 0 if negatives is None else len(negatives)
    n = (n_own + n_negatives) * float(np.mean(n_each))
    few = _resized(np.stack(list(X[: _N_FIRST + _N_SECOND])), _N_FIRST + _N_SECOND)
    first, last = steps[0][1], steps[-1][1]
    if isinstance(last, FrozenEstimator):
        return seconds | _search_seconds(last.estimator, few, n)
    if isinstance(last, ReproductionDetector):
        return seconds | _search_seconds(last, few, n * detect.cv)
    if first is last:
        return seconds | {"fitting": n / len(few) * _time(lambda: _quiet(last).fit(few))}
    few, seconds["features"] = _feature_seconds(_quiet(first), few, n)
    whitener = steps[-2][1]
    if isinstance(whitener, InlierWhitener):
        seconds["whitening, at most"] = _whitening_seconds(whitener, few)
    if isinstance(last, DeepSADDetector):
        n_trained = n * (1 - detect.cv)
        rows = _resized(few, _N_ROWS)
        y = None if negatives is None else np.where(np.arange(_N_ROWS) % 2, 1, -1)
        pace = _pace(last, "max_epochs", rows, y)
        seconds["training the detector"] = pace / _N_ROWS * n_trained * last.max_epochs
    return seconds


def _feature_seconds(transformer, X, n):
    """Features of samples, and the seconds that those of `n` samples take with the set-up."""
    first = _time(lambda: transformer.fit_transform(X[:_N_FIRST]))
    start = time.perf_counter()
    features = transformer.transform(X[_N_FIRST:])
    pace = (time.perf_counter() - start) / (len(X) - _N_FIRST)
    return features, max(first - _N_FIRST * pace, 0) + n * pace


def _whitening_seconds(whitener, features):
    """Seconds of a covariance, by those of some features; they grow with the third power."""
    rows = _resized(features.reshape(len(features), -1), _N_ROWS)
    n_some = min(rows.shape[1], _N_FEATURES)
    seconds = _time(lambda: _quiet(whitener).fit(rows[:, :n_some]))
    return seconds * (rows.shape[1] / n_some) ** 3


def _search_seconds(detector, X, n):
    """Seconds of the training of an encoder, and of one start of a search for `n` samples."""
    seconds, detector = {}, _quiet(detector)
    X = X[:_N_FIRST]
    if getattr(detector, "_takes_lists", False):
        X = [FileImage(x) for x in X]
    if isinstance(detector, SMInvDetector):
        n *= detector.n_restarts
        detector.set_params(n_restarts=1)
    else:
        n += detector.n_calibration
        detector.set_params(n_newton=0, n_restarts=0, n_calibration=0)
        if isinstance(detector.encoder, LatentEncoder):
            max_steps = detector.encoder.max_steps
            pace = _pace(detector, "encoder__max_steps", X, None)
            seconds["training the encoder, at most"] = pace * max_steps
            detector.set_params(encoder__max_steps=1)
    detector.fit(X)
    seconds["searching, at most"] = n / len(X) * _time(lambda: detector.score_samples(X))
    return seconds


def _pace(estimator, name, X, y):
    """Seconds of one epoch or step, without what is done once."""

    def fit(number):
        return _time(lambda: _quiet(estimator).set_params(**{name: number}).fit(X, y))

    fit(1)
    return max(fit(1 + _MORE) - fit(1), 0) / _MORE


def _quiet(estimator):
    silent = {name: 0 for name in estimator.get_params() if name.rpartition("__")[2] == "verbose"}
    return clone(estimator).set_params(**silent)


def _resized(X, n):
    return X[np.arange(n) % len(X)]


def _time(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
