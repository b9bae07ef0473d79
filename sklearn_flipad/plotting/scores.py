"""Histograms of scores, by source."""

import numpy as np

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.plotting._figures import axes_or_new
from sklearn_flipad.plotting._histograms import (
    OWN,
    calibration_scores,
    draw_histograms,
    draw_thresholds,
    split_by_source,
)

__all__ = ["ScoreHistogramDisplay"]


class ScoreHistogramDisplay:
    """Histograms of normality scores by source, with the decision thresholds.

    It is recommended to use :meth:`from_calibration`, :meth:`from_estimator` or
    :meth:`from_predictions`.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n,)
        ``score_samples`` of each source; larger is more normal.
    offset : float, default=None
        Decision threshold; scores of at least this value are attributed to the model.
    own : str, default=None
        Name of the source that is the model itself; its histogram is filled.
    reference_offset : float, default=None
        Scores above this value reject the reference population. The zone between the two
        thresholds, where samples are undecided, is shaded.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        The figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.plotting import ScoreHistogramDisplay
    >>> scores, source = np.array([-1.0, -1.2, -4.0]), ["own", "own", "other"]
    >>> display = ScoreHistogramDisplay.from_predictions(scores, source, offset=-2.0)
    >>> sorted(display.scores)
    ['other', 'own']
    """

    def __init__(self, scores, *, offset=None, own=None, reference_offset=None):
        self.scores = scores
        self.offset = offset
        self.own = own
        self.reference_offset = reference_offset

    @classmethod
    def from_calibration(
        cls, attributor, X=None, *, name="suspects", fnr=None, fpr=0.05, ax=None, **kwargs
    ):
        """Draw the scores of calibration samples, the reference population, and suspects.

        Parameters
        ----------
        attributor : FNRThresholdCalibrator or AttributionPipeline
            Fitted attributor with a rule that has p-values.
        X : array-like, shape (n, ...), default=None
            Suspects; none by default.
        name : str, default="suspects"
            Name of the suspects in the legend.
        fnr, fpr
            Levels, see :meth:`sklearn_flipad.FNRThresholdCalibrator.evidence`.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        ScoreHistogramDisplay

        Raises
        ------
        ValueError
            If there are too few calibration or reference samples for a level.
        NotImplementedError
            If the rule has no p-values.
        """
        scores, evidence = calibration_scores(attributor, X, name=name, fnr=fnr, fpr=fpr)
        reference = evidence.reference_threshold
        options = {
            "offset": -evidence.threshold,
            "reference_offset": None if reference is None else -reference,
        }
        scores = {name: -found for name, found in scores.items()}
        return cls(scores, own=OWN, **options).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, source, *, own=None, ax=None, **kwargs):
        """Score samples and draw the histograms.

        Parameters
        ----------
        estimator : estimator
            Fitted attributor with ``score_samples``. Its ``offset_``, or that of the last step of
            a pipeline, is the threshold.
        X : array-like, shape (n, ...)
            Samples.
        source : array-like of str, shape (n,)
            Source of each sample.
        own : str, default=None
            Name of the source that is the model itself.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        ScoreHistogramDisplay

        Raises
        ------
        ValueError
            If the attributor was calibrated by strata.
        """
        scores, offset = estimator.score_samples(X), getattr(last_step(estimator), "offset_", None)
        if np.ndim(offset):
            raise ValueError(
                "The attributor was calibrated by strata and has a threshold for each: draw "
                "attributor.in_stratum(stratum), with samples of that stratum."
            )
        return cls.from_predictions(scores, source, offset=offset, own=own, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, scores, source, *, offset=None, own=None, ax=None, **kwargs):
        """Draw histograms of given scores.

        Parameters
        ----------
        scores : array-like of shape (n,)
            ``score_samples``; larger is more normal.
        source : array-like of str, shape (n,)
            Source of each sample.
        offset : float, default=None
            Decision threshold.
        own : str, default=None
            Name of the source that is the model itself.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        ScoreHistogramDisplay
        """
        scores = split_by_source(scores, source)
        return cls(scores, offset=offset, own=own).plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, bins=40, **kwargs):
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        bins : int, default=40
            Number of bins, shared by all sources.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        ScoreHistogramDisplay
        """
        ax = axes_or_new(ax)
        everything = np.concatenate(list(self.scores.values()))
        # Otherwise a few far outliers would squeeze all else into one bin.
        low, high = np.quantile(everything, [0.005, 1])
        for offset in (self.offset, self.reference_offset):
            if offset is not None and np.isfinite(offset):
                low, high = min(low, offset), max(high, offset)
        edges = np.linspace(low, high + 1e-12 * (1 + abs(high)), bins + 1)
        scores = {name: np.clip(found, low, high) for name, found in self.scores.items()}
        draw_histograms(ax, scores, edges, own=self.own, **kwargs)
        draw_thresholds(ax, self.offset, self.reference_offset)
        ax.set_xlabel("score (larger: more like the model's)")
        self.ax_, self.figure_ = ax, ax.figure
        return self
