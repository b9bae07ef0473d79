"""Metrics of attribution, with exact intervals."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from sklearn_flipad.base.labels import check_labels

__all__ = ["AttributionScores", "Rate", "attribution_scores", "clopper_pearson"]


@dataclass(frozen=True)
class Rate:
    """A rate with its Clopper-Pearson interval.

    Attributes
    ----------
    count, n : int
        Numbers of successes and trials.
    low, high : float
        Ends of the interval.
    """

    count: int
    n: int
    low: float
    high: float

    @property
    def value(self):
        """``count / n``, NaN without trials."""
        return self.count / self.n if self.n else float("nan")

    def __str__(self):
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class AttributionScores:
    """Scores of an attribution.

    Attributes
    ----------
    accuracy : float
        Balanced accuracy: the mean of the true-positive and true-negative rates, as with the
        paper's equal numbers of samples.
    fnr : Rate
        Fraction of the model's samples that were attributed to others.
    fpr : Rate
        Fraction of other samples that were attributed to the model.
    auc : float
        Area under the ROC curve; NaN without scores.
    """

    accuracy: float
    fnr: Rate
    fpr: Rate
    auc: float


def attribution_scores(y_true, y_pred, scores=None, *, confidence=0.95):
    """Compute the accuracy, the error rates with exact intervals, and the AUC.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        +1 for the model's samples, -1 for others.
    y_pred : array-like of shape (n,)
        Decisions, +1 or -1.
    scores : array-like of shape (n,), default=None
        Values of ``decision_function`` or ``score_samples``, for the AUC.
    confidence : float, default=0.95
        Confidence level of the intervals, in (0, 1).

    Returns
    -------
    AttributionScores

    Raises
    ------
    ValueError
        If the lengths differ, a label is not +1 or -1, or a class is missing in
        `y_true`.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import attribution_scores
    >>> scores = attribution_scores([1, 1, -1, -1], [1, -1, -1, -1])
    >>> scores.accuracy, scores.fnr.value, scores.fpr.value
    (0.75, 0.5, 0.0)
    """
    y_true = check_labels(y_true, len(y_true))
    y_pred = check_labels(y_pred, len(y_true))
    if (y_true == 0).any() or (y_pred == 0).any():
        raise ValueError("y_true and y_pred must contain +1 and -1 only, got also 0.")
    own, foreign = y_true == 1, y_true == -1
    if not (own.any() and foreign.any()):
        raise ValueError("y_true must contain both +1 and -1; it contains one class only.")
    fnr = clopper_pearson(int((y_pred[own] == -1).sum()), int(own.sum()), confidence)
    fpr = clopper_pearson(int((y_pred[foreign] == 1).sum()), int(foreign.sum()), confidence)
    auc = float("nan") if scores is None else float(roc_auc_score(y_true, np.asarray(scores)))
    return AttributionScores(1 - (fnr.value + fpr.value) / 2, fnr, fpr, auc)


def clopper_pearson(count, n, confidence=0.95):
    """Compute the exact interval of a binomial proportion.

    Parameters
    ----------
    count, n : int
        Numbers of successes and trials, ``0 <= count <= n``, ``n >= 1``.
    confidence : float, default=0.95
        Confidence level, in (0, 1).

    Returns
    -------
    Rate

    Raises
    ------
    ValueError
        If `count` or `confidence` is out of range.

    References
    ----------
    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 1934.
    """
    interval = stats.binomtest(count, n).proportion_ci(confidence, method="exact")
    return Rate(count, n, float(interval.low), float(interval.high))
