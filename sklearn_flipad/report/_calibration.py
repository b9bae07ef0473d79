"""Plots of a suspect's score among the calibration scores."""

import numpy as np

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.plotting import DistanceHistogramDisplay, ScoreHistogramDisplay
from sklearn_flipad.report._methods import measures_distances
from sklearn_flipad.report._pictures import figure_picture

__all__ = ["CalibrationPlot"]

#: Names of the sources. The reference's own name is not used: it may contain anything.
_OWN, _REFERENCE = "own samples, held out", "reference samples"
_CAPTION = "the score of this file among those of held-out samples"


class CalibrationPlot:
    """Histograms of the calibration scores of a fitted attributor, with a mark that moves."""

    def __init__(self, attributor, evidence, *, with_thresholds=True):
        self.evidence = evidence
        self.with_thresholds = with_thresholds
        if evidence is None:
            return
        last = last_step(attributor)
        self.scores = {_OWN: last.calibration_scores_}
        if evidence.p_reference is not None:
            self.scores[_REFERENCE] = last.reference_scores_
        smallest = min(scores.min() for scores in self.scores.values())
        # Distances are drawn on a logarithmic axis.
        self.is_distance = measures_distances(last_step(last.estimator_)) and smallest > 0
        self._ax, self._mark = self._draw()

    def picture(self, score):
        """The histograms with a mark at a score, and whether it lies beyond the axis.

        The picture is None without evidence. A score beyond the axis is marked at its end.
        """
        if self.evidence is None:
            return None, False
        value = -score if self.is_distance else score
        low, high = self._ax.get_xlim()
        self._mark.set_xdata([np.clip(value, low, high)])
        return figure_picture(self._ax.figure, _CAPTION), not low <= value <= high

    def _draw(self):
        """Axes with the histograms, and the mark."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.8, 1.6), layout="constrained")
        ax = figure.subplots()
        (self._draw_distances if self.is_distance else self._draw_scores)(ax)
        limits = ax.get_xlim()
        mark = ax.axvline(limits[0], color="C3", linewidth=1.8, label="this file")
        ax.set_xlim(limits)
        ax.get_legend().remove()
        name = "distance" if self.is_distance else ax.get_xlabel()
        ax.set_xlabel(name, fontsize="x-small")
        ax.set_ylabel("fraction", fontsize="x-small")
        ax.tick_params(which="both", labelsize="x-small")
        figure.legend(loc="outside right upper", fontsize="x-small", frameon=False)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # computed once, since it is slow
        return ax, mark

    def _draw_distances(self, ax):
        thresholds = {
            "threshold": self.evidence.threshold,
            "reference_threshold": self.evidence.reference_threshold,
        }
        shown = thresholds if self.with_thresholds else {}
        DistanceHistogramDisplay(self.scores, own=_OWN, **shown).plot(ax)

    def _draw_scores(self, ax):
        reference = self.evidence.reference_threshold
        thresholds = {
            "offset": -self.evidence.threshold,
            "reference_offset": None if reference is None else -reference,
        }
        shown = thresholds if self.with_thresholds else {}
        scores = {name: -scores for name, scores in self.scores.items()}
        ScoreHistogramDisplay(scores, own=_OWN, **shown).plot(ax)
