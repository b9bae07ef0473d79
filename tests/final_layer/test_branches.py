"""Layers with several branches: what is recovered, and what the penalty of each branch does."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.final_layer import Link
from sklearn_flipad.solvers import FISTA, LassoProblem
from tests.bits import assert_same_bits

SHAPES = [(12, 8, 8), (2, 4, 4)]


@pytest.fixture(scope="module")
def layer():
    """Activations of 8x8 and of 4x4, the second upsampled; identity."""
    rng = np.random.default_rng(0)
    terms = [
        [Link("conv", 0.2 * rng.normal(size=(3, 12, 3, 3)), {"padding": 1})],
        [Link("conv", rng.normal(size=(3, 2, 1, 1))), Link("resize", None, {"factor": (2, 2)})],
    ]
    link = Link("branches", None, {"shapes": SHAPES, "terms": terms})
    mean = rng.normal(size=800)
    return FinalLayer([link], input_shape=(800,), mean_activation=mean, bias=[1, 2, 3])


def _inverted(layer, x, **parameters):
    inverter = FinalLayerInverter(layer, tol=1e-4, max_iter=5000, solver=FISTA(restart=True))
    return inverter.set_params(**parameters).invert(x).activations - layer.mean_activation


@pytest.fixture(scope="module")
def x(layer):
    """Any sample, which no activations of the layer have to make."""
    return np.random.default_rng(1).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)


def test_split_and_decode(layer):
    assert layer.branch_shapes == tuple(SHAPES)
    z = torch.randn(2, 800, generator=torch.Generator().manual_seed(0))
    last, skip = layer.split(z)
    assert last.shape == (2, *SHAPES[0])
    assert torch.equal(torch.cat([last.flatten(1), skip.flatten(1)], dim=1), z)
    assert np.array_equal(layer.split(z.numpy())[1], skip.numpy())
    terms = layer.links[0].arguments["terms"]
    conv, rgb = (torch.from_numpy(term[0].weight.copy()) for term in terms)
    up = torch.nn.functional.interpolate(torch.conv2d(skip, rgb), scale_factor=2)
    expected = torch.conv2d(last, conv, padding=1) + up
    bias = torch.tensor([1.0, 2, 3])[:, None, None]
    torch.testing.assert_close(layer.decode(z), expected + bias, atol=1e-4, rtol=1e-5)
    with pytest.raises(ValueError, match="activations must have shape"):
        layer.split(z[:, 1:])


@pytest.mark.parametrize("solver", ["douglas-rachford", "fista"])
def test_a_planted_pair_is_recovered(layer, solver):
    """Theorem 4.5 (iii) for the concatenated activations of Appendix F."""
    rng = np.random.default_rng(2)
    z = np.zeros(800)
    places = np.concatenate([rng.choice(768, 8, replace=False), 768 + rng.choice(32, 4, False)])
    z[places] = rng.choice([-1, 1], 12) * rng.uniform(1, 2, 12)
    x = layer.decode(torch.from_numpy(z + layer.mean_activation)[None].float()).numpy()
    found = _inverted(layer, x, lam=1e-2, tol=1e-3, solver=solver)
    np.testing.assert_allclose(found[0], z, atol=0.02)
    assert set(np.flatnonzero(np.abs(found[0]) > 0.1)) == set(places)


def _correlations(layer, x, z):
    """Largest size of ``2 G^T (b - G z)`` in each branch."""
    operator = layer.operator(dtype=torch.float64)
    b = layer.shifted_target(torch.from_numpy(x).double())
    correlation = operator.adjoint(2 * (b - operator.forward(torch.from_numpy(z))))
    return [float(part.abs().max()) for part in layer.split(correlation)]


def test_above_the_largest_penalty_all_branches_are_at_their_means(layer, x):
    largest = _correlations(layer, x, np.zeros((1, 800)))
    weights = [1.0, 3.0]
    critical = max(value / weight for value, weight in zip(largest, weights, strict=True))
    above = _inverted(layer, x, lam=critical * 1.001, branch_weights=weights)
    assert np.abs(above).max() < 1e-6
    below = _inverted(layer, x, lam=critical * 0.95, branch_weights=weights, tol=1e-6)
    moved = [np.abs(part).max() > 1e-5 for part in layer.split(below)]
    assert moved == [value / w == critical for value, w in zip(largest, weights, strict=True)]


@pytest.mark.parametrize("branch", [0, 1])
def test_above_its_own_critical_weight_a_branch_is_at_its_mean(layer, x, branch):
    """With the others solved alone, what is left correlates with a branch: that is its limit."""
    lam, weights = 2.0, [1.0, 1.0]
    weights[branch] = 1e6
    without = _inverted(layer, x, lam=lam, branch_weights=weights)
    other = layer.split(without)[1 - branch]
    assert np.abs(other).max() > 1e-2
    critical = _correlations(layer, x, without)[branch] / lam
    weights[branch] = critical * 1.01
    above = _inverted(layer, x, lam=lam, branch_weights=weights)
    assert np.abs(layer.split(above)[branch]).max() < 1e-6
    np.testing.assert_allclose(above, without, atol=0.05)
    weights[branch] = critical * 0.95
    below = _inverted(layer, x, lam=lam, branch_weights=weights)
    assert np.abs(layer.split(below)[branch]).max() > 1e-4


def test_weights_are_penalties_of_their_branches(layer, x):
    """The optimality conditions of the problem with one penalty per branch."""
    lam, weights = 2.0, (1.0, 2.5)
    inverter = FinalLayerInverter(
        layer, lam=lam, tol=1e-5, max_iter=5000, branch_weights=weights, solver=FISTA(True)
    )
    result = inverter.invert(x)
    z = result.activations - layer.mean_activation
    operator = layer.operator(dtype=torch.float64)
    residual = layer.shifted_target(torch.from_numpy(x).double()) - operator.forward(
        torch.from_numpy(z)
    )
    parts = layer.split(z)
    penalty = sum(w * np.abs(part).sum() for w, part in zip(weights, parts, strict=True))
    objective = float(residual.square().sum()) + lam * penalty
    assert result.objective[0] == pytest.approx(objective, rel=1e-5)
    correlations = layer.split(operator.adjoint(2 * residual))
    for part, correlation, weight in zip(parts, correlations, weights, strict=True):
        size = correlation.abs().numpy()
        assert size.max() <= lam * weight * 1.01
        active = np.abs(part) > 1e-3
        assert active.any()
        np.testing.assert_allclose(size[active], lam * weight, rtol=1e-2)


def test_default_weights_are_the_sizes_of_columns(layer, x):
    matrix = layer.operator(dtype=torch.float64).dense()
    first, second = (part.square().sum() / part[0].numel() for part in layer.split(matrix))
    ratio = float((second / first).sqrt())
    by_hand = _inverted(layer, x, branch_weights=[1, round(ratio, 1)], lam=1.0)
    default = _inverted(layer, x, branch_weights="columns", lam=1.0)
    equal = _inverted(layer, x, branch_weights="equal", lam=1.0)
    np.testing.assert_allclose(default, by_hand, atol=0.05 * np.abs(default).max())
    assert np.abs(default - equal).max() > 0.2 * np.abs(default).max()


def test_large_and_alone(layer):
    """A sample's activations are the same bits alone and in a batch."""
    X = np.random.default_rng(3).normal(size=(11, 3, 8, 8)).astype(np.float32)
    inverter = FinalLayerInverter(layer)
    together = inverter.fit_transform(X)
    assert together.shape == (11, 800)
    for batch_size in (1, 4):
        other = clone(inverter).set_params(batch_size=batch_size).fit_transform(X)
        assert_same_bits(other, together)
    path = inverter.transform_path(X, [1e-3, 1e-1])
    np.testing.assert_allclose(path[0], together, atol=0.5)


def test_one_branch_has_no_weights():
    layer = FinalLayer.from_module(torch.nn.Linear(5, 3), input_shape=(5,))
    assert layer.branch_shapes == ((5,),)
    x = np.ones((1, 3), dtype=np.float32)
    plain = FinalLayerInverter(layer).fit_transform(x)
    for weights in ("equal", [1.0]):
        assert np.array_equal(FinalLayerInverter(layer, branch_weights=weights).transform(x), plain)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, np.nan], [1, 2, 3], [[1, 2]]])
def test_weights_that_are_none(layer, x, weights):
    with pytest.raises(ValueError, match="one positive, finite number for each of the 2 branches"):
        FinalLayerInverter(layer, branch_weights=weights).fit(x)


def test_pooling_needs_one_branch(layer, x):
    with pytest.raises(ValueError, match="spatial axes"):
        FinalLayerInverter(layer, pool_size=2).fit(x)


def test_features_of_other_weights_are_not_taken_from_the_store(layer, x, tmp_path):
    first = FinalLayerInverter(layer, lam=0.1, branch_weights=[1, 1], cache_dir=tmp_path)
    second = clone(first).set_params(branch_weights=[1, 5])
    assert not np.array_equal(first.fit_transform(x), second.fit_transform(x))
    plain = clone(second).set_params(cache_dir=None)
    assert np.array_equal(second.transform(x), plain.transform(x))


def test_branches_that_do_not_fit():
    conv = [Link("conv", np.ones((1, 2, 3, 3)))]
    link = Link("branches", None, {"shapes": [(2, 4, 4), (2, 5, 5)], "terms": [conv, conv]})
    with pytest.raises(ValueError, match="same shape"):
        FinalLayer([link], input_shape=(82,))
    link = Link("branches", None, {"shapes": [(2, 4, 4), (2, 4, 4)], "terms": [conv, conv]})
    with pytest.raises(ValueError, match="64 inputs in all"):
        FinalLayer([link], input_shape=(2, 4, 4))


def test_a_huge_penalty_on_one_branch_is_the_layer_without_it(layer, x):
    """The reference: the other branch as a layer of its own."""
    lam = 2.0
    z = _inverted(layer, x, lam=lam, branch_weights=[1.0, 1e9])
    last, skip = layer.split(z)
    assert np.abs(skip).max() < 1e-6
    alone = layer.operator(dtype=torch.float64).parts[0]
    b = layer.shifted_target(torch.from_numpy(x).double())
    expected = FISTA(True).solve(LassoProblem(alone, b, lam), tol=1e-4, max_iter=5000).z
    np.testing.assert_allclose(last, expected.numpy(), atol=0.05)
