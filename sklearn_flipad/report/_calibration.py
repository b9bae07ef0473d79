"""Where the score of a suspect lies among those that calibrated the verdict."""

import numpy as np

from sklearn_flipad.calibration._estimators import last_step
from sklearn_flipad.plotting import DistanceHistogramDisplay, ScoreHistogramDisplay
from sklearn_flipad.report._pictures import figure_picture
from sklearn_flipad.reproduction import ReconstructionDetector

__all__ = ["CalibrationPlot"]

#: What the sources are called; a name from elsewhere might hold anything.
_OWN, _REFERENCE = "own samples, held out", "reference samples"
_CAPTION = "the score of this file among those of held-out samples"


class CalibrationPlot:
    """Histograms of calibration scores, with a mark for one suspect after the other.

    Parameters
    ----------
    attributor : estimator
        Fitted.
    evidence : Evidence or None
        Any of it, for the thresholds.
    """

    def __init__(self, attributor, evidence):
        self.evidence = evidence
        if evidence is None:
            return
        last = last_step(attributor)
        self.scores = {_OWN: last.calibration_scores_}
        if evidence.p_reference is not None:
            self.scores[_REFERENCE] = last.reference_scores_
        smallest = min(scores.min() for scores in self.scores.values())
        is_distance = isinstance(last_step(last.estimator_), ReconstructionDetector)
        self.is_distance = is_distance and smallest > 0

    def picture(self, score):
        """The histograms with a mark.

        Parameters
        ----------
        score : float
            As ``score_samples`` gives it.

        Returns
        -------
        Picture, or None if nothing calibrated the score
        """
        if self.evidence is None:
            return None
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.8, 1.6), layout="constrained")
        ax = figure.subplots()
        value = -score if self.is_distance else score
        (self._draw_distances if self.is_distance else self._draw_scores)(ax)
        low, high = ax.get_xlim()
        beyond = not low <= value <= high
        ax.axvline(np.clip(value, low, high), color="C3", linewidth=2.5, label="this file")
        ax.set_xlim(low, high)
        ax.get_legend().remove()
        ax.xaxis.label.set_size("x-small")
        ax.set_ylabel("fraction", fontsize="x-small")
        ax.tick_params(labelsize="x-small")
        figure.legend(loc="outside right upper", fontsize="x-small", frameon=False)
        note = "; it lies beyond the end of the axis" if beyond else ""
        return figure_picture(figure, f"{_CAPTION}{note}")

    def _draw_distances(self, ax):
        DistanceHistogramDisplay(
            self.scores,
            threshold=self.evidence.threshold,
            reference_threshold=self.evidence.reference_threshold,
            own=_OWN,
        ).plot(ax)

    def _draw_scores(self, ax):
        reference = self.evidence.reference_threshold
        ScoreHistogramDisplay(
            {name: -scores for name, scores in self.scores.items()},
            offset=-self.evidence.threshold,
            reference_offset=None if reference is None else -reference,
            own=_OWN,
        ).plot(ax)
