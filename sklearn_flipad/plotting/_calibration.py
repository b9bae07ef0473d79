"""What displays of scores and of distances have in common."""

__all__ = ["OWN", "calibration_scores", "draw_thresholds"]

#: What the calibration samples are called.
OWN = "own samples held out"


def calibration_scores(attributor, X=None, *, name="suspects", fnr=None, fpr=0.05):
    """Anomaly scores by what they are of, and what they were weighed with.

    Parameters
    ----------
    attributor : FNRThresholdCalibrator or AttributionPipeline
        Fitted, with a rule that has p-values.
    X : array-like, shape (n, ...), default=None
        Suspects; none by default.
    name : str, default="suspects"
        What the suspects are called.
    fnr, fpr
        Levels, see :meth:`sklearn_flipad.FNRThresholdCalibrator.evidence`.

    Returns
    -------
    scores : dict of str to ndarray of shape (n,)
        Of the calibration samples, the reference population if there is one, and the suspects.
    evidence : Evidence
        Of the calibration samples, with the thresholds.

    Raises
    ------
    ValueError, NotImplementedError
        As ``evidence``.
    """
    last = attributor[-1] if hasattr(attributor, "steps") else attributor
    evidence = last.weigh(last.calibration_scores_, fnr=fnr, fpr=fpr)
    scores = {OWN: last.calibration_scores_}
    if evidence.reference_threshold is not None:
        scores[last.reference_name_] = last.reference_scores_
    if X is not None:
        scores[name] = -attributor.score_samples(X)
    return scores, evidence


def draw_thresholds(ax, threshold, reference_threshold):
    """Draw the thresholds that there are, and shade what is undecided between two of them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    threshold, reference_threshold : float or None
        Where the model, and the reference population, is rejected.
    """
    if threshold is not None:
        ax.axvline(threshold, color="black", linestyle="--", linewidth=1, label="threshold")
    if reference_threshold is not None:
        options = {"color": "black", "linestyle": ":", "linewidth": 1}
        ax.axvline(reference_threshold, label="threshold of the reference", **options)
        if threshold is not None:
            ends = sorted([threshold, reference_threshold])
            ax.axvspan(*ends, color="0.85", zorder=0, label="undecided")
