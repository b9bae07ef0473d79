"""Conformal p-values: how often a population scores at least as extremely as a suspect."""

import numpy as np

__all__ = ["check_p_values", "check_scores", "conformal_p_values", "count_at_least"]


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
        Which scores speak against the population. "larger" asks whether suspects are more
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


def count_at_least(calibration_scores, scores):
    """Number of calibration scores that are at least as large as each score.

    Parameters
    ----------
    calibration_scores : ndarray, shape (n,)
        Sorted.
    scores : ndarray, shape (n_suspects,)
        Scores.

    Returns
    -------
    ndarray of int, shape (n_suspects,)
    """
    return len(calibration_scores) - np.searchsorted(calibration_scores, scores, side="left")


def check_scores(name, scores):
    """Scores as an array, if they are a non-empty list of finite numbers.

    Parameters
    ----------
    name : str
        What errors call them.
    scores : array-like of shape (n,)
        Scores.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        If the shape is another one, there are none, or one is NaN or infinite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), got {scores.shape}.")
    if not len(scores):
        raise ValueError(f"{name} must hold at least one number, got none.")
    n_bad = int((~np.isfinite(scores)).sum())
    if n_bad:
        raise ValueError(f"{n_bad} of {len(scores)} {name} are NaN or infinite.")
    return scores


def check_p_values(p_values):
    """P-values as an array, if they are a non-empty list of numbers in [0, 1].

    Parameters
    ----------
    p_values : array-like of shape (n,)
        P-values.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        If the shape is another one, there are none, or one is not in [0, 1].
    """
    p_values = check_scores("p_values", p_values)
    outside = (p_values < 0) | (p_values > 1)
    if outside.any():
        raise ValueError(
            f"p_values must lie in [0, 1], got {p_values[outside][0]:g}; these may be scores."
        )
    return p_values
