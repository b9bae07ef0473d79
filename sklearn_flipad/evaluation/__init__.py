"""Measuring attributors: scores with exact intervals, perturbations, robustness."""

from sklearn_flipad.evaluation.metrics import (
    AttributionScores,
    Rate,
    attribution_scores,
    clopper_pearson,
)
from sklearn_flipad.evaluation.robustness import robustness_curve
from sklearn_flipad.evaluation.scorers import labeled_scorer

__all__ = [
    "AttributionScores",
    "Rate",
    "attribution_scores",
    "clopper_pearson",
    "labeled_scorer",
    "robustness_curve",
]
