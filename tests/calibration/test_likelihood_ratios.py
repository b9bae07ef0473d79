"""Likelihood ratios are those of known densities, bounded by what the samples support."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from sklearn_flipad.calibration.likelihood_ratios import (
    ELUB,
    CountBounds,
    GaussianLR,
    IsotonicLR,
    KernelDensityLR,
    LogisticLR,
)
from sklearn_flipad.evaluation import cllr, cllr_cal, cllr_min, dev_pav, misleading_rates

CALIBRATORS = (LogisticLR(), IsotonicLR(), KernelDensityLR(), GaussianLR())
LIR = json.loads((Path(__file__).parents[1] / "data/likelihood_ratios/lir.json").read_text())


def draw(rng, n, m):
    """Anomaly scores of the model, and of a population that is two deviations away."""
    return rng.normal(0, 1, n), rng.normal(2, 1, m)


def true_log10_lr(scores):
    return (2 - 2 * scores) / math.log(10)


def labeled(own, reference):
    return np.repeat([1, -1], [len(own), len(reference)]), np.concatenate([own, reference])


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda c: type(c).__name__)
def test_known_densities(calibrator):
    rng = np.random.default_rng(0)
    costs, best, means, misled = [], [], [], []
    for _ in range(60):
        own, reference = draw(rng, 150, 300)
        new = draw(rng, 500, 500)
        found = [calibrator.log10_lr(own, reference, scores) for scores in new]
        seen = [calibrator.log10_lr(own, reference, scores) for scores in (own, reference)]
        low, high = ELUB().bounds(*seen)
        bounded = [logs.clip(low, high) for logs in found]
        costs.append(cllr(*labeled(*bounded)))
        best.append(cllr(*labeled(*map(true_log10_lr, new))))
        means.append((10 ** bounded[1]).mean())
        misled.append((found[1] >= high).mean() * 10**high)
    assert abs(np.mean(costs) - np.mean(best)) < 0.04
    # Its mean is 1 without bounds, and not much less with them. Pooling sees more than there is.
    assert 0.7 < np.mean(means) < 1.3
    # A ratio of at least L misleads in at most 1 of L cases.
    assert np.mean(misled) < 1


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda c: type(c).__name__)
def test_numbers_of_samples_are_no_evidence(calibrator):
    rng = np.random.default_rng(1)
    own, reference = draw(rng, 200, 200)
    scores = np.linspace(0, 2, 9)
    more = np.repeat(reference, 10)
    found, again = (calibrator.log10_lr(own, r, scores) for r in (reference, more))
    # A bandwidth is smaller with more samples, a penalty lighter.
    tolerance = {"KernelDensityLR": 0.5, "LogisticLR": 0.15}.get(type(calibrator).__name__, 1e-9)
    np.testing.assert_allclose(again, found, atol=tolerance)


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda c: type(c).__name__)
def test_units_and_order_do_not_matter(calibrator):
    rng = np.random.default_rng(2)
    own, reference = draw(rng, 50, 80)
    scores = np.linspace(-2, 4, 13)
    found = calibrator.log10_lr(own, reference, scores)
    moved = calibrator.log10_lr(
        1e-6 * rng.permutation(own) + 3, 1e-6 * reference + 3, 1e-6 * scores + 3
    )
    np.testing.assert_allclose(moved, found, atol=1e-6)


def test_scores_that_do_not_overlap():
    own, reference = np.linspace(0, 1, 99), np.linspace(5, 6, 999)
    scores = [0.5, 2.0, 3.0, 4.0, 5.5]
    np.testing.assert_array_equal(
        IsotonicLR().log10_lr(own, reference, scores), [np.inf, 0, 0, 0, -np.inf]
    )
    for calibrator in CALIBRATORS:
        seen = [calibrator.log10_lr(own, reference, s) for s in (own, reference)]
        low, high = ELUB().bounds(*seen)
        assert -2 <= low < -0.3
        assert 0.3 < high <= 3
    assert CountBounds().bounds(*seen) == (-2, 3)
    assert np.isfinite(LogisticLR().log10_lr(own, reference, [-1e9, 1e9])).all()


def test_ties_and_discrete_scores():
    own, reference = [0, 0, 0, 1], [0, 1, 1, 1]
    found = IsotonicLR().log10_lr(own, reference, [0, 0.5, 1])
    np.testing.assert_allclose(found, [np.log10(3), 0, -np.log10(3)], atol=1e-12)
    for calibrator in (KernelDensityLR(), GaussianLR()):
        with pytest.raises(ValueError, match=r"own_scores that differ.*IsotonicLR"):
            calibrator.log10_lr([1, 1, 1], reference, [0])
    # As the message says.
    np.testing.assert_array_equal(IsotonicLR().log10_lr([1, 1], [1, 1], [1, 2]), 0)
    assert LogisticLR().log10_lr([1, 1], [1, 1], [1, 2]).tolist() == [0, 0]


@pytest.mark.parametrize("bad", [[], [np.nan], [[1.0]], [np.inf]])
def test_scores_that_are_none(bad):
    with pytest.raises(ValueError, match="scores"):
        LogisticLR().log10_lr(bad, [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="scores"):
        LogisticLR().log10_lr([0.0, 1.0], [1.0, 2.0], bad)


def test_a_kernel_far_from_a_suspect():
    calibrator = KernelDensityLR(monotone=False)
    found = calibrator.log10_lr(np.arange(50), 100 + np.arange(50), [1e4, -1e4])
    assert found[0] < -100
    assert found[1] > 100


@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("deviations", [(1, 4), (4, 1), (1, 1)])
def test_ratios_never_rise_with_the_score(calibrator, deviations):
    rng = np.random.default_rng(3)
    own, reference = rng.normal(0, deviations[0], 80), rng.normal(3, deviations[1], 200)
    grid = np.linspace(-40, 40, 4001)
    found = calibrator.log10_lr(own, reference, grid)
    assert (found[1:] <= found[:-1] + 1e-12).all()
    # A sample that fits better than all own ones is not held against the model.
    assert found[0] > 0 > found[-1]


@pytest.mark.parametrize("calibrator", [KernelDensityLR, GaussianLR])
def test_monotone_ratios_are_those_of_the_densities_where_these_are_in_order(calibrator):
    rng = np.random.default_rng(4)
    for n, m in ((150, 300), (2000, 4000)):
        own, reference = draw(rng, n, m)
        scores = np.linspace(0.5, 1.5, 50)  # between the two, where the ratio falls
        found = calibrator().log10_lr(own, reference, scores)
        exact = calibrator(monotone=False).log10_lr(own, reference, scores)
        np.testing.assert_allclose(found, exact, atol=0.01)


def test_scores_the_wrong_way_round_are_no_evidence():
    rng = np.random.default_rng(5)
    own, reference = rng.normal(2, 1, 100), rng.normal(0, 1, 100)
    for calibrator in CALIBRATORS:
        assert np.abs(calibrator.log10_lr(own, reference, [-1.0, 1.0, 3.0])).max() < 0.2


@pytest.mark.parametrize("case", LIR)
def test_metrics_are_those_of_lir(case):
    y, logs = labeled(case["own"], case["reference"])
    for metric in (cllr, cllr_min, cllr_cal, dev_pav):
        expected = case[metric.__name__]
        np.testing.assert_allclose(metric(y, logs), expected, atol=1e-6, err_msg=metric.__name__)
    # lir tries thresholds of a grid, whose step is 1e-4 here.
    found = ELUB().bounds(case["own"], case["reference"])
    np.testing.assert_allclose(found, case["elub"], atol=2e-4)


def test_bounds_of_ratios_that_say_nothing_or_mislead():
    assert ELUB().bounds([0.0] * 50, [0.0] * 50) == (0, 0)
    assert ELUB().bounds([-2.0] * 50, [2.0] * 50) == (0, 0)
    assert ELUB().bounds([1.0], [-1.0]) == (0, 0)
    with pytest.raises(ValueError, match="at least one"):
        ELUB().bounds([], [1.0])
    with pytest.raises(ValueError, match="own_log10_lr"):
        ELUB().bounds([np.nan], [1.0])


def test_metrics_of_infinite_ratios():
    y = [1, 1, -1, -1]
    assert cllr(y, [np.inf, np.inf, -np.inf, -np.inf]) == 0
    assert cllr(y, [np.inf, -np.inf, -np.inf, -np.inf]) == np.inf
    assert cllr_min(y, [np.inf, 1, 0, -np.inf]) == 0
    own, others = misleading_rates(y, [np.inf, -1, -np.inf, 1])
    assert (own.value, others.value) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("y", "logs", "message"),
    [
        ([1, 1], [0, 0], "samples of the model"),
        ([1, -1], [0, np.nan], "1 of 2 log10_lr are NaN"),
        ([1, -1], [0, 1, 2], "labels"),
        ([1, 7], [0, 1], "label"),
    ],
)
def test_what_cannot_be_judged(y, logs, message):
    for metric in (cllr, cllr_min, cllr_cal, dev_pav, misleading_rates):
        with pytest.raises(ValueError, match=message):
            metric(y, logs)
