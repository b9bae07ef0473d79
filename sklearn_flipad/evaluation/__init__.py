"""Evaluation of attributors: metrics, perturbations, near-copies, attacks and robustness."""

from sklearn_flipad.evaluation.attacks import AttackResult, forgery_attack, removal_attack
from sklearn_flipad.evaluation.file_format import FileFormat
from sklearn_flipad.evaluation.likelihood_ratios import (
    cllr,
    cllr_cal,
    cllr_min,
    dev_pav,
    empirical_cross_entropy,
    misleading_rates,
    pooled_log10_lr,
)
from sklearn_flipad.evaluation.metrics import (
    AttributionScores,
    Rate,
    attribution_scores,
    clopper_pearson,
)
from sklearn_flipad.evaluation.near_copies import (
    near_copies,
    noisy_copy,
    pruned_copy,
    rounded_copy,
)
from sklearn_flipad.evaluation.random_processing import RandomProcessing
from sklearn_flipad.evaluation.random_sound_processing import RandomSoundProcessing
from sklearn_flipad.evaluation.robustness import robustness_curve
from sklearn_flipad.evaluation.scorers import labeled_scorer, neg_cllr
from sklearn_flipad.evaluation.slight_changes import slight_changes
from sklearn_flipad.evaluation.trained_copies import distilled_copy, fine_tuned_copy
from sklearn_flipad.evaluation.unknown_geometry import UnknownGeometry
from sklearn_flipad.evaluation.unknown_processing import UnknownProcessing

__all__ = [
    "AttackResult",
    "AttributionScores",
    "FileFormat",
    "RandomProcessing",
    "RandomSoundProcessing",
    "Rate",
    "UnknownGeometry",
    "UnknownProcessing",
    "attribution_scores",
    "cllr",
    "cllr_cal",
    "cllr_min",
    "clopper_pearson",
    "dev_pav",
    "distilled_copy",
    "empirical_cross_entropy",
    "fine_tuned_copy",
    "forgery_attack",
    "labeled_scorer",
    "misleading_rates",
    "near_copies",
    "neg_cllr",
    "noisy_copy",
    "pooled_log10_lr",
    "pruned_copy",
    "removal_attack",
    "robustness_curve",
    "rounded_copy",
    "slight_changes",
]
