"""Attacks: written-down scores are those of the attributors, and what a row and the table say."""

import numpy as np
import pytest
import torch

from benchmarks.attribution import attacks
from benchmarks.attribution.attack_gradients import (
    GRADIENTS,
    differentiable_scores,
    gradient_for,
)
from benchmarks.attributors import one_layer_detector
from sklearn_flipad.pipelines import METHODS, TargetModel
from sklearn_flipad.zoo import load_pretrained


@pytest.fixture(scope="module", params=GRADIENTS)
def fitted(request):
    """A method that knows its gradients, and an attributor of it for noise of two kinds."""
    rng = np.random.default_rng(0)
    X = rng.integers(90, 160, (240, 1, 6, 6), dtype=np.uint8)
    X[160:] = rng.integers(60, 200, (80, 1, 6, 6), dtype=np.uint8)
    model = TargetModel(load_pretrained("fashion/dcgan-0"), random_state=0)
    attributor = METHODS[request.param].attributor(
        model, detector=one_layer_detector(2), fnr=0.2, random_state=0
    )
    return request.param, attributor.fit(X, np.repeat([1, -1], [160, 80])), X


def test_scores_that_are_written_down_are_those_of_the_attributor(fitted):
    method, attributor, X = fitted
    score = differentiable_scores(method, attributor)
    with torch.no_grad():
        found = score(torch.from_numpy(X.astype(float))).numpy()
    expected = attributor.decision_function(X)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.ptp(expected))


def test_gradients_are_those_of_the_scores(fitted):
    method, attributor, X = fitted
    X = X[:3].astype(float)
    gradient = gradient_for(method, attributor)(X)
    assert gradient.shape == X.shape
    score = differentiable_scores(method, attributor)
    direction = np.sign(gradient)
    step = 0.01
    with torch.no_grad():
        ends = [score(torch.from_numpy(X + sign * step * direction)).numpy() for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(slope, np.abs(gradient).sum(axis=(1, 2, 3)), rtol=0.1)


def test_each_method_of_images_that_a_generator_has_is_attacked():
    left_out = {*METHODS} - {*attacks.METHODS}
    assert left_out == {"spectral", "residual", "posterior", "seeded"}


def test_the_table_has_the_shares_by_budget():
    row = {
        "owner": "o",
        "method": "rawpad",
        "knows": "scores",
        "attack": "removal",
        "max_queries": 500,
        "n": 50,
    }
    rows = [
        {**row, "budget": 1, "succeeded": 0, "queries": None, "psnr": None},
        {**row, "budget": 8, "succeeded": 40, "queries": 12.0, "psnr": 30.25},
        {**row, "attack": "x", "n": 0, "budget": 1, "succeeded": 0, "queries": None, "psnr": None},
    ]
    first, second = attacks.table(rows).to_dict("records")
    assert (first["1"], first["8"], first["queries"], first["PSNR"]) == (
        "0.00",
        "0.80",
        "12",
        "30.2",
    )
    assert (second["1"], second["8"], second["samples"]) == ("", "", 0)
