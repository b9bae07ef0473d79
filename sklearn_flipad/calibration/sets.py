"""Evidence about many suspects at once, from p-values that share one calibration set.

Conformal p-values that share a calibration set are dependent: a calibration set that happens to
score low makes all of them small. The dependence is positive (PRDS), under which Simes' test, the
closed testing that is built on it, and the Benjamini-Hochberg procedure hold their levels (Bates
et al., 2023). The suspects themselves must be independent draws: many frames of one video, or
copies of one file, are one suspect.

P-values of the rule PAC are upper bounds, larger than conformal ones for any confidence of at least
0.64, and may be used instead.

For `p_own`, the null hypothesis for each suspect is that the model made it; for `p_reference`,
that it is from the reference population.
"""

import numpy as np
from scipy import stats

from sklearn_flipad.calibration._scores import check_p_values, check_probability, check_scores

__all__ = ["rank_sum_p_value", "select_with_fdr", "simes_p_value", "true_discovery_bound"]


def simes_p_value(p_values):
    """Simes' p-value of the hypothesis that all null hypotheses hold.

    For `p_own`: "the model made all of these". For `p_reference`: "all of these are from the
    reference population, none from the model".

    Parameters
    ----------
    p_values : array-like of shape (n,)
        Conformal p-values of one kind, with one calibration set.

    Returns
    -------
    float
        ``min_i n p_(i) / i`` over the sorted p-values.

    Raises
    ------
    ValueError
        If there are none, or one is not in [0, 1].

    References
    ----------
    Simes, "An improved Bonferroni procedure for multiple tests of significance", Biometrika
    1986.

    Bates, Candès, Lei, Romano and Sesia, "Testing for outliers with conformal p-values",
    Annals of Statistics 2023.

    Examples
    --------
    >>> from sklearn_flipad.calibration import simes_p_value
    >>> simes_p_value([0.04, 0.03, 0.02])
    0.04
    """
    p_values = np.sort(check_p_values(p_values))
    n = len(p_values)
    return float((n * p_values / np.arange(1, n + 1)).min())


def rank_sum_p_value(calibration_scores, scores, *, alternative="larger"):
    """P-value of the hypothesis that suspects and calibration samples are of one population.

    Wilcoxon's rank-sum test, also called Mann and Whitney's. If "all of these are from the model"
    holds, suspects and calibration samples are exchangeable, so the test keeps its level, whatever
    the detector and the calibration set. If all suspects come from one other source, as the rows
    of a table do, it is far more powerful than Simes' test: it adds up evidence that is weak in
    each, and is not bound by the smallest p-value that the calibration set can give. If only a few
    of many are foreign, Simes' test is more powerful.

    Parameters
    ----------
    calibration_scores : array-like of shape (n,)
        Anomaly scores of the model's samples on which the detector was not fitted.
    scores : array-like of shape (n_suspects,)
        Anomaly scores of suspects, which must be independent draws.
    alternative : {"larger", "smaller", "different"}, default="larger"
        Which scores speak against the population: larger ones, smaller ones, or both.

    Returns
    -------
    float
        Exact where there are at most 8 suspects or calibration samples and no ties; else by the
        normal approximation, corrected for ties.

    Raises
    ------
    ValueError
        If there are no scores of either kind, one is not finite, or `alternative` is unknown.

    References
    ----------
    Mann and Whitney, "On a test of whether one of two random variables is stochastically larger
    than the other", Annals of Mathematical Statistics 1947.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.calibration import rank_sum_p_value
    >>> rng = np.random.default_rng(0)
    >>> calibration, suspects = rng.normal(size=1000), rng.normal(0.5, size=100)
    >>> bool(rank_sum_p_value(calibration, suspects) < 1e-3)
    True
    """
    names = {"larger": "greater", "smaller": "less", "different": "two-sided"}
    if alternative not in names:
        raise ValueError(f"alternative must be one of {', '.join(names)}, got {alternative!r}.")
    calibration_scores = check_scores("calibration_scores", calibration_scores)
    scores = check_scores("scores", scores)
    found = stats.mannwhitneyu(scores, calibration_scores, alternative=names[alternative])
    return float(found.pvalue)


def true_discovery_bound(p_values, *, confidence=0.95, subset=None):
    """Lower confidence bound for the number of false null hypotheses.

    For `p_own`: how many suspects, at least, the model did not make. For `p_reference`: how many,
    at least, are not from the reference population, which is how many the model made if every
    suspect is from one of the two. Closed testing with Simes' test: the bounds for all subsets hold
    at the same time, so a subset may be chosen after the p-values were seen.

    Parameters
    ----------
    p_values : array-like of shape (n,)
        Conformal p-values of one kind, with one calibration set, of all suspects.
    confidence : float, default=0.95
        Confidence of all bounds together, in (0, 1).
    subset : array-like of bool of shape (n,) or of int, default=None
        Mask or indices of the suspects to bound the number for; all by default.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there are no p-values, one is not in [0, 1], `confidence` is not in (0, 1), or a suspect
        is in `subset` twice.
    IndexError
        If `subset` is a mask of another length, or an index is out of range.

    References
    ----------
    Goeman and Solari, "Multiple testing for exploratory research", Statistical Science 2011.

    Goeman, Meijer, Krebs and Solari, "Simultaneous control of all false discovery proportions
    in large-scale multiple hypothesis testing", Biometrika 2019, for the shortcut.

    Examples
    --------
    >>> from sklearn_flipad.calibration import true_discovery_bound
    >>> p_values = [0.001, 0.004, 0.01, 0.2, 0.7]
    >>> true_discovery_bound(p_values)
    3
    >>> true_discovery_bound(p_values, subset=[1, 3])
    1
    """
    p_values = check_p_values(p_values)
    check_probability("confidence", confidence)
    chosen = p_values if subset is None else _subset(p_values, subset)
    level = round(1 - confidence, 12)  # 0.05, not 0.05000000000000004
    largest = _largest_unrejected(np.sort(p_values), level)
    if largest == 0 or not len(chosen):
        return len(chosen)
    sizes = np.arange(1, len(chosen) + 1)
    n_small = np.searchsorted(np.sort(chosen), sizes * level / largest, side="right")
    return int(max(0, (1 - sizes + n_small).max()))


def select_with_fdr(p_values, *, fdr=0.05):
    """Suspects whose null hypotheses are rejected with a controlled false discovery rate.

    For `p_own`: suspects that the model did not make. For `p_reference`: suspects that are not from
    the reference population. The expected fraction of errors in the list is at most `fdr`. It says
    nothing about a single suspect in it.

    Parameters
    ----------
    p_values : array-like of shape (n,)
        Conformal p-values of one kind, with one calibration set.
    fdr : float, default=0.05
        False discovery rate, in (0, 1).

    Returns
    -------
    ndarray of bool, shape (n,)
        Whether each suspect is in the list.

    Raises
    ------
    ValueError
        If there are no p-values, one is not in [0, 1], or `fdr` is not in (0, 1).

    See Also
    --------
    scipy.stats.false_discovery_control : Adjusted p-values.

    References
    ----------
    Benjamini and Hochberg, "Controlling the false discovery rate", Journal of the Royal
    Statistical Society B 1995.

    Benjamini and Yekutieli, "The control of the false discovery rate in multiple testing under
    dependency", Annals of Statistics 2001.

    Examples
    --------
    >>> from sklearn_flipad.calibration import select_with_fdr
    >>> select_with_fdr([0.001, 0.2, 0.01, 0.7])
    array([ True, False,  True, False])
    """
    p_values = check_p_values(p_values)
    check_probability("fdr", fdr)
    return stats.false_discovery_control(p_values, method="bh") <= fdr


def _largest_unrejected(p_values, level):
    """Size of the largest set of hypotheses that Simes' test does not reject.

    Of all sets of one size, the one with the largest p-values is rejected last. If it is not
    rejected, neither is that of the next smaller size, so bisection finds the size.
    """
    low, high = 0, len(p_values)
    while low < high:
        size = (low + high + 1) // 2
        largest = p_values[len(p_values) - size :]
        if (largest * size > level * np.arange(1, size + 1)).all():
            low = size
        else:
            high = size - 1
    return low


def _subset(p_values, subset):
    rows = np.arange(len(p_values))[np.asarray(subset, dtype=None if len(subset) else int)]
    if len(np.unique(rows)) < len(rows):
        raise ValueError("subset must hold each suspect once.")
    return p_values[rows]
