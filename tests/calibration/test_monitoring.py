"""Conformal martingales: false alarms, power, and what they must not depend on."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_flipad.calibration import ConformalMartingale, conformal_p_values
from sklearn_flipad.calibration.martingale import _EXPONENTS
from tests.simulations import N_RUNS, SCORES, draw, keeps_level


def runs(kind, alternative, *, n_calibration=50, n=60, jump=0.01, shift=0.0, seed=0, n_runs=N_RUNS):
    """P-values at the end, of 1,000 runs: one over the largest capital on the way."""
    rng = np.random.default_rng(seed)
    monitor = ConformalMartingale(alternative=alternative, jump=jump)
    return np.array(
        [
            monitor.fit(draw(rng, kind, n_calibration))
            .update(draw(rng, kind, n, shift=shift))
            .p_value_
            for _ in range(n_runs)
        ]
    )


@pytest.mark.parametrize("alternative", ["larger", "smaller", "two-sided"])
@pytest.mark.parametrize("kind", SCORES)
def test_false_alarms_are_rare_at_any_time(kind, alternative):
    for jump in (0.0, 0.1):
        p = runs(kind, alternative, jump=jump)
        for level in (0.05, 0.2):
            assert keeps_level(p <= level, level)
    if kind == "continuous":
        assert (p <= 0.2).any()


def test_bets_on_p_values_of_one_shared_set_are_caught():
    """The product that looks right and is not: each p-value against the calibration set alone."""

    class Broken(ConformalMartingale):
        def _counts(self, scores):
            n_ranks = len(self._sorted) + np.arange(1, len(scores) + 1)
            return (conformal_p_values(self._sorted, scores) * n_ranks)[:, None]

    rng, broken = np.random.default_rng(0), Broken(alternative="larger", jump=0)
    p = np.array(
        [
            broken.fit(rng.normal(size=50)).update(rng.normal(size=300)).p_value_
            for _ in range(N_RUNS)
        ]
    )
    assert not keeps_level(p <= 0.05, 0.05)


def test_power_grows_with_the_number_of_samples():
    options = {"n_calibration": 200, "n_runs": 200}
    for alternative, shift in [("larger", 0.7), ("smaller", -0.7), ("two-sided", -0.7)]:
        shares = [
            (runs("continuous", alternative, n=n, shift=shift, **options) <= 0.01).mean()
            for n in (10, 40, 160)
        ]
        assert shares[0] < shares[1] < shares[2]
        assert shares[2] > 0.9
    other_side = runs("continuous", "larger", n=160, shift=-0.7, **options)
    assert (other_side > 0.2).mean() > 0.9


def test_a_late_change_is_found():
    rng = np.random.default_rng(0)
    monitor = ConformalMartingale().fit(rng.normal(size=500))
    assert not monitor.update(rng.normal(size=1000)).alarm(0.01)
    assert monitor.update(rng.normal(1, 1, size=200)).alarm(0.01)
    assert monitor.log_martingale_ > np.log(100)


def test_path_by_definition():
    """Without jumps, the capital is the average over the bets, each a product over the scores."""
    rng = np.random.default_rng(0)
    calibration, scores = draw(rng, "ties", 20), draw(rng, "ties", 30)
    capitals = np.ones((2, len(_EXPONENTS)))
    monitor = ConformalMartingale(jump=0).fit(calibration).update(scores)
    for index, score in enumerate(scores):
        before = np.r_[calibration, scores[:index]]
        ranks = np.arange(1, len(before) + 2)
        for side, as_extreme in enumerate((before >= score, before <= score)):
            for bet, k in enumerate(_EXPONENTS):
                rank = 1 + as_extreme.sum()
                capitals[side, bet] *= rank ** (k - 1) / np.mean(ranks ** (k - 1))
        assert monitor.log_path_[index] == pytest.approx(np.log(capitals.mean()))


def test_parts_are_the_same_as_the_whole():
    rng = np.random.default_rng(0)
    calibration, scores = draw(rng, "ties", 30), draw(rng, "ties", 40, shift=1)
    whole = ConformalMartingale().fit(calibration).update(scores)
    parts = clone(whole).fit(calibration)
    for part in np.split(scores, [1, 15, 16]):
        parts.update(part)
    np.testing.assert_allclose(parts.log_path_, whole.log_path_)
    assert parts.p_value_ == pytest.approx(whole.p_value_)
    assert (parts.n_calibration_, parts.n_scores_) == (30, 40)
    assert whole.log_path_[-1] == whole.log_martingale_
    assert whole.fit(calibration).log_martingale_ == 0


def test_constant_scores_are_no_evidence():
    monitor = ConformalMartingale().fit(np.ones(50)).update(np.ones(200))
    assert monitor.log_martingale_ < 0
    assert monitor.p_value_ == 1


def test_bad_input_changes_nothing():
    monitor = ConformalMartingale().fit([1.0, 2.0]).update([3.0])
    before = monitor.log_martingale_
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        monitor.update([1.0, np.nan])
    assert (monitor.log_martingale_, monitor.n_scores_) == (before, 1)
    with pytest.raises(ValueError, match="level must lie"):
        monitor.alarm(0)
    with pytest.raises(ValueError, match="calibration_scores must hold"):
        ConformalMartingale().fit([])
    for parameters in ({"alternative": "greater"}, {"jump": 1.0}, {"jump": -0.1}):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            ConformalMartingale(**parameters).fit([1.0])
    with pytest.raises(NotFittedError):
        ConformalMartingale().update([1.0])
