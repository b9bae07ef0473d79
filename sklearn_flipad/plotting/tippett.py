"""Tippett plots."""

import numpy as np

from sklearn_flipad.plotting._figures import axes_or_new
from sklearn_flipad.plotting._ratios import OWN, RatioDisplay, axis_limits, describe

__all__ = ["TippettDisplay"]


class TippettDisplay(RatioDisplay):
    """Tippett plot: how often a likelihood ratio is at least as large, by source.

    A step function for each source. Left of 0, what the curve of the model's samples lacks to 1 is
    misleading; right of 0, the curve of the reference population is. Equal ratios are one step,
    and the ends of the curves show the infinite ones, which the legend counts.

    It is recommended to use :meth:`from_predictions`.

    Parameters
    ----------
    log10_lr_own : ndarray of float64, shape (n,)
        Logarithms to base 10 of the ratios of samples of the model, ascending.
    log10_lr_reference : ndarray of float64, shape (m,)
        Those of samples of the reference population, ascending.
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
    Evett and Buckleton, "Statistical analysis of STR data", Advances in Forensic Haemogenetics
    1996. Drygajlo et al., "Methodological guidelines for best practice in forensic semiautomatic
    and automatic speaker recognition", ENFSI 2015.

    Examples
    --------
    >>> from sklearn_flipad.plotting import TippettDisplay
    >>> display = TippettDisplay.from_predictions([2, 1, 1, -1], [-2, -1, 0.5])
    >>> display.ax_.lines[0].get_label()
    'own samples (n = 4)'
    """

    def plot(self, ax=None, *, limits=None, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        limits : tuple of float, default=None
            Smallest and largest logarithm on the axis; by default those of all finite ratios.
            Plots of several methods in the same axes need the same limits.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        TippettDisplay

        Raises
        ------
        ValueError
            If `limits` are not ascending.
        """
        kinds = {OWN: self.log10_lr_own, self.reference_name: self.log10_lr_reference}
        low, high = limits = axis_limits(np.concatenate(list(kinds.values())), limits)
        ax = axes_or_new(ax, layout="constrained")
        for index, (kind, logs) in enumerate(kinds.items()):
            inner = np.unique(logs[(logs > low) & (logs < high)])
            x = np.concatenate([[low], inner, [high]])
            share = 1 - np.searchsorted(logs, x) / len(logs)
            label = describe(kind, logs, limits, self.name)
            # A step before each ratio: as many are at least as large.
            style = {"drawstyle": "steps-pre", "color": f"C{index}", "label": label}
            ax.plot(x, share, **{**style, **kwargs})
        ax.axvline(0, color="black", linestyle=":", linewidth=1)
        ax.set(
            xlim=limits,
            ylim=(-0.02, 1.02),
            xlabel="log10 of the likelihood ratio",
            ylabel="share of samples with at least this ratio",
        )
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
