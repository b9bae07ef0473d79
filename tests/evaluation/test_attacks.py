"""Attacks: budgets that are kept, verdicts that change, and what is not asked for."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from sklearn_flipad.evaluation import forgery_attack, removal_attack


class Brightness(BaseEstimator):
    """Own are images whose mean, weighted by a pattern, is at least a threshold."""

    def __init__(self, threshold=0.0):
        self.threshold = threshold
        self.n_scored = 0
        self.largest = 0

    def pattern(self, shape):
        rng = np.random.default_rng(0)
        # Constant over blocks of 4x4 pixels, so that windows can find it.
        return np.kron(rng.choice([-1.0, 1.0], (shape[-2] // 4, shape[-1] // 4)), np.ones((4, 4)))

    def decision_function(self, X):
        assert X.dtype == np.uint8
        self.n_scored += len(X)
        return (X * self.pattern(X.shape)).mean(axis=(1, 2, 3)) - self.threshold

    def gradient(self, X):
        return np.broadcast_to(self.pattern(X.shape) / np.prod(X.shape[1:]), X.shape)


@pytest.fixture
def images():
    rng = np.random.default_rng(3)
    return rng.integers(60, 190, (6, 2, 16, 16), dtype=np.uint8)


@pytest.mark.parametrize("attack", [removal_attack, forgery_attack])
@pytest.mark.parametrize("budget", [1, 4])
def test_attacks_succeed_within_the_budget(attack, budget, images):
    sign = 1 if attack is removal_attack else -1
    scores = Brightness().decision_function(images)
    # Half of what the budget could change at most lies between the samples and the threshold.
    for x, score in zip(images[:, None], scores, strict=True):
        judge = Brightness(score - sign * budget / 2)
        found = attack(judge, x, budget=budget, max_queries=1500)
        assert found.success.tolist() == [True]
        assert found.samples.dtype == np.uint8
        difference = np.abs(found.samples.astype(int) - x)
        assert difference.max() == budget
        assert np.sign(found.scores + 1e-12)[0] == -sign
        np.testing.assert_array_equal(found.scores, judge.decision_function(found.samples))
        mse = np.square(difference).mean()
        assert found.psnr[0] == pytest.approx(10 * np.log10(255**2 / mse))
        assert judge.n_scored == found.queries[0] + 1
        assert 2 < found.queries[0] <= 1500


def test_what_no_budget_reaches_fails_and_is_as_near_as_was_found(images):
    judge = Brightness(Brightness().decision_function(images).max() + 2.01)
    before = judge.decision_function(images)
    found = forgery_attack(judge, images, budget=2, max_queries=200)
    assert not found.success.any()
    assert (found.queries == 200).all()
    assert (found.scores > before + 0.5).all()
    assert (np.abs(found.samples.astype(int) - images) <= 2).all()


def test_samples_do_not_influence_each_other(images):
    judge = Brightness(Brightness().decision_function(images).max() + 0.5)
    options = {"budget": 3, "max_queries": 120}
    together = forgery_attack(judge, images, **options)
    assert together.success.any()
    assert len(set(together.queries)) > 1
    order = [4, 1, 0, 5, 3, 2]
    shuffled = forgery_attack(judge, images[order], **options)
    for name in ("samples", "success", "queries", "scores", "psnr"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(together, name)[order])
    alone = forgery_attack(judge, images[2:3], **options)
    np.testing.assert_array_equal(alone.samples[0], together.samples[2])
    other = forgery_attack(judge, images, random_state=1, **options)
    assert (other.samples != together.samples).any()


def test_samples_that_are_there_already_cost_one_query_and_stay(images):
    judge = Brightness(1e6)
    found = removal_attack(judge, images, budget=8)
    assert found.success.all()
    assert (found.queries == 1).all()
    np.testing.assert_array_equal(found.samples, images)
    assert np.isinf(found.psnr).all()
    assert judge.n_scored == len(images)


def test_gray_levels_at_the_ends_stay_in_range():
    X = np.stack([np.zeros((1, 8, 8)), np.full((1, 8, 8), 255)]).astype(np.uint8)
    found = removal_attack(Brightness(-1e6), X, budget=200, max_queries=60)
    assert not found.success.any()
    difference = found.samples.astype(int) - X
    assert np.abs(difference).max() == 200
    assert (difference[0] >= 0).all()
    assert (difference[1] <= 0).all()


def test_gradients_take_the_best_step_and_need_fewer_queries(images):
    judge = Brightness()
    scores = judge.decision_function(images)
    judge.threshold = scores.max() + 3.9  # of 4 that the budget can reach, for one of them
    found = forgery_attack(judge, images, budget=4, max_queries=20, gradient=judge.gradient)
    first = scores.argmax()
    assert found.success.tolist() == [i == first for i in range(len(images))]
    assert found.queries[first] == 5  # the sample and four steps of one level
    blind = forgery_attack(judge, images, budget=4, max_queries=20)
    assert not blind.success.any()


def test_images_to_move_to_are_cut_to_the_budget(images):
    judge = Brightness()
    goal = np.clip(images + 40 * np.sign(judge.pattern(images.shape)), 0, 255).astype(np.uint8)
    judge.threshold = judge.decision_function(images).max() - 1e-9
    found = forgery_attack(judge, images, budget=255, max_queries=2, toward=goal)
    assert found.success.all()
    near = forgery_attack(judge, images, budget=3, max_queries=2, toward=goal)
    moved = near.samples.astype(int) - images
    np.testing.assert_array_equal(np.unique(moved[near.queries == 2]), [-3, 3])


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"X": np.zeros((2, 1, 4, 4))}, "uint8 of shape"),
        ({"X": np.zeros((2, 16), np.uint8)}, "uint8 of shape"),
        ({"X": np.zeros((0, 1, 4, 4), np.uint8)}, "uint8 of shape"),
        ({"budget": 0}, "'budget'"),
        ({"budget": 1.5}, "'budget'"),
        ({"max_queries": 0}, "'max_queries'"),
        ({"attributor": 3}, "'attributor'"),
        ({"toward": np.zeros((2, 1, 8, 8), np.uint8)}, "shape of X"),
        ({"random_state": None}, "'random_state'"),
    ],
    ids=str,
)
def test_refused_arguments(changed, match):
    arguments = {"attributor": Brightness(), "X": np.zeros((2, 1, 4, 4), np.uint8), **changed}
    with pytest.raises(ValueError, match=match):
        removal_attack(**arguments)


def test_scores_that_are_no_numbers_are_an_error():
    class Broken(Brightness):
        def decision_function(self, X):
            return np.full(len(X), np.nan)

    with pytest.raises(ValueError, match="NaN"):
        removal_attack(Broken(), np.zeros((2, 1, 4, 4), np.uint8))
