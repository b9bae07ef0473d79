"""Accuracy and error rates on perturbed samples."""

import numpy as np

from sklearn_flipad.evaluation import robustness_curve
from sklearn_flipad.plotting._figures import figure_or_new

__all__ = ["RobustnessDisplay"]


class RobustnessDisplay:
    """Accuracy, false-negative and false-positive rates for each perturbation.

    It is recommended to use :meth:`from_estimator` or :meth:`from_curve`.

    Parameters
    ----------
    curve : DataFrame
        Result of :func:`~sklearn_flipad.evaluation.robustness_curve`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (3,)
        The axes of the accuracy, the false-negative rate and the false-positive rate.
    figure_ : matplotlib.figure.Figure or matplotlib.figure.SubFigure
        The figure.
    """

    def __init__(self, curve):
        self.curve = curve

    @classmethod
    def from_estimator(
        cls, attributor, perturbations, X, y, *, X_train=None, y_train=None, figure=None
    ):
        """Evaluate an attributor on perturbed samples and draw the rates.

        Parameters
        ----------
        attributor : estimator
            Fitted attributor; see :func:`~sklearn_flipad.evaluation.robustness_curve`.
        perturbations : sequence or dict of transformer
            Perturbations.
        X : array-like, shape (n, ...)
            Test samples, unperturbed.
        y : array-like of int, shape (n,)
            +1 for samples of the model, -1 for others.
        X_train, y_train : array-like, default=None
            Training data for immunized clones.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        RobustnessDisplay
        """
        curve = robustness_curve(attributor, perturbations, X, y, X_train=X_train, y_train=y_train)
        return cls.from_curve(curve, figure=figure)

    @classmethod
    def from_curve(cls, curve, *, figure=None):
        """Draw a curve that is already computed.

        Parameters
        ----------
        curve : DataFrame
            Result of :func:`~sklearn_flipad.evaluation.robustness_curve`.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        RobustnessDisplay
        """
        return cls(curve).plot(figure=figure)

    def plot(self, figure=None):
        """Draw the rates with their intervals.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        RobustnessDisplay
        """
        names = list(dict.fromkeys(self.curve["perturbation"]))
        figure = figure_or_new(figure, 9, 0.45 * len(names) + 1.2)
        axes = figure.subplots(1, 3, sharey=True)
        titles = {"accuracy": "balanced accuracy", "fnr": "FNR", "fpr": "FPR"}
        groups = list(self.curve.groupby("immunized"))
        for ax, (column, title) in zip(axes, titles.items(), strict=True):
            for index, (immunized, rows) in enumerate(groups):
                place = [names.index(name) for name in rows["perturbation"]]
                place = np.array(place) + 0.2 * (index - (len(groups) - 1) / 2)
                error = None
                if column != "accuracy":
                    low, high = rows[column] - rows[f"{column}_low"], rows[f"{column}_high"]
                    error = [low, high - rows[column]]
                label = "immunized" if immunized else "as fitted"
                ax.errorbar(rows[column], place, xerr=error, fmt="o", markersize=4, label=label)
            ax.set(xlabel=title, xlim=(-0.03, 1.03))
            ax.grid(axis="x", alpha=0.3)
        axes[0].set_yticks(range(len(names)), names)
        axes[0].invert_yaxis()
        if len(groups) > 1:
            axes[0].legend(fontsize="small")
        self.axes_, self.figure_ = axes, figure
        return self
