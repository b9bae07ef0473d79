"""What is shown of a sample, and what the method saw of it.

Nothing is shown that the verdict does not rest on: a method whose features mean nothing to the
eye has no picture but that of the sample.
"""

from dataclasses import dataclass, field

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.detectors import CombinedDetector
from sklearn_flipad.features import FinalLayerInverter
from sklearn_flipad.report._pictures import gray_picture, line_plot, signed_picture
from sklearn_flipad.report._text import number
from sklearn_flipad.reproduction import ReproductionDetector, SMInvDetector

__all__ = ["View", "methods_of", "sample_view", "views_of"]

#: Difference in gray levels that has full color.
_LIMIT = 4
#: Channels of activation changes that are shown.
_N_CHANNELS = 3
#: What a search for latents ended with.
_OUTCOMES = {
    "reproduced": "Reproduced: the difference is no more than rounding explains.",
    "rejected": "Not reproduced: from three starts the search stayed far away and hardly moved.",
    "undecided": "Not reproduced: the search ended above what rounding explains.",
}
#: Numbers of a row that are written down, and channels of a signal that are drawn.
_MAX_VALUES, _MAX_LINES = 60, 4


@dataclass
class View:
    """Pictures or numbers of one sample.

    Attributes
    ----------
    pictures : list of Picture
        Side by side.
    columns : list of (str, list of str)
        A table: headings, and the values below each.
    notes : list of str
        Sentences below.
    scale : (float, str) or None
        Value of full color, and its unit, of the pictures of either sign.
    """

    pictures: list = field(default_factory=list)
    columns: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    scale: tuple | None = None


def methods_of(estimator):
    """The parts of an attributor that are given the samples themselves.

    Parameters
    ----------
    estimator : estimator
        A fitted attributor, or a part of one.

    Yields
    ------
    estimator
        Fitted inverters and detectors; those behind another feature are left out.
    """
    if isinstance(estimator, FrozenEstimator):
        yield from methods_of(estimator.estimator)
    elif isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        if steps:
            yield from methods_of(steps[0])
    elif isinstance(estimator, BaseSearchCV):
        yield from methods_of(estimator.best_estimator_)
    elif isinstance(estimator, CombinedDetector):
        for part in estimator.estimators_:
            yield from methods_of(part)
    elif hasattr(estimator, "calibration_scores_"):
        yield from methods_of(estimator.estimator_)
    else:
        yield estimator


def sample_view(sample):
    """The sample itself: a picture, a plot, or its numbers.

    Parameters
    ----------
    sample : ndarray
        As it was decoded.

    Returns
    -------
    View
    """
    view = View()
    if _is_image(sample):
        levels = sample
        if sample.dtype != np.uint8:
            low, high = float(sample.min()), float(sample.max())
            levels = to_gray_levels(sample, (low, high if high > low else low + 1))
            view.notes.append(f"Black is {number(low)} and white {number(high)}.")
        view.pictures.append(gray_picture(levels, "the file, decoded"))
    elif _is_signal(sample):
        caption = "the file, decoded"
        view.pictures.append(line_plot({caption: sample[:_MAX_LINES]}, caption, ylabel="value"))
        if len(sample) > _MAX_LINES:
            view.notes.append(f"{len(sample) - _MAX_LINES} further channels are not drawn.")
    elif sample.ndim == 1:
        view.columns.append(("value", [number(value) for value in sample[:_MAX_VALUES]]))
        if len(sample) > _MAX_VALUES:
            view.notes.append(f"{len(sample) - _MAX_VALUES} further values are not written down.")
    else:
        shape = "x".join(map(str, sample.shape))
        view.notes.append(f"A sample of shape {shape} has no picture here.")
    return view


def reproduction_views(detector, X):
    """What a generator makes that is nearest to each sample.

    Parameters
    ----------
    detector : ReproductionDetector or SMInvDetector
        Fitted, or without need to be.
    X : ndarray, shape (n, *sample_shape)
        Samples.

    Returns
    -------
    list of View
    """
    result = detector.reconstruct(X)
    made = np.asarray(result.reconstructions).reshape(X.shape)
    pairs = enumerate(zip(X, made, strict=True))
    return [_reproduction_view(sample, own, result, k, detector) for k, (sample, own) in pairs]


def _reproduction_view(sample, made, result, k, detector):
    difference = sample.astype(float) - made
    in_levels = sample.dtype == made.dtype == np.uint8
    view = View()
    if _is_image(sample) and in_levels:
        view.pictures = [
            gray_picture(made, "nearest that the model makes"),
            signed_picture(_largest(difference), _LIMIT, "file minus reproduction"),
        ]
        view.scale = _LIMIT, "gray levels"
    elif _is_signal(sample):
        lines = {"file": sample[:_MAX_LINES], "reproduction": made[:_MAX_LINES]}
        view.pictures = [
            line_plot(lines, "the file, and what the model makes that is nearest", ylabel="value"),
            line_plot(
                {"": difference[:_MAX_LINES]}, "file minus reproduction", ylabel="difference"
            ),
        ]
    elif sample.ndim == 1:
        shown = made[:_MAX_VALUES], difference[:_MAX_VALUES]
        names = "reproduction", "difference"
        view.columns = [
            (name, [number(v) for v in values]) for name, values in zip(names, shown, strict=True)
        ]
    note = _OUTCOMES[str(result.outcomes[k])]
    if in_levels:
        note += (
            f" {result.equal[k]:.1%} of the {sample.size:,} values are identical, and the largest "
            f"difference is {np.abs(difference).max():.0f} on the scale from 0 to 255."
        )
    if detector.distance == "l2" and getattr(detector, "processing", None) is None:
        distance = number(result.distances[k])
        note += (
            f" Root mean square difference before rounding: {distance} gray levels; rounding alone "
            "explains about 0.289."
            if in_levels
            else f" Root mean square difference: {distance}."
        )
    view.notes.append(note)
    return view


def activation_views(inverter, X):
    """What the final layer was given, as the inversion estimates it, for each sample.

    Parameters
    ----------
    inverter : FinalLayerInverter
        The inverter.
    X : ndarray, shape (n, *sample_shape)
        Samples.

    Returns
    -------
    list of View
        The same channels for all samples, those that change most, with one scale.
    """
    layer = inverter.final_layer
    changes = inverter.invert(X).activations - layer.mean_activation
    if changes.ndim not in (3, 4):
        shape = "x".join(map(str, layer.input_shape))
        note = f"Activations of shape {shape} are no maps, and have no picture here."
        return [View(notes=[note]) for _ in X]
    sizes = np.abs(changes).mean(axis=(0, *range(2, changes.ndim)))
    channels = np.sort(np.argsort(-sizes, kind="stable")[:_N_CHANNELS])
    if changes.ndim == 3:
        caption = "estimated minus mean activation of the final layer"
        lines = [{f"channel {c}": change[[c]] for c in channels} for change in changes]
        return [View([line_plot(found, caption, ylabel="change")]) for found in lines]
    unit = "(estimated minus mean activation of the final layer; "
    unit += f"the {len(channels)} of {len(sizes)} channels that change most)"
    limit = float(np.quantile(np.abs(changes[:, channels]), 0.99)) or 1.0
    return [
        View(
            pictures=[
                signed_picture(change[channel], limit, f"change, channel {channel}")
                for channel in channels
            ],
            scale=(limit, unit),
        )
        for change in changes
    ]


def views_of(method, X):
    """What a part of an attributor saw of each sample; None if there is nothing to see.

    Parameters
    ----------
    method : estimator
        One of :func:`methods_of`.
    X : ndarray, shape (n, *sample_shape)
        Samples.

    Returns
    -------
    list of View, or None
    """
    if isinstance(method, ReproductionDetector | SMInvDetector):
        return reproduction_views(method, X)
    if isinstance(method, FinalLayerInverter):
        return activation_views(method, X)
    return None


def _is_image(sample):
    return sample.ndim == 3 and sample.shape[0] in (1, 3)


def _is_signal(sample):
    return sample.ndim == 2


def _largest(difference):
    """Of several channels, the difference with the largest absolute value, pixel by pixel."""
    where = np.abs(difference).argmax(axis=0)[None]
    return np.take_along_axis(difference, where, axis=0)[0]
