"""Displays of likelihood ratios: exact steps, ties, and ratios beyond the axes."""

import matplotlib as mpl
import numpy as np
import pytest

from sklearn_flipad.evaluation import (
    cllr,
    cllr_min,
    empirical_cross_entropy,
    pooled_log10_lr,
)
from sklearn_flipad.plotting import ECEDisplay, LRHistogramDisplay, PAVDisplay, TippettDisplay

mpl.use("Agg")

DISPLAYS = (ECEDisplay, LRHistogramDisplay, PAVDisplay, TippettDisplay)
INF = np.inf
#: With ties within and across the kinds, and infinite ratios.
OWN, REFERENCE = [2, 1, 1, -1, INF, INF], [-2, 1, 0.5, -INF]
Y = np.repeat([1, -1], [6, 4])
LOGS = np.array([*OWN, *REFERENCE])


@pytest.fixture(autouse=True)
def close_figures():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_tippett_curves_are_the_shares_at_each_ratio():
    display = TippettDisplay.from_predictions(OWN, REFERENCE, name="A", reference_name="photos")
    assert legend(display) == [
        "A: own samples (n = 6; 2 at ∞)",
        "A: photos (n = 4; 1 at -∞)",
    ]
    low, high = display.ax_.get_xlim()
    assert low < -2
    assert high > 2
    for line, logs in zip(display.ax_.lines, (OWN, REFERENCE), strict=False):
        assert line.get_drawstyle() == "steps-pre"
        x, share = line.get_data()
        assert (x[0], x[-1]) == (low, high)
        np.testing.assert_allclose(share, [np.mean(np.array(logs) >= value) for value in x])
        assert len(x) == len(set(x))
    # Infinite ratios are at the ends of the curves.
    assert display.ax_.lines[0].get_ydata()[-1] == pytest.approx(2 / 6)
    assert display.ax_.lines[1].get_ydata()[0] == pytest.approx(3 / 4)


def test_tippett_within_limits():
    display = TippettDisplay.from_predictions(OWN, REFERENCE, limits=(-1.5, 0.7))
    assert display.ax_.get_xlim() == (-1.5, 0.7)
    assert legend(display) == [
        "own samples (n = 6; 5 > 0.7)",
        "reference population (n = 4; 2 < -1.5; 1 > 0.7)",
    ]
    x, share = display.ax_.lines[0].get_data()
    np.testing.assert_array_equal(x, [-1.5, -1, 0.7])
    np.testing.assert_allclose(share, [1, 1, 5 / 6])


def test_histograms_lose_no_sample():
    options = {"bins": 12, "limits": (-3, 1.5), "histtype": "bar"}
    display = LRHistogramDisplay.from_predictions(OWN, REFERENCE, **options)
    assert legend(display) == [
        "own samples (n = 6; 3 > 1.5)",
        "reference population (n = 4; 1 at -∞)",
    ]
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert (labels[0], labels[-1]) == ("-∞", "> 1.5")
    assert "0" in labels
    start, stop = display.ax_.get_xlim()
    for container, logs in zip(display.ax_.containers, (OWN, REFERENCE), strict=True):
        left, width, height = (
            np.array([getattr(bar, f"get_{name}")() for bar in container])
            for name in ("x", "width", "height")
        )
        counts = np.round(height * len(logs)).astype(int)
        assert counts.sum() == len(logs)
        assert start <= left[0]
        assert left[-1] + width[-1] <= stop
        # A bin of its own on each side, and none between it and the others.
        assert counts[0] == np.sum(np.array(logs) < -3)
        assert counts[-1] == np.sum(np.array(logs) > 1.5)
        assert counts[1] == counts[-2] == 0


def test_pav_places_each_sample():
    display = PAVDisplay.from_predictions(OWN, REFERENCE)
    pooled = pooled_log10_lr(Y, LOGS)
    np.testing.assert_array_equal(display.pooled_own, np.sort(pooled[:6]))
    np.testing.assert_array_equal(display.pooled_reference, np.sort(pooled[6:]))
    own, reference = (found.get_offsets() for found in display.ax_.collections)
    assert len(own) == 6
    assert len(reference) == 4
    (left, right), (bottom, top) = display.ax_.get_xlim(), display.ax_.get_ylim()
    for points in (own, reference):
        assert ((points[:, 0] > left) & (points[:, 0] < right)).all()
        assert ((points[:, 1] > bottom) & (points[:, 1] < top)).all()
    finite = np.isfinite(display.log10_lr_own) & np.isfinite(display.pooled_own)
    np.testing.assert_array_equal(own[finite, 0], display.log10_lr_own[finite])
    np.testing.assert_array_equal(own[finite, 1], display.pooled_own[finite])
    # Those beyond are above and below all others, at a tick that says so.
    ticks = dict(
        zip(
            [label.get_text() for label in display.ax_.get_yticklabels()],
            display.ax_.get_yticks(),
            strict=True,
        )
    )
    assert ticks["∞"] == own[:, 1].max() > display.pooled_own[finite].max()
    assert ticks["-∞"] == reference[:, 1].min()
    n_infinite = np.isinf(pooled[:6]).sum()
    assert legend(display)[1] == f"own samples (n = 6; {n_infinite} at ∞)"


def test_pav_of_calibrated_ratios_is_near_the_diagonal():
    rng = np.random.default_rng(0)
    own, reference = ((2 - 2 * rng.normal(mean, 1, 3000)) / np.log(10) for mean in (0, 2))
    display = PAVDisplay.from_predictions(own, reference)
    line = display.ax_.lines[1]
    x, y = line.get_data()
    assert (np.diff(x) >= 0).all()
    inner = np.abs(x) < 0.6
    assert np.abs(y - x)[inner].max() < 0.2


def test_cross_entropy_curves():
    odds = [-2, 0, 1]
    logs = np.array([2, 1, 1, -1, -2, -1, 0.5, 0])
    y = np.repeat([1, -1], 4)
    display = ECEDisplay.from_predictions(logs[:4], logs[4:], log10_prior_odds=odds, name="A")
    system, pooled, neutral = (line.get_ydata() for line in display.ax_.lines)
    np.testing.assert_allclose(system, empirical_cross_entropy(y, logs, odds))
    np.testing.assert_allclose(pooled, empirical_cross_entropy(y, pooled_log10_lr(y, logs), odds))
    assert (system >= pooled).all()
    assert neutral[1] == 1
    assert legend(display) == [
        f"A (Cllr = {cllr(y, logs):.3f})",
        f"A, pooled (Cllr = {cllr_min(y, logs):.3f})",
        "neutral system",
    ]
    ECEDisplay.from_predictions(logs[:4] / 2, logs[4:] / 2, name="B", ax=display.ax_)
    assert len(display.ax_.lines) == 5


def test_cross_entropy_that_is_infinite():
    display = ECEDisplay.from_predictions([1, -INF], [-1, -1])
    assert legend(display)[0] == "ratios (infinite: an infinite ratio misleads)"
    assert 1 < display.ax_.get_ylim()[1] < 1.5


@pytest.mark.parametrize("display", DISPLAYS)
def test_ratios_without_a_finite_one_or_without_a_difference(display):
    for own, reference in (([INF], [-INF, -INF]), ([0, 0], [0])):
        found = display.from_predictions(own, reference)
        assert np.diff(found.ax_.get_xlim()) > 0
        found.figure_.canvas.draw()


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_is_no_ratio(display):
    for own, reference, name in (
        ([], [1.0], "log10_lr_own"),
        ([1.0], [np.nan], "log10_lr_reference"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be numbers"):
            display.from_predictions(own, reference)
    if display is not ECEDisplay:
        with pytest.raises(ValueError, match="low < high"):
            display.from_predictions([1.0], [0.0], limits=(1, -1))
