"""Likelihood ratios of both kinds, and axes with ratios that lie beyond them."""

import numpy as np
from sklearn.utils.validation import column_or_1d

__all__ = [
    "OWN",
    "RatioDisplay",
    "add_bands",
    "axis_limits",
    "check_ratios",
    "describe",
    "labeled",
    "placed",
]

#: Name of the samples of the model.
OWN = "own samples"
#: Width of the band of ratios beyond the axis, relative to the range of the others.
_BAND = 0.07
_SEPARATOR = {"color": "0.8", "linewidth": 0.8, "zorder": 0}


def check_ratios(log10_lr_own, log10_lr_reference):
    """Logarithms of the ratios of both kinds, float64, sorted; they may be infinite."""
    kinds = {"log10_lr_own": log10_lr_own, "log10_lr_reference": log10_lr_reference}
    for name, logs in kinds.items():
        logs = column_or_1d(np.asarray(logs, dtype=np.float64))
        if not len(logs) or np.isnan(logs).any():
            raise ValueError(f"{name} must be numbers of shape (n,), at least one, and not NaN.")
        kinds[name] = np.sort(logs)
    return tuple(kinds.values())


def labeled(own, reference):
    """Labels of both kinds, and all logarithms, each of shape (n + m,)."""
    return np.repeat([1, -1], [len(own), len(reference)]), np.concatenate([own, reference])


def axis_limits(logs, limits=None):
    """The given limits, or 0 and the finite logarithms, with a margin."""
    if limits is not None:
        low, high = map(float, limits)
        if not low < high:
            raise ValueError(f"limits must be (low, high) with low < high, got {limits!r}.")
        return low, high
    finite = logs[np.isfinite(logs)]
    low, high = finite.min(initial=0.0), finite.max(initial=0.0)
    margin = 0.05 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def describe(kind, logs, limits, name=None):
    """Label of a kind: its number of samples, and how many ratios are beyond the limits."""
    parts = [f"n = {len(logs)}"]
    for found, end in zip(_beyond(logs, limits), _ends(logs, limits), strict=True):
        if found.any():
            parts.append(f"{found.sum()} {end if '<' in end or '>' in end else f'at {end}'}")
    return f"{'' if name is None else f'{name}: '}{kind} ({'; '.join(parts)})"


def placed(logs, limits):
    """Logarithms with those beyond the limits in the middle of bands beside the others."""
    low, high = limits
    band = _BAND * (high - low)
    below, above = _beyond(logs, limits)
    return np.where(below, low - band, np.where(above, high + band, logs))


def add_bands(axis, logs, limits):
    """Label the bands of ratios beyond the limits on an x or y axis, and set its range."""
    from matplotlib.ticker import MaxNLocator

    low, high = limits
    band = _BAND * (high - low)
    ticks = [t for t in MaxNLocator(6).tick_values(low, high) if low <= t <= high]
    labels = [f"{tick:g}" for tick in ticks]
    ends = _ends(logs, limits)
    below, above = (found.any() for found in _beyond(logs, limits))
    is_x = axis.axis_name == "x"
    separate = axis.axes.axvline if is_x else axis.axes.axhline
    start, stop = low, high
    if below:
        ticks, labels, start = [low - band, *ticks], [ends[0], *labels], low - 1.5 * band
        separate(low, **_SEPARATOR)
    if above:
        ticks, labels, stop = [*ticks, high + band], [*labels, ends[1]], high + 1.5 * band
        separate(high, **_SEPARATOR)
    axis.set_ticks(ticks, labels)
    (axis.axes.set_xlim if is_x else axis.axes.set_ylim)(start, stop)


def _beyond(logs, limits):
    """Whether each logarithm is below, and whether it is above the limits."""
    return logs < limits[0], logs > limits[1]


def _ends(logs, limits):
    """Names of the ends: infinity where no finite logarithm is beyond the limits."""
    infinite = [np.isinf(logs[found]).all() for found in _beyond(logs, limits)]
    return tuple(
        text if is_infinite else f"{sign} {limit:g}"
        for text, sign, limit, is_infinite in zip(
            ("-∞", "∞"), ("<", ">"), limits, infinite, strict=True
        )
    )


class RatioDisplay:
    """Base class of displays that draw the ratios of both kinds, by ``plot``."""

    def __init__(
        self,
        log10_lr_own,
        log10_lr_reference,
        *,
        name=None,
        reference_name="reference population",
    ):
        self.log10_lr_own = log10_lr_own
        self.log10_lr_reference = log10_lr_reference
        self.name = name
        self.reference_name = reference_name

    @classmethod
    def from_predictions(
        cls,
        log10_lr_own,
        log10_lr_reference,
        *,
        name=None,
        reference_name="reference population",
        ax=None,
        **kwargs,
    ):
        """Draw given ratios.

        Parameters
        ----------
        log10_lr_own : array-like of shape (n,)
            Logarithms to base 10 of the ratios of samples of the model; they may be infinite.
        log10_lr_reference : array-like of shape (m,)
            Those of samples of the reference population.
        name, reference_name
            See the class.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to ``plot``.

        Returns
        -------
        display
            An instance of the class.

        Raises
        ------
        ValueError
            If there are no ratios of some kind, or one is NaN.
        """
        own, reference = check_ratios(log10_lr_own, log10_lr_reference)
        shown = cls._shown(own, reference)
        return cls(*shown, name=name, reference_name=reference_name).plot(ax=ax, **kwargs)

    @staticmethod
    def _shown(own, reference):
        """The first arguments of the class, by the sorted ratios."""
        return own, reference
