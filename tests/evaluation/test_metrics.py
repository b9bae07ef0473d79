"""Attribution scores and their intervals."""

import numpy as np
import pytest
from scipy import stats

from sklearn_flipad.evaluation import attribution_scores, clopper_pearson


def test_rates_and_accuracy():
    y_true = np.repeat([1, -1], [200, 50])
    y_pred = y_true.copy()
    y_pred[:10] = -1
    y_pred[-20:] = 1
    scores = attribution_scores(y_true, y_pred, scores=y_pred + 0.0)
    assert scores.fnr.value == 0.05
    assert scores.fpr.value == 0.4
    assert scores.accuracy == pytest.approx(1 - (0.05 + 0.4) / 2)
    assert scores.auc == pytest.approx(0.775)
    assert np.isnan(attribution_scores(y_true, y_pred).auc)
    assert str(scores.fnr).startswith("0.0500 [0.02")


@pytest.mark.parametrize(("count", "n"), [(0, 100), (5, 1000), (100, 100), (3, 7)])
def test_interval_against_its_definition(count, n):
    rate = clopper_pearson(count, n)
    assert rate.low <= rate.value <= rate.high
    if count:
        assert stats.binom.sf(count - 1, n, rate.low) == pytest.approx(0.025)
    if count < n:
        assert stats.binom.cdf(count, n, rate.high) == pytest.approx(0.025)


def test_interval_covers():
    rng = np.random.default_rng(0)
    counts = rng.binomial(300, 0.02, size=2000)
    intervals = {c: clopper_pearson(int(c), 300) for c in np.unique(counts)}
    covered = np.mean([intervals[c].low <= 0.02 <= intervals[c].high for c in counts])
    assert covered >= 0.95


@pytest.mark.parametrize(
    ("y_true", "y_pred", "match"),
    [
        ([1, 1], [1, 1], "one class only"),
        ([1, -1, 0], [1, 1, 1], "got also 0"),
        ([1, -1], [1, 2], "got also 2"),
        ([1, -1], [1], "1 labels for 2 samples"),
    ],
)
def test_bad_labels(y_true, y_pred, match):
    with pytest.raises(ValueError, match=match):
        attribution_scores(y_true, y_pred)
