"""Histograms of likelihood ratios, by source."""

import numpy as np

from sklearn_flipad.plotting._figures import axes_or_new
from sklearn_flipad.plotting._histograms import draw_histograms
from sklearn_flipad.plotting._ratios import (
    OWN,
    RatioDisplay,
    add_bands,
    axis_limits,
    describe,
    placed,
)

__all__ = ["LRHistogramDisplay"]


class LRHistogramDisplay(RatioDisplay):
    """Histograms of the logarithms of likelihood ratios, by source.

    Infinite ratios, and those beyond given limits, have bars of their own beside the others.

    It is recommended to use :meth:`from_predictions`.

    Parameters
    ----------
    log10_lr_own : ndarray of float64, shape (n,)
        Logarithms to base 10 of the ratios of samples of the model.
    log10_lr_reference : ndarray of float64, shape (m,)
        Those of samples of the reference population.
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

    Examples
    --------
    >>> from sklearn_flipad.plotting import LRHistogramDisplay
    >>> display = LRHistogramDisplay.from_predictions([2, 1, 1, float("inf")], [-2, -1, 0.5])
    >>> display.ax_.get_legend().get_texts()[0].get_text()
    'own samples (n = 4; 1 at ∞)'
    """

    def plot(self, ax=None, *, bins=40, limits=None, **kwargs):
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        bins : int, default=40
            Number of bins between the limits.
        limits : tuple of float, default=None
            Smallest and largest logarithm on the axis; by default those of all finite ratios.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.hist`.

        Returns
        -------
        LRHistogramDisplay

        Raises
        ------
        ValueError
            If `limits` are not ascending.
        """
        kinds = {OWN: self.log10_lr_own, self.reference_name: self.log10_lr_reference}
        everything = np.concatenate(list(kinds.values()))
        limits = axis_limits(everything, limits)
        ax = axes_or_new(ax, layout="constrained")
        edges = np.linspace(*limits, bins + 1)
        below, above = placed(np.array([-np.inf, np.inf]), limits)
        half = 0.3 * (edges[0] - below)
        edges = np.concatenate([[below - half, below + half], edges, [above - half, above + half]])
        values, own = {}, None
        for kind, logs in kinds.items():
            label = describe(kind, logs, limits, self.name)
            values[label] = placed(logs, limits)
            own = own or label
        draw_histograms(ax, values, edges, own=own, **kwargs)
        ax.axvline(0, color="black", linestyle=":", linewidth=1)
        add_bands(ax.xaxis, everything, limits)
        ax.set_xlabel("log10 of the likelihood ratio")
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
