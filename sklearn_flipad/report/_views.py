"""Pictures and numbers of a sample, of its reproduction, and of its activations."""

from dataclasses import dataclass, field

import numpy as np

from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.report._pictures import gray_picture, line_plot, signed_picture
from sklearn_flipad.report._text import number

__all__ = ["View", "activation_views", "reproduction_views", "sample_view", "seed_views"]

#: End of the color scale of differences, in gray levels.
_LIMIT = 4
#: Channels of activation changes that are shown.
_N_CHANNELS = 3
#: Outcomes of the latent search in words.
_OUTCOMES = {
    "reproduced": "Reproduced: the difference is no more than rounding explains.",
    "rejected": (
        "Not reproduced: all starts of the search were given up, far from the file and hardly "
        "improving."
    ),
    "undecided": "Not reproduced: the search ended above what rounding explains.",
}
#: Captions of what the model makes, of it beside the file, and of the difference.
_NEAREST = (
    "nearest that the model makes",
    "the file, and what the model makes that is nearest",
    "file minus reproduction",
)
_AGAIN = (
    "made again with the seed",
    "the file, and the sample made again with the seed",
    "file minus sample made again",
)
#: Numbers of a row that are listed, and channels of a signal that are drawn.
_MAX_VALUES, _MAX_LINES = 60, 4


@dataclass
class View:
    """Pictures or numbers of one sample."""

    pictures: list = field(default_factory=list)
    #: Columns of a table as pairs of heading and values.
    columns: list = field(default_factory=list)
    #: Sentences below the pictures.
    notes: list = field(default_factory=list)
    #: End of the color scale of signed pictures and its unit.
    scale: tuple | None = None
    #: Score of the sample, where it comes with the pictures.
    score: float | None = None


def sample_view(sample):
    """View of a decoded sample itself."""
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
            view.notes.append(f"{len(sample) - _MAX_LINES} more channels are not drawn.")
    elif sample.ndim == 1:
        view.columns.append(("value", [number(value) for value in sample[:_MAX_VALUES]]))
        if len(sample) > _MAX_VALUES:
            view.notes.append(f"{len(sample) - _MAX_VALUES} more values are not listed.")
    else:
        shape = "x".join(map(str, sample.shape))
        view.notes.append(f"Samples of shape {shape} cannot be drawn.")
    return view


def reproduction_views(detector, X):
    """Views of the reproductions of samples, shape (n, *sample_shape), beside the samples."""
    result = detector.reconstruct(X)
    pairs = enumerate(zip(X, result.reconstructions, strict=True))
    return [
        _reproduction_view(sample, made.reshape(sample.shape), result, k, detector)
        for k, (sample, made) in pairs
    ]


def seed_views(detector, X):
    """Views of what the model makes of the seeds of samples, beside the samples."""
    found = detector.search(X)
    views = []
    for k, (sample, again) in enumerate(zip(X, found.samples, strict=True)):
        view = _compared(sample, again.reshape(sample.shape), *_AGAIN)
        log10_p = found.log_p_values[k] / np.log(10)
        settings = "".join(f", {name} {value}" for name, value in found.settings[k].items())
        matches = found.matches
        text = f"Candidate that comes nearest: seed {found.seeds[k]}{settings}"
        if not isinstance(detector.seeds, range):
            text += f", row {found.rows[k] + 1:,} of the candidates"
        n = matches.n_candidates
        r = matches.correlations[k, found.best[k]]
        text += f". Its noise correlates with that of the file by {number(r)}: p = "
        text += f"{_power(log10_p)} for {n:,} candidates (Bonferroni). "
        if found.log_p_values[k] <= np.log(detector.level):
            text += (
                "The seed is found. For chance to do it, one would have to try about "
                f"{_power(np.log10(n) - log10_p)} seeds that have nothing to do with the file."
            )
        elif found.identical[k]:
            text += (
                f"That is above {detector.level:g}, so that the correlation alone does not tell "
                "the seed, but what the model makes of it does."
            )
        else:
            text += (
                f"That is above {detector.level:g}: no seed is found, and the picture is no more "
                "than that of one of the candidates."
            )
        if getattr(sample, "compression", None) is not None:
            text += " What the model makes of the seed is compressed as the file is."
        equal, largest = found.equal[k, found.best[k]], found.distances[k, found.best[k]]
        if equal == 1:
            text += f" All {sample.size:,} values are identical."
        else:
            text += (
                f" {equal:.1%} of the {sample.size:,} values are identical, and the largest "
                f"difference is {number(largest)}."
            )
        view.notes.append(text)
        views.append(view)
    return views


def _power(log10):
    """A power of ten in words that can be read where it underflows a float."""
    if not np.isfinite(log10):
        return "0" if log10 < 0 else "infinitely many"
    if abs(log10) < 4:
        return number(10.0**log10)
    whole = int(np.floor(log10))
    return f"{10 ** (log10 - whole):.1f}e{whole:+d}".replace("-", "\u2212")


def _compared(sample, made, of_made, of_both, of_difference):
    """View of what a model makes, and of its difference from a sample, with captions."""
    difference = sample.astype(float) - made
    view = View()
    if _is_image(sample) and sample.dtype == made.dtype == np.uint8:
        view.pictures = [
            gray_picture(made, of_made),
            signed_picture(_largest(difference), _LIMIT, of_difference),
        ]
        view.scale = _LIMIT, "gray levels"
    elif _is_signal(sample):
        lines = {"file": sample[:_MAX_LINES], "reproduction": made[:_MAX_LINES]}
        view.pictures = [
            line_plot(lines, of_both, ylabel="value"),
            line_plot({"": difference[:_MAX_LINES]}, of_difference, ylabel="difference"),
        ]
    elif sample.ndim == 1:
        shown = {"reproduction": made[:_MAX_VALUES], "difference": difference[:_MAX_VALUES]}
        view.columns = [(name, [number(v) for v in values]) for name, values in shown.items()]
    return view


def _reproduction_view(sample, made, result, k, detector):
    difference = sample.astype(float) - made
    in_levels = sample.dtype == made.dtype == np.uint8
    view = _compared(sample, made, *_NEAREST)
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
    elif detector.distance == "l2" and _in_units_of_files(detector):
        note += (
            f" Distance: {number(result.distances[k])}. Its unit is the error that the compression "
            "of the file makes of the reproduction, or that of what was fitted where it is larger."
        )
    view.notes.append(note)
    view.score = -float(result.distances[k])
    return view


def _in_units_of_files(detector):
    """Whether distances are multiples of the error that the format of each file makes."""
    steps = detector.processing if isinstance(detector.processing, list | tuple) else []
    return any(getattr(step, "is_unknown", False) for step in steps) and hasattr(
        steps[-1], "is_file_format"
    )


def activation_views(inverter, X):
    """Views of the activation changes of samples, in the channels that change most in all of X."""
    layer = inverter.final_layer
    changes = inverter.invert(X).activations - layer.mean_activation
    if changes.ndim not in (3, 4):
        shape = "x".join(map(str, layer.input_shape))
        return [View(notes=[f"Activations of shape {shape} cannot be drawn."]) for _ in X]
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


def _is_image(sample):
    return sample.ndim == 3 and sample.shape[0] in (1, 3)


def _is_signal(sample):
    return sample.ndim == 2


def _largest(difference):
    """For each pixel, the difference with the largest magnitude among the channels."""
    where = np.abs(difference).argmax(axis=0)[None]
    return np.take_along_axis(difference, where, axis=0)[0]
