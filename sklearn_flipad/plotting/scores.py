"""Histograms of scores by source, with the thresholds."""

import numpy as np

from sklearn_flipad.base.optional import import_pyplot
from sklearn_flipad.plotting._calibration import OWN, calibration_scores, draw_thresholds

__all__ = ["ScoreHistogramDisplay"]


class ScoreHistogramDisplay:
    """Histograms of normality scores, one for each source, with the decision thresholds.

    It is recommended to use :meth:`from_calibration`, :meth:`from_estimator` or
    :meth:`from_predictions`.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n,)
        ``score_samples`` of each source; larger is more normal.
    offset : float, default=None
        Scores from here on are called the model's.
    own : str, default=None
        The source that is the model itself, drawn filled.
    reference_offset : float, default=None
        Scores above it reject the reference population. Scores between the two thresholds are
        undecided; that zone is shaded.

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
        """Draw the calibration scores, those of the reference population, and suspects.

        Parameters
        ----------
        attributor : FNRThresholdCalibrator or AttributionPipeline
            Fitted, with a rule that has p-values.
        X : array-like, shape (n, ...), default=None
            Suspects; none by default.
        name : str, default="suspects"
            What the suspects are called.
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
            If a level takes more calibration or reference samples than there are.
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
            Fitted attributor with ``score_samples``, and ``offset_`` or, for a pipeline,
            a last step with it.
        X : array-like, shape (n, ...)
            Samples.
        source : array-like of str, shape (n,)
            Where each sample comes from.
        own : str, default=None
            The source that is the model itself.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        ScoreHistogramDisplay
        """
        last = estimator[-1] if hasattr(estimator, "steps") else estimator
        return cls.from_predictions(
            estimator.score_samples(X),
            source,
            offset=getattr(last, "offset_", None),
            own=own,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(cls, scores, source, *, offset=None, own=None, ax=None, **kwargs):
        """Draw the histograms of given scores.

        Parameters
        ----------
        scores : array-like of shape (n,)
            ``score_samples``; larger is more normal.
        source : array-like of str, shape (n,)
            Where each sample comes from.
        offset : float, default=None
            Scores from here on are called the model's.
        own : str, default=None
            The source that is the model itself.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        ScoreHistogramDisplay
        """
        scores, source = np.asarray(scores), np.asarray(source)
        by_source = {str(name): scores[source == name] for name in dict.fromkeys(source)}
        return cls(by_source, offset=offset, own=own).plot(ax=ax, **kwargs)

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
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots()
        everything = np.concatenate(list(self.scores.values()))
        # A few far outliers must not squeeze the rest into one bin.
        low, high = np.quantile(everything, [0.005, 1])
        for offset in (self.offset, self.reference_offset):
            if offset is not None and np.isfinite(offset):
                low, high = min(low, offset), max(high, offset)
        edges = np.linspace(low, high + 1e-12 * (1 + abs(high)), bins + 1)
        for index, (name, scores) in enumerate(self.scores.items()):
            own = name == self.own
            style = {"histtype": "stepfilled" if own else "step", "alpha": 0.5 if own else 1}
            shares = np.full(len(scores), 1 / len(scores))
            ax.hist(
                np.clip(scores, low, high),
                edges,
                weights=shares,
                label=name,
                color=f"C{index}",
                **{**style, **kwargs},
            )
        draw_thresholds(ax, self.offset, self.reference_offset)
        ax.set(xlabel="score (larger: more like the model's)", ylabel="fraction of the source")
        ax.legend(frameon=self.reference_offset is not None, fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
