"""Conformal p-values."""

import numpy as np

from sklearn_flipad.calibration._scores import check_scores, count_at_least

__all__ = ["conformal_p_values"]


def conformal_p_values(calibration_scores, scores, *, alternative="larger"):
    """Share of calibration scores at least as extreme, the suspect counted in.

    ``(1 + #{calibration >= score}) / (n + 1)`` for the alternative "larger". If suspect and
    calibration samples are exchangeable, such a p-value is at most a with probability at most
    a, for any level a, number n, distribution and detector: exactly ``floor(a (n + 1)) / (n + 1)``
    without ties. Ties count against the rejection. The probability is over the suspect and the
    calibration set together; p-values that share a calibration set are positively dependent.

    Parameters
    ----------
    calibration_scores : array-like of shape (n,)
        Anomaly scores of samples of the population, on which the detector was not fitted.
    scores : array-like of shape (n_suspects,)
        Anomaly scores of the suspects.
    alternative : {"larger", "smaller"}, default="larger"
        Which scores speak against the population. "larger" tests whether suspects are more
        anomalous than the model's own samples; "smaller" whether they are less anomalous, more
        like the model's, than the samples of a reference population.

    Returns
    -------
    ndarray of float64, shape (n_suspects,)
        In [1 / (n + 1), 1].

    Raises
    ------
    ValueError
        If there are no scores of either kind, one is not finite, or `alternative` is unknown.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005.

    Bates, Candès, Lei, Romano and Sesia, "Testing for outliers with conformal p-values",
    Annals of Statistics 2023.

    Examples
    --------
    >>> from sklearn_flipad.calibration import conformal_p_values
    >>> conformal_p_values([1.0, 2.0, 3.0], [0.0, 3.0, 4.0])
    array([1.  , 0.5 , 0.25])
    """
    if alternative not in ("larger", "smaller"):
        raise ValueError(f"alternative must be one of larger, smaller, got {alternative!r}.")
    calibration_scores = check_scores("calibration_scores", calibration_scores)
    scores = check_scores("scores", scores)
    if alternative == "smaller":
        calibration_scores, scores = -calibration_scores, -scores
    n = len(calibration_scores)
    return (1 + count_at_least(np.sort(calibration_scores), scores)) / (n + 1)
