"""BFGS and L-BFGS, many rows side by side."""

import numpy as np
import pytest
import torch

from sklearn_flipad.reproduction.search.bfgs import BatchedBFGS
from sklearn_flipad.reproduction.search.lbfgs import BatchedLBFGS


def _rosenbrock(z):
    x, y = z[:, ::2], z[:, 1::2]
    return (100 * (y - x.square()).square() + (1 - x).square()).sum(dim=1)


def _bfgs(z):
    return BatchedBFGS(z, curvature=100.0)


def _advance(optimizer, function, n_steps):
    for _ in range(n_steps):
        at = optimizer.z.clone().requires_grad_(True)
        values = function(at)
        optimizer.step(values.detach(), torch.autograd.grad(values.sum(), at)[0])
    return values.detach()


def _search(make, z, n_steps):
    optimizer = make(z)
    _advance(optimizer, _rosenbrock, n_steps)
    return optimizer.z


def _starts(n):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("make", [_bfgs, BatchedLBFGS])
def test_the_minimum_is_found_row_by_row(make):
    found = _search(make, _starts(5), 200)
    torch.testing.assert_close(found, torch.ones_like(found), atol=1e-6, rtol=0)
    for row in range(5):
        alone = _search(make, _starts(5)[row : row + 1], 30)
        torch.testing.assert_close(alone[0], _search(make, _starts(5), 30)[row])


@pytest.mark.parametrize("make", [_bfgs, BatchedLBFGS])
def test_a_minimum_is_not_left(make):
    z = torch.ones(2, 4)
    torch.testing.assert_close(_search(make, z, 50), torch.ones(2, 4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [_bfgs, BatchedLBFGS])
def test_rows_that_start_anew_forget(make):
    optimizer = make(_starts(3))
    _advance(optimizer, _rosenbrock, 25)
    optimizer.restart(torch.tensor([1]), _starts(3)[1:2])
    _advance(optimizer, _rosenbrock, 25)
    assert torch.equal(optimizer.z[1], _search(make, _starts(3)[1:2], 25)[0])
    assert torch.equal(optimizer.z[0], _search(make, _starts(3)[:1], 50)[0])


@pytest.mark.parametrize("make", [_bfgs, BatchedLBFGS])
def test_rows_that_leave_do_not_disturb_the_others(make):
    optimizer = make(_starts(4))
    _advance(optimizer, _rosenbrock, 20)
    optimizer.keep(torch.tensor([2, 0]))
    _advance(optimizer, _rosenbrock, 20)
    assert torch.equal(optimizer.z, _search(make, _starts(4), 40)[[2, 0]])


@pytest.mark.parametrize("make", [_bfgs, BatchedLBFGS])
def test_a_row_without_a_value_does_not_spoil_the_others(make):
    def function(z):
        return _rosenbrock(z * z.new_tensor([1.0, torch.nan, 1.0])[:, None])

    optimizer = make(_starts(3))
    _advance(optimizer, function, 200)
    found = optimizer.z[[0, 2]]
    torch.testing.assert_close(found, torch.ones_like(found), atol=1e-6, rtol=0)


def _curved(spread):
    """A quadratic function with its minimum at 1, and its Hessian."""
    rng = np.random.default_rng(0)
    directions, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    hessian = torch.from_numpy(directions @ np.diag(np.geomspace(1 / spread, 1, 6)) @ directions.T)
    return lambda z: 0.5 * torch.einsum("ni,ij,nj->n", z - 1, hessian, z - 1), hessian


def test_bfgs_updates_by_hand():
    """One update against Equation 6.17 of Nocedal and Wright, with its factor before it."""
    function, hessian = _curved(10.0)
    optimizer = BatchedBFGS(torch.zeros(1, 6, dtype=torch.float64), curvature=2.0)
    _advance(optimizer, function, 2)
    step = hessian.sum(dim=1) / 2  # the gradient at 0 is minus the sum of the rows
    change = hessian @ step
    before = torch.eye(6, dtype=torch.float64) / 2
    before *= max(1.0, float(2 * step @ step / (step @ change)))
    rest = torch.eye(6, dtype=torch.float64) - torch.outer(step, change) / (step @ change)
    expected = rest @ before @ rest.T + torch.outer(step, step) / (step @ change)
    torch.testing.assert_close(optimizer.inverse[0], expected)
    torch.testing.assert_close(optimizer.inverse[0] @ change, step)  # the secant equation


def test_bfgs_learns_the_hessian():
    function, hessian = _curved(10.0)
    optimizer = BatchedBFGS(torch.zeros(1, 6, dtype=torch.float64), curvature=1.0)
    assert _advance(optimizer, function, 40) < 1e-12
    identity = torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(optimizer.inverse[0] @ hessian, identity, atol=0.1, rtol=0)


def test_less_curvature_than_expected_costs_bfgs_little():
    """With all curvatures taken for ten times what they are, it is about as fast as with them."""
    function, _ = _curved(10.0)
    trials = []
    for curvature in (1.0, 10.0):
        optimizer = BatchedBFGS(torch.zeros(1, 6, dtype=torch.float64), curvature=curvature)
        n = 0
        while _advance(optimizer, function, 1) > 1e-10:
            n += 1
        trials.append(n)
    assert trials[1] <= trials[0] + 5
