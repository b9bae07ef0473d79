"""Histograms of distances to reproductions, by source."""

import numpy as np

from sklearn_flipad.plotting._figures import axes_or_new
from sklearn_flipad.plotting._histograms import (
    OWN,
    calibration_scores,
    draw_histograms,
    draw_thresholds,
    split_by_source,
)

__all__ = ["DistanceHistogramDisplay"]


class DistanceHistogramDisplay:
    """Histograms of distances to reproductions by source, on a logarithmic axis.

    It is recommended to use :meth:`from_calibration` or :meth:`from_predictions`.

    Parameters
    ----------
    distances : dict of str to ndarray of shape (n,)
        Distances of each source, > 0.
    threshold : float, default=None
        Decision threshold; distances up to this value are attributed to the model.
    floor : float, default=None
        Distance that rounding alone explains, such as ``1 / sqrt(12)`` gray levels.
    own : str, default=None
        Name of the source that is the model itself; its histogram is filled.
    reference_threshold : float, default=None
        Distances below this value reject the reference population. The zone between the two
        thresholds, where samples are undecided, is shaded.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        The figure.

    Examples
    --------
    >>> from sklearn_flipad.plotting import DistanceHistogramDisplay
    >>> display = DistanceHistogramDisplay.from_predictions(
    ...     [0.28, 0.29, 7.0, 9.0], ["own", "own", "other", "other"], threshold=0.3, own="own"
    ... )
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(
        self, distances, *, threshold=None, floor=None, own=None, reference_threshold=None
    ):
        self.distances = distances
        self.threshold = threshold
        self.floor = floor
        self.own = own
        self.reference_threshold = reference_threshold

    @classmethod
    def from_calibration(
        cls,
        attributor,
        X=None,
        *,
        name="suspects",
        fnr=None,
        fpr=0.05,
        floor=None,
        ax=None,
        **kwargs,
    ):
        """Draw the distances of calibration samples, the reference population, and suspects.

        Parameters
        ----------
        attributor : FNRThresholdCalibrator or AttributionPipeline
            Fitted attributor that reproduces samples, with a rule that has p-values.
        X : array-like, shape (n, ...), default=None
            Suspects; none by default.
        name : str, default="suspects"
            Name of the suspects in the legend.
        fnr, fpr
            Levels, see :meth:`sklearn_flipad.FNRThresholdCalibrator.evidence`.
        floor : float, default=None
            See the class.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        DistanceHistogramDisplay

        Raises
        ------
        ValueError
            If there are too few calibration or reference samples for a level.
        NotImplementedError
            If the rule has no p-values.
        """
        distances, evidence = calibration_scores(attributor, X, name=name, fnr=fnr, fpr=fpr)
        options = {
            "threshold": evidence.threshold,
            "reference_threshold": evidence.reference_threshold,
        }
        return cls(distances, floor=floor, own=OWN, **options).plot(ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, distances, source, *, threshold=None, floor=None, own=None, ax=None, **kwargs
    ):
        """Draw histograms of given distances.

        Parameters
        ----------
        distances : array-like of shape (n,)
            Distances, > 0: minus ``score_samples``.
        source : array-like of str, shape (n,)
            Source of each sample.
        threshold, floor, own
            See the class.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        DistanceHistogramDisplay
        """
        distances = split_by_source(distances, source)
        return cls(distances, threshold=threshold, floor=floor, own=own).plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, bins=80, **kwargs):
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        bins : int, default=80
            Number of bins, of equal width on the logarithmic axis.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        DistanceHistogramDisplay
        """
        ax = axes_or_new(ax)
        thresholds = (self.threshold, self.reference_threshold)
        everything = [*self.distances.values(), [t for t in thresholds if t is not None]]
        everything = np.concatenate(everything)
        edges = np.geomspace(everything.min() * 0.98, everything.max() * 1.02, bins + 1)
        draw_histograms(ax, self.distances, edges, own=self.own, **kwargs)
        if self.floor is not None:
            ax.axvline(self.floor, color="black", linestyle="-.", linewidth=1, label="floor")
        draw_thresholds(ax, *thresholds)
        ax.set(xscale="log", xlabel="distance to the reproduction (RMS, gray levels)")
        self.ax_, self.figure_ = ax, ax.figure
        return self
