"""Histograms of scores or distances by source, with thresholds."""

import numpy as np

from sklearn_flipad.base.estimators import last_step

__all__ = ["OWN", "calibration_scores", "draw_histograms", "draw_thresholds", "split_by_source"]

#: Name of the calibration samples.
OWN = "own samples held out"


def split_by_source(values, source):
    """A dict of the values of each source, in the order in which the sources first occur."""
    values, source = np.asarray(values), np.asarray(source)
    return {str(name): values[source == name] for name in dict.fromkeys(source)}


def calibration_scores(attributor, X=None, *, name="suspects", fnr=None, fpr=0.05):
    """Anomaly scores by source, and the evidence of the calibration samples.

    The sources are the calibration samples, the reference population and the suspects, as far as
    there are any.
    """
    last = last_step(attributor)
    evidence = last.weigh(last.calibration_scores_, fnr=fnr, fpr=fpr)
    scores = {OWN: last.calibration_scores_}
    if evidence.reference_threshold is not None:
        scores[last.reference_name_] = last.reference_scores_
    if X is not None:
        scores[name] = -attributor.score_samples(X)
    return scores, evidence


def draw_histograms(ax, values, edges, *, own, **kwargs):
    """Draw a histogram of the values of each source."""
    for index, (name, found) in enumerate(values.items()):
        style = {"histtype": "step", "alpha": 1}
        if name == own:
            style = {"histtype": "stepfilled", "alpha": 0.5}
        ax.hist(
            found,
            edges,
            weights=np.full(len(found), 1 / len(found)),
            label=name,
            color=f"C{index}",
            **{**style, **kwargs},
        )
    ax.set_ylabel("fraction of the source")


def draw_thresholds(ax, threshold, reference_threshold):
    """Draw the thresholds, the undecided zone between them, and the legend."""
    if threshold is not None:
        ax.axvline(threshold, color="black", linestyle="--", linewidth=1, label="threshold")
    if reference_threshold is not None:
        options = {"color": "black", "linestyle": ":", "linewidth": 1}
        ax.axvline(reference_threshold, label="threshold of the reference", **options)
        if threshold is not None:
            ends = sorted([threshold, reference_threshold])
            ax.axvspan(*ends, color="0.85", zorder=0, label="undecided")
    ax.legend(frameon=reference_threshold is not None, fontsize="small")
