"""Cross-entropy by prior odds, pooled ratios, and the scorer of evidence."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.svm import OneClassSVM

from sklearn_flipad import FNRThresholdCalibrator
from sklearn_flipad.calibration.likelihood_ratios import LRSystem
from sklearn_flipad.evaluation import (
    cllr,
    cllr_min,
    empirical_cross_entropy,
    neg_cllr,
    pooled_log10_lr,
)

LIR = json.loads((Path(__file__).parents[1] / "data/likelihood_ratios/lir.json").read_text())
ODDS = np.array([-3, -1.5, 0, 0.5, 3])


def labeled(own, reference):
    return np.repeat([1, -1], [len(own), len(reference)]), np.concatenate([own, reference])


@pytest.mark.parametrize("case", LIR)
def test_cross_entropy_is_that_of_lir(case):
    y, logs = labeled(case["own"], case["reference"])
    found = empirical_cross_entropy(y, logs, case["log10_prior_odds"])
    np.testing.assert_allclose(found, case["ece"], atol=1e-6)
    assert len(found) > 3


def test_cross_entropy_is_minus_the_mean_logarithm_of_the_right_posterior():
    rng = np.random.default_rng(0)
    own, reference = rng.normal(1, 1, 30), rng.normal(-1, 2, 50)
    y, logs = labeled(own, reference)
    prior = 10**ODDS / (1 + 10**ODDS)
    posterior = (odds := 10 ** (ODDS[:, None] + logs)) / (1 + odds)
    of_own = -np.log2(posterior[:, y == 1]).mean(axis=1)
    of_reference = -np.log2(1 - posterior[:, y == -1]).mean(axis=1)
    found = empirical_cross_entropy(y, logs, ODDS)
    np.testing.assert_allclose(found, prior * of_own + (1 - prior) * of_reference, rtol=1e-9)
    assert found[2] == cllr(y, logs)
    # Ratios that say nothing leave the entropy of the prior; those that mislead, more.
    entropy = -prior * np.log2(prior) - (1 - prior) * np.log2(1 - prior)
    np.testing.assert_allclose(empirical_cross_entropy(y, 0 * logs, ODDS), entropy, rtol=1e-9)
    assert (empirical_cross_entropy(y, -logs, ODDS) > entropy).all()


def test_cross_entropy_of_infinite_ratios():
    y = [1, 1, -1, -1]
    np.testing.assert_array_equal(
        empirical_cross_entropy(y, [np.inf, np.inf, -np.inf, -np.inf], ODDS), 0
    )
    np.testing.assert_array_equal(
        empirical_cross_entropy(y, [np.inf, -np.inf, 0, 0], [-300, 0, 300]), np.inf
    )
    for odds in ([np.inf], [np.nan], [301.0]):
        with pytest.raises(ValueError, match="between -300 and 300"):
            empirical_cross_entropy(y, [1, 1, -1, -1], odds)


def test_pooled_ratios():
    rng = np.random.default_rng(1)
    y, logs = labeled(rng.normal(1, 1, 80).round(1), rng.normal(-1, 1, 120).round(1))
    found = pooled_log10_lr(y, logs)
    assert cllr(y, found) == cllr_min(y, logs)
    order = np.argsort(logs)
    assert (np.diff(found[order][np.isfinite(found[order])]) >= 0).all()
    # In the order of the samples; unlabeled ones calibrate nothing.
    shuffled = rng.permutation(len(y))
    np.testing.assert_array_equal(pooled_log10_lr(y[shuffled], logs[shuffled]), found[shuffled])
    more = pooled_log10_lr(np.append(y, [0, 0]), np.append(logs, [99, logs[3]]))
    np.testing.assert_array_equal(more, np.append(found, [np.inf, found[3]]))


def test_scorer_of_evidence():
    rng = np.random.default_rng(2)
    X = np.concatenate([rng.normal(0, 1, (240, 2)), rng.normal(2, 1, (240, 2))])
    y = np.repeat([1, -1], 240)
    y[::10] = 0
    lr = LRSystem(n_bootstrap=2)
    calibrator = FNRThresholdCalibrator(
        OneClassSVM(), fnr=0.1, reference="others", lr=lr, random_state=0
    )
    scores = cross_val_score(calibrator, X, y, scoring=neg_cllr, cv=3)
    assert ((scores > -1) & (scores < 0)).all()
    calibrator.fit(X, y)
    labels = y != 0
    expected = -cllr(y[labels], calibrator.evidence(X[labels]).log10_lr)
    assert neg_cllr(calibrator, X, y) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no likelihood ratios"):
        neg_cllr(calibrator.set_params(lr=None).fit(X, y), X, y)
