"""P-values against the model and a reference population."""

import numpy as np

from sklearn_flipad.plotting._figures import axes_or_new

__all__ = ["PValueDisplay"]


class PValueDisplay:
    """P-values against the reference population over those against the model.

    Each suspect is a point on logarithmic axes. The two levels cut the plane into four regions:
    the verdict is "own", "not own", or "undecided" because neither or both are rejected. Both
    p-values are functions of one score, so all points lie on one decreasing curve. Its position
    relative to the corner shows whether the attributor tells the two populations apart.

    It is recommended to use :meth:`from_estimator` or :meth:`from_evidence`.

    Parameters
    ----------
    p_own, p_reference : ndarray, shape (n,)
        P-values.
    fnr, fpr : float
        Levels at which the model and the reference population are rejected.
    source : sequence of str, shape (n,), default=None
        Source of each suspect; each source has its own color.
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
    >>> import numpy as np
    >>> from sklearn_flipad.plotting import PValueDisplay
    >>> p_own, p_reference = np.array([0.6, 0.001]), np.array([0.01, 0.7])
    >>> display = PValueDisplay(p_own, p_reference, fnr=0.005, fpr=0.05).plot()
    """

    def __init__(
        self, p_own, p_reference, *, fnr, fpr, source=None, reference_name="reference population"
    ):
        self.p_own = p_own
        self.p_reference = p_reference
        self.fnr = fnr
        self.fpr = fpr
        self.source = source
        self.reference_name = reference_name

    @classmethod
    def from_estimator(cls, attributor, X, source=None, *, fnr=None, fpr=0.05, ax=None, **kwargs):
        """Score suspects and draw their p-values.

        Parameters
        ----------
        attributor : FNRThresholdCalibrator or AttributionPipeline
            Fitted attributor with a reference population.
        X : array-like, shape (n, ...)
            Suspects.
        source : array-like of str, shape (n,), default=None
            Source of each suspect.
        fnr, fpr
            Levels, see :meth:`sklearn_flipad.FNRThresholdCalibrator.evidence`.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        PValueDisplay

        Raises
        ------
        ValueError
            If there is no reference population, or as in ``evidence``.
        """
        evidence = attributor.evidence(X, fnr=fnr, fpr=fpr)
        return cls.from_evidence(evidence, source, ax=ax, **kwargs)

    @classmethod
    def from_evidence(cls, evidence, source=None, *, ax=None, **kwargs):
        """Draw the p-values of evidence.

        Parameters
        ----------
        evidence : Evidence
            Evidence with p-values against a reference population.
        source : array-like of str, shape (n,), default=None
            Source of each suspect.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        PValueDisplay

        Raises
        ------
        ValueError
            If there is no reference population, or `source` has another length.
        """
        if evidence.p_reference is None:
            raise ValueError(
                "There are no p-values against a reference population. Calibrate one with "
                "calibrate_reference(X, name=...), or draw a ScoreHistogramDisplay."
            )
        display = cls(
            evidence.p_own,
            evidence.p_reference,
            fnr=evidence.fnr,
            fpr=evidence.fpr,
            source=source,
            reference_name=evidence.reference_name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the points and the regions.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        PValueDisplay

        Raises
        ------
        ValueError
            If `source` has another length than the p-values.
        """
        n = len(self.p_own)
        source = np.asarray(["suspects"] * n if self.source is None else self.source)
        if len(source) != n:
            raise ValueError(f"source must name each of the {n} suspects, got {len(source)} names.")
        ax = axes_or_new(ax, layout="constrained")
        low_own, low_reference = (
            min(p.min(), level) / 2
            for p, level in ((self.p_own, self.fnr), (self.p_reference, self.fpr))
        )
        for horizontal, vertical, verdict in (
            ((low_own, self.fnr), (self.fpr, 1.3), "not own"),
            ((self.fnr, 1.3), (low_reference, self.fpr), "own"),
            ((low_own, self.fnr), (low_reference, self.fpr), "undecided:\nboth rejected"),
            ((self.fnr, 1.3), (self.fpr, 1.3), "undecided:\nneither rejected"),
        ):
            if verdict.startswith("undecided"):
                ax.fill_between(horizontal, *vertical, color="0.92", zorder=0, linewidth=0)
            center = np.sqrt(horizontal[0] * horizontal[1]), np.sqrt(vertical[0] * vertical[1])
            ax.text(*center, verdict, ha="center", va="center", color="0.35", zorder=3)
        for index, name in enumerate(dict.fromkeys(source)):
            rows = source == name
            style = {"s": 18, "alpha": 0.6, "color": f"C{index}", "label": str(name), **kwargs}
            ax.scatter(self.p_own[rows], self.p_reference[rows], **style)
        ax.axvline(self.fnr, color="black", linestyle="--", linewidth=1)
        ax.axhline(self.fpr, color="black", linestyle=":", linewidth=1)
        ax.set(
            xscale="log",
            yscale="log",
            xlim=(low_own, 1.3),
            ylim=(low_reference, 1.3),
            xlabel="p-value against the model",
            ylabel=f"p-value against: {self.reference_name}",
        )
        if self.source is not None:
            ax.legend(frameon=True, fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
