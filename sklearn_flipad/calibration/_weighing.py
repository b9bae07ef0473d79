"""Scores of suspects against those of own and reference samples."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_flipad.calibration._scores import check_probability
from sklearn_flipad.calibration.evidence import Evidence
from sklearn_flipad.calibration.likelihood_ratios import LRSystem
from sklearn_flipad.calibration.rules import ThresholdRule

__all__ = ["Calibration", "StratifiedCalibration"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Sorted anomaly scores of own and reference samples, and the levels of rejection.

    ValueError if a level is not in (0, 1) or needs more scores than there are.
    """

    rule: ThresholdRule
    own_scores: np.ndarray
    fnr: float
    reference_scores: np.ndarray | None = None
    reference_name: str | None = None
    fpr: float = 0.5  # without effect if there is no reference population
    lr: LRSystem | None = None  # needs a reference population
    stratum: str | None = None

    def __post_init__(self):
        where = "" if self.stratum is None else f" of stratum {self.stratum!r}"
        checks = [("fnr", self.fnr, self.own_scores, f"own samples{where} held out")]
        check_probability("fpr", self.fpr)
        if self.reference_scores is not None:
            samples = f"samples{where} of {self.reference_name!r}"
            checks.append(("fpr", self.fpr, self.reference_scores, samples))
        for name, level, scores, samples in checks:
            check_probability(name, level)
            needed = self.rule.min_size(level)
            if len(scores) < needed:
                raise ValueError(
                    f"{name}={level:g} with {self.rule!r} needs at least {needed} {samples}, but "
                    f"there are {len(scores)}, and no p-value can be so small. Provide more of "
                    f"them, or ask for a larger {name}."
                )

    def weigh(self, anomaly_scores):
        """Evidence about suspects, from their anomaly scores, array-like of shape (n,)."""
        anomaly_scores = np.asarray(anomaly_scores, dtype=np.float64)
        p_reference = reference_threshold = ratios = None
        if self.reference_scores is not None:
            p_reference = self.rule.p_values(-self.reference_scores, -anomaly_scores)
            reference_threshold = -self.rule.threshold(-self.reference_scores, self.fpr)
        if self.lr is not None:
            ratios = self.lr.weigh(self.own_scores, self.reference_scores, anomaly_scores)
        return Evidence(
            anomaly_scores=anomaly_scores,
            p_own=self.rule.p_values(self.own_scores, anomaly_scores),
            p_reference=p_reference,
            fnr=self.fnr,
            fpr=self.fpr,
            threshold=self.rule.threshold(self.own_scores, self.fnr),
            reference_threshold=reference_threshold,
            rule=self.rule,
            reference_name=self.reference_name,
            n_calibration=len(self.own_scores),
            n_reference=0 if self.reference_scores is None else len(self.reference_scores),
            ratios=ratios,
        )


@dataclass(frozen=True, eq=False)
class StratifiedCalibration:
    """A calibration for each part of the suspects, pairs of rows and calibration."""

    parts: list

    def weigh(self, anomaly_scores):
        """Evidence about suspects, each by the calibration of its stratum."""
        scores = np.asarray(anomaly_scores, dtype=np.float64)
        found = [(rows, part.stratum, part.weigh(scores[rows])) for rows, part in self.parts]
        first = found[0][2]

        def joined(name, dtype=np.float64):
            if getattr(first, name) is None:
                return None
            values = np.empty(len(scores), dtype)
            for rows, _, evidence in found:
                values[rows] = getattr(evidence, name)
            return values

        strata = np.empty(len(scores), dtype=object)
        for rows, stratum, _ in found:
            strata[rows] = stratum
        return replace(
            first,
            anomaly_scores=scores,
            p_own=joined("p_own"),
            p_reference=joined("p_reference"),
            threshold=joined("threshold"),
            reference_threshold=joined("reference_threshold"),
            n_calibration=joined("n_calibration", np.int64),
            n_reference=joined("n_reference", np.int64),
            strata=strata.astype(str),
        )
