"""Thresholds, p-values and verdicts with chosen error rates."""

from sklearn_flipad.calibration.attributors import NamedAttributors, calibrator_of
from sklearn_flipad.calibration.content import ContentWeights
from sklearn_flipad.calibration.evidence import Evidence
from sklearn_flipad.calibration.file_strata import FileStrata
from sklearn_flipad.calibration.martingale import ConformalMartingale
from sklearn_flipad.calibration.open_set import OpenSetAttributor
from sklearn_flipad.calibration.open_set_evidence import OpenSetEvidence
from sklearn_flipad.calibration.p_values import conformal_p_values
from sklearn_flipad.calibration.rules import PAC, Conformal, Quantile, ThresholdRule, as_rule
from sklearn_flipad.calibration.sets import (
    rank_sum_p_value,
    select_with_fdr,
    simes_p_value,
    true_discovery_bound,
)
from sklearn_flipad.calibration.threshold import FNRThresholdCalibrator
from sklearn_flipad.calibration.weighted import select_with_fdr_weighted, weighted_p_values
from sklearn_flipad.calibration.weighted_evidence import WeightedEvidence, weighted_evidence

__all__ = [
    "PAC",
    "Conformal",
    "ConformalMartingale",
    "ContentWeights",
    "Evidence",
    "FNRThresholdCalibrator",
    "FileStrata",
    "NamedAttributors",
    "OpenSetAttributor",
    "OpenSetEvidence",
    "Quantile",
    "ThresholdRule",
    "WeightedEvidence",
    "as_rule",
    "calibrator_of",
    "conformal_p_values",
    "rank_sum_p_value",
    "select_with_fdr",
    "select_with_fdr_weighted",
    "simes_p_value",
    "true_discovery_bound",
    "weighted_evidence",
    "weighted_p_values",
]
