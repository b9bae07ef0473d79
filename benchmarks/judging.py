"""Judgments of fitted attributors, as rows of results."""

from collections import Counter

import numpy as np

from benchmarks.machine import timed
from sklearn_flipad.calibration import Conformal
from sklearn_flipad.evaluation import attribution_scores, clopper_pearson

__all__ = ["interval", "judge", "judge_pair", "judge_reproduction"]


def judge(attributor, X, y, tests, *, owner, fnrs, **names):
    """Fit an attributor and judge each foreign source of `tests` against the model's own samples.

    There is a row for each source and false-negative rate, whose columns start with `names`.
    """
    _, fit_s = timed(attributor.fit, X, y)
    scores, score_s = timed(
        lambda: {name: attributor.score_samples(x) for name, x in tests.items()}
    )
    calibration = attributor["detect"].calibration_scores_
    rows = []
    for fnr in fnrs:
        least = -Conformal().threshold(calibration, fnr)
        for source in tests:
            if source != owner:
                row = {"owner": owner, **names, "fnr": fnr, "source": source}
                row |= judge_pair(scores[owner], scores[source], least)
                row["median_scores"] = {
                    name: float(np.median(scores[name])) for name in (owner, source)
                }
                rows.append(row | {"fit_min": fit_s / 60, "score_min": score_s / 60})
    return rows


def judge_pair(own, foreign, least):
    """Accuracy, AUC and rates, where samples with a score of `least` or more are accepted."""
    both = np.concatenate([own, foreign])
    truth = np.repeat([1, -1], [len(own), len(foreign)])
    found = attribution_scores(truth, np.where(both >= least, 1, -1), both)
    row = {"accuracy": found.accuracy, "auc": found.auc}
    for name in ("fnr", "fpr"):
        rate = getattr(found, name)
        row[f"found_{name}"] = [rate.value, rate.low, rate.high]
    return row


def judge_reproduction(attributor, X):
    """Verdicts and outcomes of an attributor by reproduction, with the milliseconds a sample."""
    calibrator = attributor["detect"]
    found, seconds = timed(calibrator.estimator_.reconstruct, X)
    accepted = -found.distances >= calibrator.offset_
    return {
        "n": len(X),
        "accepted": int(accepted.sum()),
        "interval": interval(accepted.sum(), len(X), digits=5)[1:],
        "outcomes": dict(Counter(found.outcomes.tolist())),
        "ms": round(1e3 * seconds / len(X), 2),
        "distances": [round(float(q), 3) for q in np.quantile(found.distances, [0, 0.5, 0.99, 1])],
        "median_distance": float(np.median(found.distances)),
        "equal": round(float(np.median(found.equal)), 4),
        "n_iter": round(float(np.mean(found.n_iter)), 1),
    }


def interval(count, n, digits=None):
    """A rate and the ends of its exact interval of 95 %."""
    rate = clopper_pearson(count, n)
    values = [float(value) for value in (rate.value, rate.low, rate.high)]
    return values if digits is None else [round(value, digits) for value in values]
