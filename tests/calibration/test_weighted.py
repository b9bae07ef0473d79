"""P-values, selection and evidence weighted by content: definitions, error levels, refusals."""

from functools import partial

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from sklearn_flipad import AttributionPipeline, FNRThresholdCalibrator
from sklearn_flipad.calibration import (
    ContentWeights,
    conformal_p_values,
    select_with_fdr,
    select_with_fdr_weighted,
    weighted_evidence,
    weighted_p_values,
)
from sklearn_flipad.evaluation import clopper_pearson
from tests.simulations import N_RUNS, SCORES, draw, keeps_level

table = partial(ContentWeights, features=np.asarray)


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    weights = rng.exponential(size=60), rng.exponential(size=40)
    return draw(rng, "ties", 60), draw(rng, "ties", 40, shift=1), *weights


def test_p_values_by_definition(scores):
    calibration, suspects, v, w = scores
    by_hand = [
        (wj + sum(vi for c, vi in zip(calibration, v, strict=True) if c >= s)) / (wj + v.sum())
        for s, wj in zip(suspects, w, strict=True)
    ]
    np.testing.assert_allclose(weighted_p_values(*scores), by_hand, rtol=1e-12)
    # Only ratios of weights matter.
    scaled = weighted_p_values(calibration, suspects, 7 * v, 7 * w)
    np.testing.assert_allclose(scaled, by_hand, rtol=1e-12)


@pytest.mark.parametrize("weight", [1.0, 0.3, 1e-12, 7e200])
@pytest.mark.parametrize("kind", SCORES)
def test_equal_weights_change_nothing(kind, weight):
    rng = np.random.default_rng(0)
    for n in (5, 99, 301):
        calibration, suspects = draw(rng, kind, n), draw(rng, kind, 30, shift=1)
        weighted = calibration, suspects, np.full(n, weight), np.full(30, weight)
        p = conformal_p_values(calibration, suspects)
        np.testing.assert_array_equal(weighted_p_values(*weighted), p)
        for fdr in (0.05, 0.1, 0.3, 0.5):
            found = select_with_fdr_weighted(*weighted, fdr=fdr, random_state=n)
            np.testing.assert_array_equal(found, select_with_fdr(p, fdr=fdr))


def test_order_and_batch_do_not_matter(scores):
    calibration, suspects, v, w = scores
    p, rng = weighted_p_values(*scores), np.random.default_rng(0)
    i, j = rng.permutation(60), rng.permutation(40)
    moved = weighted_p_values(calibration[i], suspects[j], v[i], w[j])
    np.testing.assert_array_equal(moved, p[j])
    for k in range(40):
        alone = weighted_p_values(calibration, suspects[[k]], v, w[[k]])
        assert alone == p[k]


def shifted(rng, n):
    """Contents, scores that depend on them, and weights: n that calibrate and a suspect."""
    content = np.append(rng.normal(size=n), rng.normal(1))
    scores, weights = content + rng.normal(size=n + 1), np.exp(content)
    return scores[:n], scores[n:], weights[:n], weights[n:]


def test_p_values_keep_every_level_under_the_true_weights():
    rng = np.random.default_rng(0)
    runs = [shifted(rng, 40) for _ in range(N_RUNS)]
    levels = np.arange(1, 20) / 20
    p = np.array([weighted_p_values(*run)[0] for run in runs])
    assert all(keeps_level(p <= level, level) for level in levels)
    assert (p <= 0.2).mean() > 0.1  # and are not all large
    # Without weights, and without the suspect's own weight, levels are exceeded.
    plain = np.array([conformal_p_values(*run[:2])[0] for run in runs])
    assert not keeps_level(plain <= 0.05, 0.05)
    short = np.array([v[c >= s].sum() / v.sum() for c, s, v, _ in runs])
    assert not keeps_level(short <= 0.05, 0.05)


def selected_by_definition(calibration, scores, v, w, fdr, share):
    """Weighted conformalized selection with homogeneous pruning, in loops."""
    n = len(scores)
    p, sizes = weighted_p_values(calibration, scores, v, w), []
    for j in range(n):
        others = [
            (v[calibration >= s].sum() + w[j] * (scores[j] >= s)) / (v.sum() + w[j]) for s in scores
        ]
        others[j] = 0
        others.sort()
        sizes.append(max(k for k in range(1, n + 1) if others[k - 1] <= fdr * k / n))
    first = [j for j in range(n) if p[j] <= fdr * sizes[j] / n]
    sizes = [share * size for size in sizes]
    enough = [r for r in range(1, n + 1) if sum(sizes[j] <= r for j in first) >= r]
    return np.array([j in first and sizes[j] <= max(enough, default=0) for j in range(n)])


def test_selection_by_definition():
    rng = np.random.default_rng(0)
    counts = []
    for seed in range(100):
        calibration, suspects = rng.normal(size=80), rng.normal(1.5, 1.5, size=20)
        run = calibration, suspects, rng.exponential(size=80), rng.exponential(size=20)
        found = select_with_fdr_weighted(*run, fdr=0.3, random_state=seed)
        share = 1 - np.random.RandomState(seed).random_sample()
        expected = selected_by_definition(*run, fdr=0.3, share=share)
        np.testing.assert_array_equal(found, expected)
        counts.append(found.sum())
    assert len(set(counts)) > 5


def test_selection_keeps_its_rate():
    rng = np.random.default_rng(0)
    is_own, rates, n_found = np.arange(20) < 10, [], 0
    for seed in range(N_RUNS):
        content = np.append(rng.normal(size=200), rng.normal(1, size=20))
        scores = content + rng.normal(size=220)
        scores[210:] += 5
        weights = np.exp(content)
        found = select_with_fdr_weighted(
            scores[:200], scores[200:], weights[:200], weights[200:], fdr=0.2, random_state=seed
        )
        rates.append(found[is_own].sum() / max(1, found.sum()))
        n_found += found[~is_own].sum()
    error = np.std(rates) / np.sqrt(N_RUNS)
    assert 0.03 < np.mean(rates) < 0.1 + 4 * error  # at most fdr times the share of own ones
    assert n_found > 0.4 * 10 * N_RUNS


@pytest.mark.parametrize(
    ("v", "w", "match"),
    [
        ([1.0], [1.0], "calibration_weights must be as many as the scores, 2, got 1"),
        ([1.0, 1.0], [1.0, 1.0], "weights must be as many as the scores, 1, got 2"),
        ([1.0, -1.0], [1.0], "must not be negative"),
        ([1.0, np.nan], [1.0], "NaN"),
        ([0.0, 0.0], [1.0], "all zero"),
        ([1.0, 0.0], [0.0], "must be positive"),
    ],
)
def test_bad_weights_are_refused(v, w, match):
    for function in (weighted_p_values, select_with_fdr_weighted):
        with pytest.raises(ValueError, match=match):
            function([1.0, 2.0], [1.0], v, w)


@pytest.fixture
def contents():
    """Contents of own samples and suspects, and the ratio of their densities for the former."""
    rng = np.random.default_rng(0)
    own, suspects = rng.normal(size=(1000, 2)), rng.normal(size=(500, 2))
    suspects[:, 0] += 1
    return own, suspects, np.exp(own[:, 0] - 0.5)


def test_weights_estimate_the_ratio_of_densities(contents):
    own, suspects, ratio = contents
    content = table().fit(own, suspects)
    errors = np.log(content.calibration_weights_ / ratio)
    assert np.abs(errors).mean() < 0.2
    assert abs(content.calibration_weights_.mean() - 1) < 0.1
    same = table().fit(own, own[:500] + np.random.default_rng(1).normal(size=(500, 1)) * 0.01)
    assert (same.effective_sizes_ > 800).mean() > 0.99
    # Kish's number for the true ratio, 1000 / e, or fewer for suspects of rare content.
    assert content.effective_sizes_.max() == pytest.approx(1000 / np.e, rel=0.25)
    assert content.effective_sizes_[suspects[:, 0].argmax()] < 100


def test_weights_do_not_depend_on_the_order(contents):
    own, suspects, _ = contents
    own[:300] = own[300:600]  # equal contents too
    content = table().fit(own, suspects)
    rng = np.random.default_rng(0)
    i, j = rng.permutation(len(own)), rng.permutation(len(suspects))
    moved = table().fit(own[i], suspects[j])
    np.testing.assert_array_equal(moved.calibration_weights_, content.calibration_weights_[i])
    np.testing.assert_array_equal(moved.weights_, content.weights_[j])
    np.testing.assert_array_equal(moved.effective_sizes_, content.effective_sizes_[j])
    first, second = content.calibration_weights_[:300], content.calibration_weights_[300:600]
    np.testing.assert_array_equal(first, second)


def test_weights_of_a_certain_classifier_are_bounded(contents):
    own, suspects, _ = contents
    content = table(classifier=DecisionTreeClassifier(random_state=0)).fit(own, suspects)
    for weights in (content.calibration_weights_, content.weights_):
        assert weights.min() >= 2 / 1201
        assert weights.max() <= 2 * 1201
    # Each is judged by a tree that has not seen it: it does not know all own samples as such.
    assert (content.calibration_weights_ > 1).sum() > 100


class Brightness(BaseEstimator):
    """A detector whose score is brightness and noise, which is in the finest scale alone."""

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        X = X.reshape(-1, 1, 16, 16)
        noise = X[:, 0, ::2, ::2] - X[:, 0, 1::2, ::2]
        return -X.mean(axis=(1, 2, 3)) - noise.mean(axis=(1, 2))


def pictures(n, brightness, seed, noise=0.0):
    """Flat pictures about a brightness, with stripes of random strength."""
    rng = np.random.default_rng(seed)
    stripes = np.where(np.arange(16) % 2, -0.5, 0.5)[:, None] * rng.normal(noise, 8, (n, 1, 1, 1))
    return rng.normal(brightness, 10, (n, 1, 1, 1)) + stripes + rng.normal(0, 1, (n, 1, 16, 16))


@pytest.fixture(scope="module")
def attributor():
    calibrator = FNRThresholdCalibrator(Brightness(), fnr=0.05, random_state=0)
    return AttributionPipeline([("detect", calibrator)]).fit(pictures(1000, 100, 0))


def test_missed_rate_on_other_content(attributor):
    own, suspects = pictures(2000, 100, 1), pictures(500, 112, 2)
    evidence = weighted_evidence(attributor, suspects, own)
    rate = clopper_pearson(int(evidence.own_rejected.sum()), 500)
    assert rate.low <= 0.05 <= rate.high
    plain = attributor.evidence(suspects)
    assert clopper_pearson(int(plain.own_rejected.sum()), 500).low > 0.1
    # The same suspects from elsewhere are still rejected.
    others = pictures(500, 112, 3, noise=40)
    both = weighted_evidence(attributor, np.concatenate([suspects, others]), own)
    rate = clopper_pearson(int(both.own_rejected[:500].sum()), 500)
    assert rate.low <= 0.05 <= rate.high
    assert both.own_rejected[500:].mean() > 0.8
    selected = both.selected(fdr=0.1, random_state=0)
    assert selected[500:].mean() > 0.8
    assert selected[:500].mean() < 0.1
    np.testing.assert_array_equal(both.own_rejected, both.p_own <= 0.05)
    np.testing.assert_array_equal(both.anomaly_scores[:500], plain.anomaly_scores)


def test_evidence_by_hand_and_with_a_reference(attributor):
    own, suspects = pictures(400, 100, 1), pictures(100, 105, 2, noise=10)
    attributor.calibrate_reference(pictures(200, 100, 4, noise=40), name="striped")
    evidence = weighted_evidence(attributor, suspects, own, fnr=0.1, fpr=0.1)
    content = ContentWeights().fit(own, suspects)
    weights = content.calibration_weights_, content.weights_
    scores = -attributor.score_samples(own), -attributor.score_samples(suspects)
    np.testing.assert_array_equal(evidence.p_own, weighted_p_values(*scores, *weights))
    np.testing.assert_array_equal(evidence.own_rejected, evidence.p_own <= 0.1)
    plain = attributor.evidence(suspects, fnr=0.1, fpr=0.1)
    np.testing.assert_array_equal(evidence.p_reference, plain.p_reference)
    frame = evidence.to_frame()
    assert {*frame["verdict"]} == {"own", "not own", "undecided"}
    np.testing.assert_array_equal(frame["effective_size"], content.effective_sizes_)
    assert evidence.n_calibration == 400


def test_suspects_of_content_that_own_samples_lack_are_undecided(attributor):
    attributor.calibrate_reference(pictures(200, 300, 4), name="bright")
    own = pictures(400, 100, 1)
    far = pictures(5, 190, 3), pictures(5, 10, 5)
    suspects = np.concatenate([pictures(90, 100, 2), *far])
    evidence = weighted_evidence(attributor, suspects, own)
    assert (evidence.effective_sizes[90:] < 19).all()
    assert (evidence.verdicts[90:] == "undecided").all()
    assert np.isinf(evidence.threshold[90:]).all()
    assert (evidence.verdicts[:90] == "own").mean() > 0.8


def test_hardly_any_overlap_is_refused(attributor):
    own, suspects = pictures(400, 100, 1), pictures(100, 190, 2)
    with pytest.raises(ValueError, match=r"hardly overlap: 400 .* fnr=0.05 takes 19"):
        weighted_evidence(attributor, suspects, own)
    # The advice: own samples with content like that of the suspects.
    more = np.concatenate([own, pictures(400, 190, 3)])
    assert weighted_evidence(attributor, suspects, more).own_rejected.mean() < 0.15


def test_strata_are_weighted_one_by_one():
    own, suspects = pictures(2000, 100, 1), pictures(20, 112, 2)
    calibrator = FNRThresholdCalibrator(Brightness(), fnr=0.05, random_state=0)
    X, strata = pictures(1000, 100, 0), np.repeat(["a", "b"], 500)
    calibrator.fit(X, strata=strata)
    with pytest.raises(ValueError, match="calibrated by strata"):
        weighted_evidence(calibrator, suspects, own)
    assert len(weighted_evidence(calibrator.in_stratum("a"), suspects, own).p_own) == 20


def test_own_samples_must_be_new(attributor):
    suspects = pictures(50, 100, 2)
    own = np.concatenate([pictures(1000, 100, 0)[:10], pictures(100, 100, 1)])
    with pytest.raises(ValueError, match="10 of 110 own samples were seen in fit"):
        weighted_evidence(attributor, suspects, own)
    advised = weighted_evidence(attributor, suspects, own[~attributor.was_seen(own)])
    assert advised.n_calibration == 100
    doubled = np.repeat(pictures(100, 100, 1), 2, axis=0)  # copies count once
    again = weighted_evidence(attributor, suspects, doubled)
    np.testing.assert_array_equal(again.p_own, advised.p_own)


def test_refusals(attributor):
    own, suspects = pictures(100, 100, 1), pictures(50, 100, 2)
    with pytest.raises(ValueError, match="4 suspects of different content are too few"):
        weighted_evidence(attributor, suspects[:4], own)
    with pytest.raises(ValueError, match=r"fnr=0\.005 .* needs at least 199"):
        weighted_evidence(attributor, suspects, own, fnr=0.005)
    with pytest.raises(TypeError, match="best_estimator_"):
        weighted_evidence(GridSearchCV(attributor, {}), suspects, own)
    rows = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(ValueError, match=r"pass ContentWeights\(features=\.\.\.\)"):
        ContentWeights().fit(rows, rows)
    with pytest.raises(ValueError, match=r"3 features .* suspects 2"):
        table().fit(rows, rows[:, :2])


def test_content_of_sizes_and_types():
    own, suspects = pictures(60, 100, 0), pictures(40, 110, 1)
    as_array = ContentWeights().fit(own, suspects)
    as_list = ContentWeights().fit([*own[:-1], own[-1][:, :, :15]], suspects)
    assert as_list.calibration_weights_.shape == (60,)
    scaled = ContentWeights().fit(own / 255, suspects / 255)  # the scale of pixels is none
    np.testing.assert_allclose(scaled.weights_, as_array.weights_, rtol=1e-3)
    with pytest.raises(ValueError, match="images have shape"):
        ContentWeights().fit(own[..., 0], suspects[..., 0])
