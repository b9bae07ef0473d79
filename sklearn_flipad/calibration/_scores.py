"""Checks of scores, p-values and probabilities."""

import numpy as np

__all__ = ["check_p_values", "check_probability", "check_scores", "count_at_least"]


def check_probability(name, value):
    """Raise ValueError if a value is not in (0, 1)."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value}.")


def check_scores(name, scores):
    """Scores as float64 of shape (n,); ValueError if there are none or one is not finite."""
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
    """P-values as float64 of shape (n,); ValueError if there are none or one is not in [0, 1]."""
    p_values = check_scores("p_values", p_values)
    outside = (p_values < 0) | (p_values > 1)
    if outside.any():
        raise ValueError(
            f"p_values must lie in [0, 1], got {p_values[outside][0]:g}; these may be scores."
        )
    return p_values


def count_at_least(calibration_scores, scores):
    """Numbers of sorted calibration scores that are at least each score, shape (n_suspects,)."""
    return len(calibration_scores) - np.searchsorted(calibration_scores, scores, side="left")
