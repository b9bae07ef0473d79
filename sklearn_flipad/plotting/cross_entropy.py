"""Empirical cross-entropy by prior odds."""

import numpy as np

from sklearn_flipad.evaluation import cllr, empirical_cross_entropy, pooled_log10_lr
from sklearn_flipad.plotting._figures import axes_or_new
from sklearn_flipad.plotting._ratios import check_ratios, labeled

__all__ = ["ECEDisplay"]

_NEUTRAL = "neutral system"


class ECEDisplay:
    """Empirical cross-entropy of likelihood ratios by prior odds.

    Three curves: of the ratios, of the same ratios after the best monotone calibration, and of a
    neutral system, whose ratios are all 1. The distance between the first two is due to
    calibration. Where the first is above the third, the ratios do harm.

    It is recommended to use :meth:`from_predictions`.

    Parameters
    ----------
    log10_prior_odds : ndarray of float64, shape (n_odds,)
        Logarithms to base 10 of the prior odds for the model.
    cross_entropy, pooled_cross_entropy : ndarray of float64, shape (n_odds,)
        Empirical cross-entropy of the ratios and of the pooled ones, in bits, see
        :func:`~sklearn_flipad.evaluation.empirical_cross_entropy`. A curve that is infinite is
        not drawn, and the legend says so.
    cllr, cllr_min : float, default=None
        Their values at prior odds of 1, for the legend.
    name : str, default=None
        Name of the method, for the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        The figure.

    References
    ----------
    Ramos and Gonzalez-Rodriguez, "Reliable support: measuring calibration of likelihood ratios",
    Forensic Science International 2013.

    Examples
    --------
    >>> from sklearn_flipad.plotting import ECEDisplay
    >>> display = ECEDisplay.from_predictions([2, 1, 1, -1], [-2, -1, 0.5])
    >>> [line.get_label() for line in display.ax_.lines]
    ['ratios (Cllr = 0.837)', 'ratios, pooled (Cllr = 0.387)', 'neutral system']
    """

    def __init__(
        self,
        log10_prior_odds,
        cross_entropy,
        pooled_cross_entropy,
        *,
        cllr=None,
        cllr_min=None,
        name=None,
    ):
        self.log10_prior_odds = log10_prior_odds
        self.cross_entropy = cross_entropy
        self.pooled_cross_entropy = pooled_cross_entropy
        self.cllr = cllr
        self.cllr_min = cllr_min
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        log10_lr_own,
        log10_lr_reference,
        *,
        log10_prior_odds=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Compute the curves of given ratios and draw them.

        Parameters
        ----------
        log10_lr_own : array-like of shape (n,)
            Logarithms to base 10 of the ratios of samples of the model; they may be infinite.
        log10_lr_reference : array-like of shape (m,)
            Those of samples of the reference population.
        log10_prior_odds : array-like of shape (n_odds,), default=None
            Logarithms to base 10 of prior odds; 301 of them from -3 to 3 by default.
        name
            See the class.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        ECEDisplay

        Raises
        ------
        ValueError
            If there are no ratios of some kind, one is NaN, or prior odds are out of range.
        """
        y, logs = labeled(*check_ratios(log10_lr_own, log10_lr_reference))
        odds = np.linspace(-3, 3, 301) if log10_prior_odds is None else log10_prior_odds
        pooled = pooled_log10_lr(y, logs)
        display = cls(
            np.asarray(odds, dtype=np.float64),
            empirical_cross_entropy(y, logs, odds),
            empirical_cross_entropy(y, pooled, odds),
            cllr=cllr(y, logs),
            cllr_min=cllr(y, pooled),
            name=name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for the curve of the ratios.

        Returns
        -------
        ECEDisplay
        """
        ax = axes_or_new(ax, layout="constrained")
        name = "ratios" if self.name is None else self.name
        (line,) = ax.plot(
            self.log10_prior_odds,
            self.cross_entropy,
            **{"label": _label(name, self.cross_entropy, self.cllr), **kwargs},
        )
        ax.plot(
            self.log10_prior_odds,
            self.pooled_cross_entropy,
            color=line.get_color(),
            linestyle="--",
            label=_label(f"{name}, pooled", self.pooled_cross_entropy, self.cllr_min),
        )
        # Once for several methods in the same axes.
        if _NEUTRAL not in [line.get_label() for line in ax.lines]:
            neutral = empirical_cross_entropy([1, -1], [0, 0], self.log10_prior_odds)
            ax.plot(self.log10_prior_odds, neutral, color="black", linestyle=":", label=_NEUTRAL)
        ax.set(
            xlim=(self.log10_prior_odds[0], self.log10_prior_odds[-1]),
            xlabel="log10 of the prior odds",
            ylabel="empirical cross-entropy (bits)",
        )
        top = ax.dataLim.y1
        ax.set_ylim(-0.02 * top, 1.3 * top)  # with room for the legend, and for a curve at 0
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _label(name, curve, cost):
    """Label of a curve, with its cost; says if it is not drawn."""
    if not np.isfinite(curve).all():
        return f"{name} (infinite: an infinite ratio misleads)"
    return name if cost is None else f"{name} (Cllr = {cost:.3f})"
