"""Laws that every solver of the lasso problem must obey."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso

from sklearn_flipad.operators import ConvOperator, ConvTransposeOperator, DenseOperator
from sklearn_flipad.solvers import FISTA, DouglasRachford, LassoProblem
from sklearn_flipad.solvers._channel_scales import channel_scales
from sklearn_flipad.solvers._crossover import Crossover
from sklearn_flipad.solvers._halpern import HalpernIteration

SOLVERS = {
    "fista": FISTA(),
    "fista-restart": FISTA(restart=True),
    "douglas-rachford": DouglasRachford(),
    "douglas-rachford-plain": DouglasRachford(scaled=False, polish=0),
}


@pytest.fixture(params=SOLVERS)
def solver(request):
    return SOLVERS[request.param]


def _problem(n=4, lam=0.1, dtype=torch.float64, seed=0):
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(6, 1, 4, 4, generator=rng).to(dtype)
    operator = ConvTransposeOperator(weight, (6, 4, 4), stride=2, padding=1)
    b = torch.randn(n, *operator.output_shape, generator=rng).to(dtype)
    return LassoProblem(operator, b, lam)


def _dense_problem(n=3, lam=0.1):
    rng = np.random.default_rng(0)
    operator = DenseOperator(torch.from_numpy(rng.normal(size=(8, 30))), (30,))
    return LassoProblem(operator, torch.from_numpy(rng.normal(size=(n, 8))), lam)


def _solved_by_scikit_learn(problem):
    """Solutions of a problem of a dense operator, with exact zeros."""
    # scikit-learn minimizes ||b - Gz||²/(2m) + alpha ||z||₁
    lasso = Lasso(alpha=problem.lam / (2 * problem.b.shape[1]), fit_intercept=False, tol=1e-12)
    lasso.set_params(max_iter=1_000_000)
    matrix = problem.operator.weight.numpy()
    return torch.from_numpy(np.stack([lasso.fit(matrix, b).coef_ for b in problem.b.numpy()]))


def test_agrees_with_scikit_learn(solver):
    problem = _dense_problem()
    result = solver.solve(problem, tol=1e-10, max_iter=200_000)
    assert result.converged.all()
    torch.testing.assert_close(result.z, _solved_by_scikit_learn(problem), atol=1e-5, rtol=0)


def test_kkt_conditions(solver):
    problem = _problem(lam=0.5)
    z = solver.solve(problem, tol=1e-9, max_iter=200_000).z
    gradient = 2 * problem.operator.adjoint(problem.residual(z))
    assert (gradient.abs() <= problem.lam * (1 + 1e-4)).all()
    active = z.abs() > 1e-4
    assert active.any()
    torch.testing.assert_close(gradient[active], problem.lam * z[active].sign(), rtol=2e-3, atol=0)


def test_large_penalty_gives_zero(solver):
    problem = _problem()
    critical = 2 * problem.operator.adjoint(problem.b).abs().max()
    above = LassoProblem(problem.operator, problem.b, float(critical) * 1.0001)
    result = solver.solve(above)
    assert (result.z == 0).all()
    assert (result.gap == 0).all()
    below = LassoProblem(problem.operator, problem.b, float(critical) * 0.9)
    assert (solver.solve(below, tol=1e-6).z != 0).any()


def test_two_starting_points_one_solution(solver):
    """Corollary D.6: the solution is unique, so it cannot depend on the start."""
    problem = _problem(lam=0.5)
    start = torch.randn(4, *problem.operator.input_shape).double()
    one = solver.solve(problem, tol=1e-8, max_iter=200_000)
    two = solver.solve(problem, start=start, tol=1e-8, max_iter=200_000)
    assert one.converged.all()
    assert two.converged.all()
    torch.testing.assert_close(one.z, two.z, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("tol", [3e-2, 1e-2, 1e-3])
def test_solutions_agree_to_what_their_gaps_allow(solver, tol):
    """An excess e of the objective moves G z by at most sqrt(e), whatever the solver."""
    problem = _problem(lam=0.05, dtype=torch.float32)
    start = torch.randn(4, *problem.operator.input_shape)
    one = DouglasRachford().solve(problem, tol=1e-3, max_iter=20_000)
    two = solver.solve(problem, start=start, tol=tol, max_iter=20_000)
    distance = problem.operator.forward(one.z - two.z).double().flatten(1).norm(dim=1)
    assert (distance <= (one.gap * one.objective).sqrt() + (two.gap * two.objective).sqrt()).all()
    assert (distance > 0).all()


@pytest.mark.parametrize("fraction", [1e-4, 1e-3, 1e-2, 0.1, 1.01])
def test_douglas_rachford_serves_any_small_penalty(fraction):
    problem = _problem(n=8, dtype=torch.float32)
    critical = float(2 * problem.operator.adjoint(problem.b).abs().max())
    problem = LassoProblem(problem.operator, problem.b, fraction * critical)
    assert DouglasRachford().solve(problem, tol=1e-2, max_iter=2000).converged.all()


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6])
def test_douglas_rachford_serves_large_penalties(fraction):
    """With hardly more inputs than outputs, changes of the step went on for ever."""
    rng = torch.Generator().manual_seed(5)
    operator = ConvOperator(0.17 * torch.randn(3, 4, 3, 3, generator=rng), (4, 6, 6), padding=1)
    b = torch.randn(8, *operator.output_shape, generator=rng)
    problem = LassoProblem(operator, b, fraction * float(2 * operator.adjoint(b).abs().max()))
    assert DouglasRachford().solve(problem, tol=1e-2, max_iter=200).converged.all()


def test_mended_bounds_are_bounds_and_better():
    problem = _problem(n=8, lam=0.01, dtype=torch.float64)
    best = DouglasRachford().solve(problem, tol=1e-5, max_iter=20_000).objective
    solver = DouglasRachford()
    iteration = HalpernIteration(problem, None, solver, solver.prepare(problem.operator))
    better = []
    for _ in range(5):
        for _ in range(20):
            iteration.advance()
        bound = iteration.problem.dual(iteration.t, iteration.q)
        mended = iteration._mended_bound(torch.arange(8))
        assert (mended <= best).all()
        better.append((mended > bound).double().mean())
        iteration.refresh()
    assert torch.stack(better).mean() > 0.5


def test_large_samples_are_solved_one_at_a_time(monkeypatch):
    """They return what a batch would, and the callback sees the numbers of their rows."""
    problem = _problem(n=3)
    expected = DouglasRachford().solve(problem, tol=1e-3)
    monkeypatch.setattr("sklearn_flipad.base.lanes._ALONE", 1)
    seen = []
    found = DouglasRachford().solve(
        problem, tol=1e-3, callback=lambda n_iter, rows, *_: seen.append(rows.tolist())
    )
    torch.testing.assert_close(found.z, expected.z, atol=1e-3, rtol=1e-3)
    assert torch.equal(found.n_iter, expected.n_iter)
    assert seen[0] == [0]
    assert seen[-1] == [2]
    none = DouglasRachford().solve(problem.select(slice(0, 0)))
    assert none.z.shape == (0, *problem.operator.input_shape)


@pytest.mark.parametrize("max_iter", [20, 60])
def test_polish_lowers_the_objective(max_iter):
    problem = _problem(n=8, lam=0.01, dtype=torch.float32)
    best = DouglasRachford().solve(problem, tol=1e-4, max_iter=20_000).objective
    rough, polished = (
        DouglasRachford(polish=steps).solve(problem, tol=0.0, max_iter=max_iter).objective - best
        for steps in (0, 10)
    )
    assert (polished <= rough).all()
    assert (polished < 0.8 * rough).any()
    assert (polished >= -1e-4 * best).all()


def test_what_has_not_moved_is_not_polished():
    problem = _problem()
    start = torch.ones(4, *problem.operator.input_shape).double()
    result = DouglasRachford().solve(problem, start=start, max_iter=0)
    torch.testing.assert_close(result.z, start)


def test_channels_that_reach_far_have_long_steps():
    """A channel that is one of two but ten times as strong is the one that is used."""
    weight = torch.randn(1, 1, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    operator = ConvOperator(torch.cat([weight, weight / 10], dim=1), (2, 9, 9), padding=1)
    solver = DouglasRachford(scaled=False)
    strong, weak = channel_scales(operator, solver)
    assert strong > 2 * weak
    flipped = ConvOperator(torch.cat([weight / 10, weight], dim=1), (2, 9, 9), padding=1)
    torch.testing.assert_close(channel_scales(flipped, solver), torch.stack([weak, strong]))
    # They belong to the kernel and not to the size of the image or the type.
    large = operator.resized((12, 12))
    same = channel_scales(operator.resized((50, 40)).to(dtype=torch.float32), solver)
    torch.testing.assert_close(same, channel_scales(large, solver), atol=0.02, rtol=0)


def test_channel_scales_of_other_layers():
    solver = DouglasRachford(scaled=False)
    assert channel_scales(_dense_problem().operator, solver) is None
    assert channel_scales(ConvOperator(torch.zeros(1, 2, 3, 3), (2, 9, 9)), solver) is None
    one_axis = ConvOperator(torch.ones(1, 3, 5), (3, 40), dilation=4)
    assert channel_scales(one_axis, solver).shape == (3,)


def test_batch_equals_loop(solver):
    problem = _problem(n=5)
    together = solver.solve(problem, tol=1e-3)
    for i in range(5):
        alone = solver.solve(problem.select(slice(i, i + 1)), tol=1e-3)
        assert alone.n_iter == together.n_iter[i]
        torch.testing.assert_close(alone.z[0], together.z[i], atol=1e-10, rtol=1e-10)


def test_gap_bounds_the_suboptimality(solver):
    problem = _problem(lam=0.05)
    best = FISTA(restart=True).solve(problem, tol=1e-9, max_iter=50_000).objective
    rough = solver.solve(problem, tol=1e-2)
    assert rough.converged.all()
    assert (rough.gap <= 1e-2).all()
    suboptimality = (rough.objective - best) / rough.objective
    assert (suboptimality >= -1e-9).all()
    assert (suboptimality <= rough.gap + 1e-9).all()
    recomputed = problem.primal(rough.z, problem.residual(rough.z))
    torch.testing.assert_close(recomputed, rough.objective)


def test_iteration_limit_is_reported(solver):
    result = solver.solve(_problem(lam=1e-4), tol=1e-9, max_iter=30)
    assert not result.converged.any()
    assert (result.n_iter == 30).all()
    assert (result.gap > 1e-9).all()


def test_callback_sees_only_open_samples(solver):
    problem = _problem(n=3)
    problem.b[1] = 0  # solved at the start
    seen = []
    solver.solve(
        problem,
        tol=1e-6,
        callback=lambda n_iter, rows, z, objective, gap: seen.append((n_iter, rows.tolist())),
    )
    assert seen[0] == (0, [0, 1, 2])
    assert all(1 not in rows for _, rows in seen[1:])


def test_sparse_recovery(solver):
    """Theorem 4.5 (iii): a sparse activation is recovered from its image."""
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(10, 64, 3, 3, generator=rng).double()
    operator = ConvOperator(weight.transpose(0, 1).contiguous()[:10, :10], (10, 8, 8), padding=1)
    wide = ConvOperator(torch.randn(10, 20, 3, 3, generator=rng).double(), (20, 8, 8), padding=1)
    for op in (operator, wide):
        z = torch.zeros(1, *op.input_shape).double()
        places = torch.randperm(op.n_inputs, generator=rng)[:12]
        z.view(-1)[places] = torch.randn(12, generator=rng).double()
        problem = LassoProblem(op, op.forward(z), 1e-2)
        found = solver.solve(problem, tol=1e-4, max_iter=20_000).z
        torch.testing.assert_close(found, z, atol=2e-3, rtol=0)


def test_example_4_1_impossible_output():
    kernel = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).double()[None, None]
    operator = ConvTransposeOperator(kernel, (1, 2, 2))
    x = torch.tensor([[0.0, 0, 1], [0, 4, 6], [4, 12, 9]]).double()[None, None]
    expected = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).double()
    torch.testing.assert_close(operator.forward(expected[None, None]), x)
    solved = FISTA(restart=True).solve(LassoProblem(operator, x, 1e-8), tol=1e-6, max_iter=100_000)
    torch.testing.assert_close(solved.z[0, 0], expected, atol=1e-4, rtol=0)
    # x' is near x but outside the image of G: no z makes the residual vanish.
    moved = x.clone()
    moved[0, 0, 1, 0] += 0.5
    problem = LassoProblem(operator, moved, 1e-8)
    z = FISTA(restart=True).solve(problem, tol=1e-9, max_iter=100_000).z
    least_squares = torch.linalg.lstsq(operator.dense(), moved.flatten()).solution
    assert problem.residual(z).square().sum() > 0.01
    torch.testing.assert_close(z.flatten(), least_squares, atol=1e-4, rtol=0)


def test_example_4_2_unlikely_hidden_representation():
    from scipy.stats import norm

    def log_probability(diagonal):
        ends = [((1 - 0.1) / d, (1 + 0.1) / d) for d in diagonal]
        return sum(np.log(norm.cdf(high) - norm.cdf(low)) for low, high in ends)

    assert log_probability((2, 0.5)) == pytest.approx(-7.16, abs=0.005)
    assert log_probability((1, 1)) == pytest.approx(-6.06, abs=0.005)
    # What the inversion infers tells the two generators apart by its size.
    x = torch.ones(1, 2).double()
    norms = []
    for diagonal in ((2, 0.5), (1, 1)):
        operator = DenseOperator(torch.diag(torch.tensor(diagonal).double()), (2,))
        z = FISTA(restart=True).solve(LassoProblem(operator, x, 1e-8), tol=1e-6).z
        torch.testing.assert_close(z[0], 1 / torch.tensor(diagonal).double(), atol=1e-4, rtol=0)
        norms.append(float(z.square().sum()))
    assert norms[0] > 2 * norms[1]


@pytest.mark.parametrize("d", [3, 10])
def test_example_4_3_structured_hidden_representation(d):
    identity = DenseOperator(torch.eye(d).double(), (d,))
    matrix = torch.eye(d).double()
    matrix[:, 0] = 1
    structured = DenseOperator(matrix, (d,))
    x = torch.ones(1, d).double()
    plain, simple = (
        FISTA(restart=True).solve(LassoProblem(operator, x, 1e-6), tol=1e-8, max_iter=100_000).z
        for operator in (identity, structured)
    )
    assert (plain.abs() > 0.99).sum() == d
    torch.testing.assert_close(simple[0], torch.eye(d).double()[0], atol=1e-4, rtol=0)
    assert (simple.abs() > 1e-4).sum() == 1


def test_prepared_state_gives_the_same_solutions(solver):
    problem = _problem()
    state = solver.prepare(problem.operator)
    for lam in (0.1, 1.0):
        problem = LassoProblem(problem.operator, problem.b, lam)
        found, expected = solver.solve(problem, state=state), solver.solve(problem)
        assert torch.equal(found.z, expected.z)
        assert torch.equal(found.n_iter, expected.n_iter)


def _textbook(problem, state, step, n_steps):
    """Reflected Halpern iteration of the Douglas-Rachford operator, with matrices written out.

    Minimize ``lam/2 ||z||_1 + rho/2 ||u||^2`` subject to ``G z + sqrt(rho) u = b``; with the
    anchor at 0 and no restart, ``w <- (1 - 1/age) (2 T w - w)``.
    """
    G, rho, age = problem.operator.dense(), state.gram.ridge, 25
    b, D2 = problem.b.flatten(1), (state.scales**2 * torch.ones(problem.operator.input_shape))
    D2 = D2.flatten()
    K = torch.linalg.inv(rho * torch.eye(len(G)) + (G * D2) @ G.T)
    tau = step[:, None]
    w, s = torch.zeros(len(b), G.shape[1]).double(), torch.zeros_like(b)
    for _ in range(n_steps):
        z = w.sign() * (w.abs() - tau * problem.lam / 2 * D2).clamp_min(0)
        u = s / (1 + rho * tau)
        reflected_w, reflected_s = 2 * z - w, 2 * u - s
        t = (b - reflected_w @ G.T - rho**0.5 * reflected_s) @ K
        Tw = w + (reflected_w + t @ G * D2) - z
        Ts = s + (reflected_s + rho**0.5 * t) - u
        w, s, age = (1 - 1 / age) * (2 * Tw - w), (1 - 1 / age) * (2 * Ts - s), age + 1
    return w.sign() * (w.abs() - tau * problem.lam / 2 * D2).clamp_min(0)


@pytest.mark.parametrize("scaled", [True, False])
def test_douglas_rachford_is_the_textbook_s_iteration(scaled):
    problem, solver = _problem(n=8), DouglasRachford(scaled=scaled)
    state = solver.prepare(problem.operator)
    iteration = HalpernIteration(problem, None, solver, state)
    for n_steps in range(8):
        expected = _textbook(problem, state, iteration.step, n_steps)
        found = iteration.solution().flatten(1)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
        iteration.advance()
    assert expected.any()


@pytest.mark.parametrize("lam", [1e-45, 0.0, -1.0, 1e38, np.inf, np.nan])
def test_penalties_that_single_precision_cannot_hold_are_refused(lam):
    with pytest.raises(ValueError, match="out of the range in which single precision can work"):
        _problem(lam=lam)


@pytest.mark.parametrize("value", [1e30, np.nan, -np.inf])
def test_targets_that_single_precision_cannot_square_are_refused(solver, value):
    problem = _problem(dtype=torch.float32)
    problem.b[2, 0, 1, 1] = value
    with pytest.raises(ValueError, match="Sample 2 is too large for single precision"):
        solver.solve(problem)


@pytest.mark.parametrize("lam", [1e-20, 1e-6, 1e6, 1e20])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e14])
def test_extreme_scales_give_numbers(solver, lam, size):
    problem = _problem(lam=lam, dtype=torch.float32)
    problem = LassoProblem(problem.operator, problem.b * size, lam)
    with suppress(ValueError):  # "overflowed"
        result = solver.solve(problem, max_iter=100)
        assert torch.isfinite(result.z).all()
        excess = problem.primal(result.z, problem.residual(result.z)) - result.objective
        assert (excess.abs() <= 1e-3 * result.objective).all()


def test_rank_deficient_and_tiny_layers(solver):
    column = torch.arange(1.0, 6.0).double()
    operator = DenseOperator(torch.outer(column, torch.arange(1.0, 13.0).double()), (12,))
    b = torch.outer(torch.tensor([1.0, -2.0]).double(), column)
    result = solver.solve(LassoProblem(operator, b, 1e-2), max_iter=50_000)
    assert result.converged.all()
    # The column with the largest norm is the cheapest way to make b.
    assert (result.z[:, -1].abs() > 0.9 * result.z.abs().sum(dim=1)).all()
    one = ConvOperator(torch.ones(1, 1, 1, 1).double(), (1, 1, 1))
    result = solver.solve(LassoProblem(one, torch.ones(1, 1, 1, 1).double(), 0.5))
    assert float(result.z) == pytest.approx(0.75, abs=1e-2)
    zero = DenseOperator(torch.zeros(3, 4).double(), (4,))
    result = solver.solve(LassoProblem(zero, torch.ones(2, 3).double(), 0.5))
    assert result.converged.all()
    assert not result.z.any()


@pytest.mark.parametrize("seed", range(3))
def test_crossover_finds_the_solution_on_its_support(seed):
    """From any iterate with the right support, primal and dual points are exact."""
    rng = np.random.default_rng(seed)
    operator = DenseOperator(torch.from_numpy(rng.normal(size=(5, 40))), (40,))
    b = torch.from_numpy(rng.normal(size=(12, 5)))
    problem = LassoProblem(operator, b, 1e-2)
    support = _solved_by_scikit_learn(problem)
    exact = problem.primal(support, problem.residual(support))
    rough = support * torch.from_numpy(rng.uniform(0.5, 1.5, size=support.shape))
    z, dual = Crossover.of(operator).points(problem, rough)
    bound = problem.dual(dual, operator.adjoint(dual))
    objective = problem.primal(z, problem.residual(z))
    full = (support != 0).sum(dim=1) == 5
    assert full.any()
    torch.testing.assert_close(bound[full], exact[full], rtol=1e-3, atol=0)
    torch.testing.assert_close(objective[full], exact[full], rtol=1e-3, atol=0)


def test_crossover_is_for_few_outputs():
    assert Crossover.of(DenseOperator(torch.ones(33, 40), (40,))) is None
    assert Crossover.of(DenseOperator(torch.ones(3, 4), (2, 4))) is None
    few = Crossover.of(DenseOperator(torch.ones(3, 4), (4,)))
    problem = LassoProblem(DenseOperator(torch.ones(3, 4), (4,)), torch.ones(8, 3), 1e-2)
    for z in (torch.zeros(8, 4), torch.ones(8, 4)):
        moved, dual = few.points(problem, z)
        assert moved.isfinite().all()
        assert dual.isfinite().all()
