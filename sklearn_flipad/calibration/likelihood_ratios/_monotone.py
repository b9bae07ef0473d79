"""Monotone ratios of densities."""

import numpy as np
from sklearn.isotonic import isotonic_regression

__all__ = ["monotone"]

#: Scores at which a ratio is made monotone: of 5,000 and more, 1,000 give the same ratios within
#: 0.01 (``tests/calibration/test_likelihood_ratios.py``).
_N_KNOTS = 1000


def monotone(log10_lr, own, reference):
    """The ratio `log10_lr`, a function of scores, as one that never rises with the score.

    Where it rises, neighbors are pooled: the share of the model's mass is averaged over both
    populations, so that the mean ratio under the reference stays. Between scores of the sorted
    populations the logarithm is interpolated, beyond all of them it is constant.
    """
    knots = np.unique(np.concatenate([own, reference]))
    if len(knots) > _N_KNOTS:
        knots = knots[np.linspace(0, len(knots) - 1, _N_KNOTS).round().astype(int)]
    logs = np.asarray(log10_lr(knots))
    weights = sum(
        np.diff(np.searchsorted(scores, knots, side="right"), prepend=0) / len(scores)
        for scores in (own, reference)
    )
    share = _share(logs)
    pooled = isotonic_regression(share, sample_weight=weights, increasing=False)
    with np.errstate(divide="ignore"):
        found = np.log10(pooled) - np.log10(np.maximum(1 - pooled, 0))
    # Shares round to 0 and 1; ratios that are in order are kept as they are.
    found = np.where(pooled == share, logs, found)
    found = np.minimum.accumulate(found)
    return lambda scores: np.interp(scores, knots, found)


def _share(logs):
    """Probability of the model at even odds, from log10 ratios."""
    return 0.5 * (1 + np.tanh(0.5 * np.log(10) * logs))
