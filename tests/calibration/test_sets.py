"""Sets of suspects that share one calibration set: levels, power, and the shortcut."""

from itertools import chain, combinations

import numpy as np
import pytest

from sklearn_flipad.calibration import (
    PAC,
    rank_sum_p_value,
    select_with_fdr,
    simes_p_value,
    true_discovery_bound,
)
from tests.simulations import BROKEN, N_RUNS, SCORES, draw, keeps_level, p_values


def subsets(items):
    items = list(items)
    return chain.from_iterable(combinations(items, size) for size in range(1, len(items) + 1))


def bound_by_definition(p, level, chosen):
    """Closed testing over all intersections of hypotheses."""
    rejected = {s for s in subsets(range(len(p))) if simes_p_value(p[list(s)]) <= level}
    closed = {
        s
        for s in subsets(range(len(p)))
        if all(t in rejected for t in subsets(range(len(p))) if set(s) <= set(t))
    }
    kept = [len(s) for s in subsets(chosen) if s not in closed]
    return len(chosen) - max(kept, default=0)


@pytest.mark.parametrize("kind", ["continuous", "multiples of 1/20"])
@pytest.mark.parametrize("confidence", [0.95, 0.9, 0.5])
def test_bound_against_closed_testing(kind, confidence):
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(40):
        n = rng.integers(1, 6)
        p = rng.beta(0.3, 1.5, size=n)
        if kind != "continuous":
            p = np.ceil(20 * p) / 20
        chosen = np.flatnonzero(rng.random(n) < 0.6)
        expected = bound_by_definition(p, 1 - confidence + 1e-12, range(n))
        assert true_discovery_bound(p, confidence=confidence) == expected
        seen.add(expected)
        expected = bound_by_definition(p, 1 - confidence + 1e-12, chosen)
        assert true_discovery_bound(p, confidence=confidence, subset=chosen) == expected
        mask = np.isin(np.arange(n), chosen)
        assert true_discovery_bound(p, confidence=confidence, subset=mask) == expected
    assert len(seen) > 2


def sets_of_suspects(kind, statistic=p_values, *, n=15, n_others=0, shift=1.5, seed=0):
    """P-values of 1,000 sets, each with its own calibration set that the suspects share."""
    rng = np.random.default_rng(seed)
    calibration, suspects = draw(rng, kind, N_RUNS, 99), draw(rng, kind, N_RUNS, n - n_others)
    others = draw(rng, kind, N_RUNS, n_others, shift=shift)
    return statistic(calibration, np.concatenate([suspects, others], axis=1))


@pytest.mark.parametrize("level", [0.05, 0.2])
@pytest.mark.parametrize("kind", SCORES)
def test_simes_keeps_its_level(kind, level):
    p = np.array([simes_p_value(row) for row in sets_of_suspects(kind)])
    assert keeps_level(p <= level, level)


def test_the_p_values_of_a_set_are_dependent():
    """Else the simulation would show nothing: small ones come together."""
    small = (sets_of_suspects("continuous") <= 0.1).sum(axis=1)
    assert small.var() > 1.15 * 15 * 0.1 * 0.9


@pytest.mark.parametrize(("broken", "kind"), BROKEN)
def test_broken_p_values_are_caught(broken, kind):
    p = np.array([simes_p_value(row) for row in sets_of_suspects(kind, broken)])
    assert not all(keeps_level(p <= level, level) for level in (0.05, 0.2, 0.5))


@pytest.mark.parametrize("kind", SCORES)
def test_bound_is_seldom_too_high(kind):
    p = sets_of_suspects(kind, n_others=6, shift=3)
    bounds = np.array([true_discovery_bound(row, confidence=0.9) for row in p])
    assert keeps_level(bounds > 6, 0.1)
    # For the subset that looks best afterwards, too.
    chosen = np.argsort(p, axis=1)[:, :7]
    within = [
        true_discovery_bound(row, confidence=0.9, subset=rows)
        for row, rows in zip(p, chosen, strict=True)
    ]
    assert keeps_level(within > (chosen >= 9).sum(axis=1), 0.1)
    assert (bounds >= 1).mean() > 0.5 or kind == "discrete"


@pytest.mark.parametrize("kind", SCORES)
def test_false_discovery_rate(kind):
    p = sets_of_suspects(kind, n_others=6, shift=3)
    selected = np.array([select_with_fdr(row, fdr=0.2) for row in p])
    wrong = selected[:, :9].sum(axis=1) / np.maximum(1, selected.sum(axis=1))
    # The rate that Benjamini and Hochberg's procedure keeps is that of the true nulls.
    assert wrong.mean() <= 0.2 * 9 / 15 + 4 * wrong.std() / np.sqrt(N_RUNS)
    assert selected[:, 9:].any() or kind == "discrete"


def test_power_grows_with_the_number_of_suspects():
    """Suspects of another source, each hard to tell; the shares are out of 1,000 sets."""
    found, counted = [], []
    for n in (2, 8, 32):
        p = sets_of_suspects("continuous", n=n, n_others=n, shift=2.5)
        found.append(np.mean([simes_p_value(row) <= 0.05 for row in p]))
        counted.append(np.mean([true_discovery_bound(row) for row in p]))
    assert found[0] < found[1] < found[2]
    assert found[2] > 0.9
    assert counted[0] < counted[1] < counted[2]


def test_pac_p_values_keep_the_level_too():
    rng = np.random.default_rng(0)
    rows = [PAC(0.64).p_values(rng.normal(size=99), rng.normal(size=15)) for _ in range(N_RUNS)]
    assert keeps_level(np.array([simes_p_value(row) for row in rows]) <= 0.2, 0.2)


def test_large_sets_are_fast_and_right():
    p = np.r_[np.full(5000, 1e-9), np.linspace(0.001, 1, 95_000)]
    assert 4900 < true_discovery_bound(p) <= 5100
    assert true_discovery_bound(p, subset=np.arange(5000)) > 4900
    assert true_discovery_bound(p, subset=np.arange(90_000, 100_000)) == 0
    assert true_discovery_bound([1e-9] * 3) == 3
    assert true_discovery_bound([1e-9] * 3, subset=[]) == 0


@pytest.mark.parametrize("function", [simes_p_value, true_discovery_bound, select_with_fdr])
@pytest.mark.parametrize(
    ("p", "match"),
    [
        ([], "at least one"),
        ([0.5, np.nan], "NaN"),
        ([0.5, -1.5], r"lie in \[0, 1\], got -1.5"),
        ([[0.5]], r"shape \(n,\)"),
    ],
)
def test_bad_p_values_are_refused(function, p, match):
    with pytest.raises(ValueError, match=match):
        function(p)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="confidence must lie"):
        true_discovery_bound([0.5], confidence=1)
    with pytest.raises(ValueError, match="fdr must lie"):
        select_with_fdr([0.5], fdr=0)
    with pytest.raises(ValueError, match="each suspect once"):
        true_discovery_bound([0.5, 0.1], subset=[1, 1])
    with pytest.raises(IndexError):
        true_discovery_bound([0.5, 0.1], subset=[True])


def rank_sums(kind, *, n=15, shift=0.0, seed=0, **options):
    """Rank-sum p-values of 1,000 sets, each with its own calibration set."""
    rng = np.random.default_rng(seed)
    calibration, suspects = draw(rng, kind, N_RUNS, 99), draw(rng, kind, N_RUNS, n, shift=shift)
    pairs = zip(calibration, suspects, strict=True)
    return np.array([rank_sum_p_value(c, s, **options) for c, s in pairs])


@pytest.mark.parametrize("alternative", ["larger", "smaller", "different"])
@pytest.mark.parametrize("kind", SCORES)
def test_rank_sum_keeps_its_level(kind, alternative):
    p = rank_sums(kind, alternative=alternative)
    for level in (0.01, 0.05, 0.2):
        assert keeps_level(p <= level, level)
    assert (p <= 0.2).mean() > 0.1


def test_rank_sum_is_strong_where_all_are_from_elsewhere():
    p = rank_sums("continuous", shift=0.7)
    simes = [simes_p_value(row) for row in sets_of_suspects("continuous", n_others=15, shift=0.7)]
    assert (p <= 0.01).mean() > 0.4 > 2 * (np.array(simes) <= 0.01).mean()
    assert (rank_sums("continuous", shift=-0.7) <= 0.01).mean() < 0.01
    assert (rank_sums("continuous", shift=-0.7, alternative="smaller") <= 0.01).mean() > 0.4
    few = rank_sum_p_value(np.arange(4.0), [10.0, 11.0])
    assert few == pytest.approx(1 / 15)


def test_rank_sum_of_nothing():
    with pytest.raises(ValueError, match="alternative must be one of larger, smaller, different"):
        rank_sum_p_value([1.0], [2.0], alternative="greater")
    with pytest.raises(ValueError, match="scores must hold at least one"):
        rank_sum_p_value([1.0], [])
    with pytest.raises(ValueError, match="1 of 2 calibration_scores are NaN"):
        rank_sum_p_value([1.0, np.nan], [1.0])
