"""Likelihood ratios over their best monotone calibration."""

import numpy as np

from sklearn_flipad.evaluation import pooled_log10_lr
from sklearn_flipad.plotting._figures import axes_or_new
from sklearn_flipad.plotting._ratios import (
    OWN,
    RatioDisplay,
    add_bands,
    axis_limits,
    describe,
    labeled,
    placed,
)

__all__ = ["PAVDisplay"]


class PAVDisplay(RatioDisplay):
    """Likelihood ratios after the best monotone calibration, over the ratios themselves.

    Well-calibrated ratios lie on the diagonal. Where points are below it, the ratios overstate the
    support for the model; where they are above it, the support for the reference population. At
    both ends of the order, where samples of one source are alone, the pooled ratio is infinite.
    Infinite ratios are drawn in bands beside the others, and the legend counts the samples in them.

    It is recommended to use :meth:`from_predictions`.

    Parameters
    ----------
    log10_lr_own : ndarray of float64, shape (n,)
        Logarithms to base 10 of the ratios of samples of the model.
    log10_lr_reference : ndarray of float64, shape (m,)
        Those of samples of the reference population.
    pooled_own, pooled_reference : ndarray of float64, shapes (n,) and (m,)
        Logarithms of the pooled ratios of both, see
        :func:`~sklearn_flipad.evaluation.pooled_log10_lr`.
    name : str, default=None
        Name of the method, for the legend.
    reference_name : str, default="reference population"
        Name of the reference population.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        The figure.

    References
    ----------
    Vergeer, Alberink, Sjerps and Ypma, "Why calibrating LR-systems is best practice", Science
    and Justice 2021.

    Examples
    --------
    >>> from sklearn_flipad.plotting import PAVDisplay
    >>> display = PAVDisplay.from_predictions([3, 2, 0], [1, -1, -2])
    >>> display.pooled_own
    array([ 0., inf, inf])
    """

    def __init__(
        self,
        log10_lr_own,
        log10_lr_reference,
        pooled_own,
        pooled_reference,
        *,
        name=None,
        reference_name="reference population",
    ):
        super().__init__(log10_lr_own, log10_lr_reference, name=name, reference_name=reference_name)
        self.pooled_own = pooled_own
        self.pooled_reference = pooled_reference

    @staticmethod
    def _shown(own, reference):
        pooled = pooled_log10_lr(*labeled(own, reference))
        return own, reference, *np.split(pooled, [len(own)])

    def plot(self, ax=None, *, limits=None, **kwargs):
        """Draw the points, the line through them, and the diagonal.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        limits : tuple of float, default=None
            Smallest and largest logarithm on both axes; by default those of all finite ones.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        PAVDisplay

        Raises
        ------
        ValueError
            If `limits` are not ascending.
        """
        kinds = {
            OWN: (self.log10_lr_own, self.pooled_own, 2),  # a tick upward
            self.reference_name: (self.log10_lr_reference, self.pooled_reference, 3),
        }
        x, y = (np.concatenate([kind[i] for kind in kinds.values()]) for i in (0, 1))
        limits = axis_limits(np.concatenate([x, y]), limits)
        ax = axes_or_new(ax, layout="constrained")
        ax.plot(limits, limits, color="0.5", linestyle="--", linewidth=1, label="well calibrated")
        points = np.stack([x, y])
        inside = ((points >= limits[0]) & (points <= limits[1])).all(axis=0)
        ax.plot(*np.unique(points[:, inside], axis=1), color="black", linewidth=1)
        for index, (kind, (logs, pooled, marker)) in enumerate(kinds.items()):
            # A sample is counted once: by its pooled ratio, if that is beyond the axis.
            farthest = np.where((pooled < limits[0]) | (pooled > limits[1]), pooled, logs)
            label = describe(kind, farthest, limits, self.name)
            style = {"marker": marker, "s": 40, "linewidths": 0.8, "color": f"C{index}"}
            points = placed(logs, limits), placed(pooled, limits)
            ax.scatter(*points, label=label, **{**style, **kwargs})
        add_bands(ax.xaxis, x, limits)
        add_bands(ax.yaxis, y, limits)
        ax.set(
            xlabel="log10 of the likelihood ratio", ylabel="log10 of the pooled likelihood ratio"
        )
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
