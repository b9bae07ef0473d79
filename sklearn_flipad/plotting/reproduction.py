"""Suspects, their reproductions, and what is left between them."""

import numpy as np

from sklearn_flipad.base.optional import import_pyplot
from sklearn_flipad.plotting._calibration import OWN, calibration_scores, draw_thresholds
from sklearn_flipad.plotting.samples import _draw, _to_show

__all__ = ["DistanceHistogramDisplay", "ReproductionDisplay"]


class ReproductionDisplay:
    """A row for each suspect: the sample, its reproduction, and their difference.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    suspects : array-like of uint8, shape (n, channels, height, width)
        The samples.
    result : ReconstructionResult
        What :meth:`~sklearn_flipad.ReproductionDetector.reconstruct` returned for them.
    names : sequence of str, default=None
        Names of the rows.
    limit : float, default=4
        Difference in gray levels that is drawn in full color; larger ones are no stronger.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (n, 3)
        The axes.
    figure_ : matplotlib.figure.Figure or matplotlib.figure.SubFigure
        The figure.
    """

    def __init__(self, suspects, result, *, names=None, limit=4):
        self.suspects = suspects
        self.result = result
        self.names = names
        self.limit = limit

    @classmethod
    def from_estimator(cls, detector, X, *, names=None, limit=4, figure=None):
        """Reconstruct samples and draw them.

        Parameters
        ----------
        detector : ReproductionDetector, SMInvDetector or estimator
            The detector, or a fitted attributor of :func:`~sklearn_flipad.make_reproduction` or
            :func:`~sklearn_flipad.make_sminv`.
        X : array-like of uint8, shape (n, channels, height, width)
            A few samples.
        names : sequence of str, default=None
            Names of the rows.
        limit : float, default=4
            Difference in gray levels that is drawn in full color.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        ReproductionDisplay
        """
        while not hasattr(detector, "reconstruct"):
            detector = detector[-1] if hasattr(detector, "steps") else detector.estimator_
        return cls(X, detector.reconstruct(X), names=names, limit=limit).plot(figure=figure)

    def plot(self, figure=None):
        """Draw the rows.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        ReproductionDisplay

        Raises
        ------
        ValueError
            If the samples are no images of gray levels, of 1 or 3 channels.
        """
        plt = import_pyplot()
        X = np.asarray(self.suspects)
        made = np.asarray(self.result.reconstructions)
        if X.dtype != np.uint8 or made.dtype != np.uint8:
            raise ValueError("Only gray levels (uint8) can be drawn with their differences.")
        difference = (X.astype(int) - made).mean(axis=1)
        n = len(X)
        if figure is None:
            figure = plt.figure(figsize=(5, 1.5 * n + 0.5), layout="constrained")
        axes = figure.subplots(n, 3, squeeze=False)
        shown, shown_made = (_to_show(part, (-1, 1)) for part in (X, made))
        for row, (suspect, reproduction, rest) in enumerate(
            zip(axes[:, 0], axes[:, 1], axes[:, 2], strict=True)
        ):
            _draw(suspect, shown[row])
            _draw(reproduction, shown_made[row])
            picture = rest.imshow(
                difference[row],
                cmap="RdBu_r",
                vmin=-self.limit,
                vmax=self.limit,
                interpolation="nearest",
            )
            rest.set(xticks=[], yticks=[])
            rest.set_xlabel(
                f"RMS {self.result.distances[row]:.2f}, {self.result.equal[row]:.0%} equal",
                fontsize="small",
            )
            if self.names is not None:
                suspect.set_ylabel(self.names[row], fontsize="small")
        titles = ("suspect", "reproduction", "difference")
        for ax, title in zip(axes[0], titles, strict=True):
            ax.set_title(title, fontsize="small")
        figure.colorbar(
            picture, ax=axes[:, 2], shrink=min(1, 2 / n + 0.2), label="gray levels", extend="both"
        )
        self.axes_, self.figure_ = axes, figure
        return self


class DistanceHistogramDisplay:
    """Histograms of distances to reconstructions by source, on a logarithmic axis.

    It is recommended to use :meth:`from_calibration` or :meth:`from_predictions`.

    Parameters
    ----------
    distances : dict of str to ndarray of shape (n,)
        Distances of each source, > 0.
    threshold : float, default=None
        Distances up to here are called the model's.
    floor : float, default=None
        The distance that rounding alone gives, such as ``1 / sqrt(12)`` gray levels.
    own : str, default=None
        The source that is the model itself, drawn filled.
    reference_threshold : float, default=None
        Distances below it reject the reference population. Distances between the two thresholds
        are undecided; that zone is shaded.

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
        """Draw the calibration distances, those of the reference population, and suspects.

        Parameters
        ----------
        attributor : FNRThresholdCalibrator or AttributionPipeline
            Fitted, of a :class:`~sklearn_flipad.ReproductionDetector` or a
            :class:`~sklearn_flipad.SMInvDetector`, with a rule that has p-values.
        X : array-like, shape (n, ...), default=None
            Suspects; none by default.
        name : str, default="suspects"
            What the suspects are called.
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
            If a level takes more calibration or reference samples than there are.
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
        """Draw the histograms of given distances.

        Parameters
        ----------
        distances : array-like of shape (n,)
            Distances, > 0: minus ``score_samples``.
        source : array-like of str, shape (n,)
            Where each sample comes from.
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
        distances, source = np.asarray(distances), np.asarray(source)
        by_source = {str(name): distances[source == name] for name in dict.fromkeys(source)}
        return cls(by_source, threshold=threshold, floor=floor, own=own).plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, bins=80, **kwargs):
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        bins : int, default=80
            Number of bins, equally wide on the logarithmic axis.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        DistanceHistogramDisplay
        """
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots()
        lines = (self.threshold, self.reference_threshold)
        everything = [*self.distances.values(), [line for line in lines if line is not None]]
        everything = np.concatenate(everything)
        edges = np.geomspace(everything.min() * 0.98, everything.max() * 1.02, bins + 1)
        for index, (name, distances) in enumerate(self.distances.items()):
            own = name == self.own
            style = {"histtype": "stepfilled" if own else "step", "alpha": 0.5 if own else 1}
            ax.hist(
                distances,
                edges,
                weights=np.full(len(distances), 1 / len(distances)),
                label=name,
                color=f"C{index}",
                **{**style, **kwargs},
            )
        if self.floor is not None:
            ax.axvline(self.floor, color="black", linestyle="-.", linewidth=1, label="floor")
        draw_thresholds(ax, self.threshold, self.reference_threshold)
        ax.set(
            xscale="log",
            xlabel="distance to the reproduction (RMS, gray levels)",
            ylabel="fraction of the source",
        )
        ax.legend(frameon=self.reference_threshold is not None, fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
