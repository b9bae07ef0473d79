"""Laws that every linear operator must obey."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.operators import (
    BandedGramSolver,
    BlockTridiagonalGramSolver,
    BranchesOperator,
    ChainOperator,
    CirculantGramSolver,
    ConjugateGradientGramSolver,
    ConvOperator,
    ConvTransposeOperator,
    CropOperator,
    DenseGramSolver,
    DenseOperator,
    ImageOperator,
    PixelShuffleOperator,
    ResizeOperator,
    ScaleOperator,
    gram_solver,
)
from sklearn_flipad.operators.gram._periodic_extension import PeriodicExtension
from sklearn_flipad.operators.gram._preconditioners import AveragePreconditioner
from sklearn_flipad.operators.gram._stencil import from_cells, stencil_gram, to_cells
from tests.conftest import OPERATORS, _weight


def _randn(n, shape, seed):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed)).double()


def test_adjoint(operator):
    z, r = _randn(3, operator.input_shape, 0), _randn(3, operator.output_shape, 1)
    left = (operator.forward(z) * r).flatten(1).sum(1)
    right = (z * operator.adjoint(r)).flatten(1).sum(1)
    torch.testing.assert_close(left, right)


def test_shapes_and_dense(operator):
    z = _randn(2, operator.input_shape, 0)
    image = operator.forward(z)
    assert image.shape == (2, *operator.output_shape)
    assert operator.adjoint(image).shape == z.shape
    matrix = operator.dense()
    assert matrix.shape == (operator.n_outputs, operator.n_inputs)
    torch.testing.assert_close(z.flatten(1) @ matrix.T, image.flatten(1))


def test_norm_against_power_iteration(operator):
    v = _randn(1, operator.input_shape, 2)
    for _ in range(3000):
        v = operator.adjoint(operator.forward(v))
        v /= v.norm()
    by_power = float(operator.forward(v).square().sum())
    assert operator.norm_squared == pytest.approx(by_power, rel=1e-4)
    assert operator.norm_squared >= by_power * (1 - 1e-9)


def test_norm_of_a_large_operator_by_lanczos():
    operator = ConvTransposeOperator(torch.ones(8, 1, 4, 4), (8, 16, 16), stride=2, padding=1)
    dense = float(torch.linalg.matrix_norm(operator.dense().double(), ord=2)) ** 2
    assert operator.norm_squared == pytest.approx(dense, rel=1e-8)


@pytest.mark.parametrize("name", OPERATORS)
def test_batch_equals_loop(name):
    operator = OPERATORS[name]
    z = _randn(4, operator.input_shape, 3)
    loop = torch.cat([operator.forward(row[None]) for row in z])
    torch.testing.assert_close(operator.forward(z), loop)


LAYERS = [
    (nn.Conv1d(2, 3, 4, padding="same"), (2, 9)),
    (nn.Conv2d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), (4, 9, 8)),
    (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), (2, 6, 6)),
    (nn.Conv2d(2, 3, 5, padding=2, padding_mode="circular"), (2, 6, 6)),
    (nn.Conv2d(2, 3, 2, padding="same", padding_mode="replicate"), (2, 5, 5)),
    (nn.Conv3d(2, 3, 2, stride=2), (2, 4, 5, 6)),
    # few output channels: a matrix product and shifted sums
    (nn.Conv1d(16, 1, 7, padding=3), (16, 20)),
    (nn.Conv1d(16, 1, 5, padding=6, dilation=2), (16, 20)),
    (nn.Conv2d(32, 2, 3, padding=1), (32, 6, 7)),
    (nn.Conv2d(32, 1, (3, 4), padding=(0, 2)), (32, 6, 7)),
    (nn.Conv2d(60, 3, 7, padding=3, padding_mode="reflect"), (60, 6, 7)),
]
TRANSPOSED_LAYERS = [
    (nn.ConvTranspose1d(2, 3, 3, stride=3, output_padding=2), (2, 5)),
    (nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2), (4, 5, 6)),
    (nn.ConvTranspose2d(2, 3, 3, dilation=3, output_padding=2), (2, 4, 4)),
    (nn.ConvTranspose3d(2, 3, 3, (1, 2, 3), 1, output_padding=(0, 1, 2)), (2, 3, 3, 3)),
    # few output channels: a matrix product, with whole cells or without
    (nn.ConvTranspose2d(32, 3, 4, 2, 1), (32, 5, 6)),
    (nn.ConvTranspose2d(32, 2, 5, 2, 2, output_padding=1), (32, 5, 6)),
    (nn.ConvTranspose2d(16, 1, (3, 4), (1, 2), 1), (16, 5, 6)),
    (nn.ConvTranspose2d(16, 1, 6, 2, 2), (16, 1, 2)),
    (nn.ConvTranspose2d(8, 2, 2, 2), (8, 3, 4)),
    (nn.ConvTranspose2d(16, 1, 3, 2), (16, 3, 4)),
]


def _arguments(layer, names):
    return {name: getattr(layer, name) for name in names}


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
@torch.no_grad()
def test_equals_torch_convolution(layer, shape):
    names = ("stride", "padding", "dilation", "groups", "padding_mode")
    operator = ConvOperator(layer.weight, shape, **_arguments(layer, names))
    z = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    bias = layer.bias.reshape(-1, *[1] * (len(shape) - 1))
    torch.testing.assert_close(operator.forward(z) + bias, layer(z))


@pytest.mark.parametrize(("layer", "shape"), TRANSPOSED_LAYERS)
@torch.no_grad()
def test_equals_torch_transposed_convolution(layer, shape):
    names = ("stride", "padding", "output_padding", "dilation", "groups")
    operator = ConvTransposeOperator(layer.weight, shape, **_arguments(layer, names))
    z = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    bias = layer.bias.reshape(-1, *[1] * (len(shape) - 1))
    torch.testing.assert_close(operator.forward(z) + bias, layer(z))


def test_to_changes_type_and_nothing_else(operator):
    single = operator.to(dtype=torch.float32)
    assert single.dtype == torch.float32
    assert operator.dtype == torch.float64
    z = _randn(1, operator.input_shape, 0)
    torch.testing.assert_close(
        single.forward(z.float()).double(), operator.forward(z), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: DenseOperator(torch.ones(2, 3), (4,)), "end in 3"),
        (lambda: ConvOperator(torch.ones(2, 3, 3, 3), (2, 8, 8)), "3 channels"),
        (lambda: ConvOperator(torch.ones(2, 3, 3, 3), (3, 8)), "2 spatial axes"),
        (lambda: ConvOperator(torch.ones(2, 3, 3, 3), (3, 2, 2)), "smaller than the kernel"),
        (lambda: ConvTransposeOperator(torch.ones(2, 3, 3), (3, 8)), "2 channels"),
        (lambda: ConvTransposeOperator(torch.ones(2, 3, 3), (2, 1), padding=2), "empty output"),
    ],
)
def test_shapes_that_do_not_fit(build, match):
    with pytest.raises(ValueError, match=match):
        build()


@pytest.mark.gpu
def test_cuda_equals_cpu(operator):
    z = _randn(2, operator.input_shape, 0)
    on_gpu = operator.to(device="cuda")
    with full_precision():
        found = on_gpu.forward(z.cuda())
    torch.testing.assert_close(found.cpu(), operator.forward(z))


def _gram_of(operator, ridge):
    matrix = operator.dense()
    return matrix @ matrix.T + ridge * torch.eye(operator.n_outputs, dtype=matrix.dtype)


@pytest.mark.parametrize("kind", ["chosen", "dense", "cg"])
def test_gram_solver_against_a_dense_solve(operator, kind, device):
    ridge = 0.01 * operator.norm_squared
    build = {
        "chosen": gram_solver,
        "dense": DenseGramSolver,
        "cg": lambda o, r: ConjugateGradientGramSolver(o, r, tol=1e-9),
    }[kind]
    r = _randn(3, operator.output_shape, 4)
    found = build(operator.to(device=device), ridge).solve(r.to(device)).cpu()
    expected = torch.linalg.solve(_gram_of(operator, ridge), r.flatten(1).T).T
    torch.testing.assert_close(found.flatten(1), expected, atol=1e-7, rtol=1e-6)
    assert found.shape == r.shape


def test_branches_are_preconditioned_by_an_average():
    """Images of three resolutions, added as StyleGAN2 does it."""
    taps = torch.tensor([1.0, 3, 3, 1]).double() / 4
    kernel = torch.outer(taps, taps).expand(2, 1, 4, 4)

    def branch(channels, side):
        parts = [ConvOperator(_weight(2, channels, 1, 1), (channels, side, side))]
        while parts[-1].output_shape[1] < 32:
            shape = parts[-1].output_shape
            parts.append(ConvTransposeOperator(kernel, shape, stride=2, padding=1, groups=2))
        return ChainOperator(parts)

    operator = BranchesOperator([branch(12, 32), branch(9, 16), branch(8, 8)])
    scaled = ChainOperator([ScaleOperator(torch.ones(1).double(), operator.input_shape), operator])
    r, counts = _randn(2, operator.output_shape, 5), []
    for plain in (False, True):
        solver = ConjugateGradientGramSolver(scaled, 1e-3 * operator.norm_squared, tol=1e-8)
        assert isinstance(solver.precondition, AveragePreconditioner)
        if plain:
            solver.precondition = torch.clone
        calls = []
        solver.gram = _Counted(solver.gram, calls)
        t = solver.solve(r)
        found = operator.forward(operator.adjoint(t)) + solver.ridge * t
        torch.testing.assert_close(found, r, atol=1e-6, rtol=1e-6)
        counts.append(len(calls))
    assert counts[0] < 0.7 * counts[1]


class _Counted:
    """Notes each application of a Gram matrix."""

    def __init__(self, gram, calls):
        self.gram, self.calls = gram, calls

    def apply(self, r):
        self.calls.append(len(r))
        return self.gram.apply(r)


IMAGE_LAYERS = [name for name in OPERATORS if OPERATORS[name].image]


@pytest.mark.parametrize("name", IMAGE_LAYERS)
def test_weighted_multiplies_the_input_channels(name):
    operator = OPERATORS[name]
    factors = torch.arange(1, operator.input_shape[0] + 1).double()
    z = _randn(2, operator.input_shape, 6)
    column = factors.reshape(-1, *[1] * (z.ndim - 2))
    weighted = operator.weighted(factors)
    torch.testing.assert_close(weighted.forward(z), operator.forward(z * column))
    r = _randn(2, operator.output_shape, 7)
    torch.testing.assert_close(weighted.adjoint(r), operator.adjoint(r) * column)


@pytest.mark.parametrize("name", IMAGE_LAYERS)
def test_resized_has_the_same_kernel(name):
    operator = OPERATORS[name]
    size = tuple(side + 4 for side in operator.input_shape[1:])
    larger = operator.resized(size)
    assert larger.input_shape == (operator.input_shape[0], *size)
    again = larger.resized(operator.input_shape[1:])
    z = _randn(2, operator.input_shape, 8)
    assert torch.equal(again.forward(z), operator.forward(z))


def test_large_dense_systems_round_alike_in_any_batch():
    weight = torch.randn(200, 300, generator=torch.Generator().manual_seed(0))
    solver = DenseGramSolver(DenseOperator(weight, (300,)), 1.0)
    r = _randn(40, (200,), 3).float()
    together = solver.solve(r)
    for size in (1, 8, 24):
        parts = torch.cat([solver.solve(part) for part in r.split(size)])
        assert torch.equal(parts, together)


def test_gram_matrices_of_wide_operators_are_built_in_parts(monkeypatch):
    operator = OPERATORS["branches"]
    ridge = 0.1 * operator.norm_squared
    expected = DenseGramSolver(operator, ridge).inverse
    monkeypatch.setattr("sklearn_flipad.operators.gram.dense._MAX_ENTRIES", 0)
    torch.testing.assert_close(DenseGramSolver(operator, ridge).inverse, expected)


def test_a_dense_layer_is_no_image_layer():
    operator = DenseOperator(_weight(5, 12), (12,))
    assert operator.image is None
    assert not isinstance(operator, ImageOperator)
    assert not hasattr(operator, "weighted")


BANDED = {
    "transposed, k4 s2": ConvTransposeOperator(
        _weight(6, 2, 4, 4), (6, 10, 5), stride=2, padding=1
    ),
    "conv, k3": ConvOperator(_weight(2, 5, 3, 3), (5, 24, 6), padding=1),
    "conv, k3 s2": ConvOperator(_weight(2, 5, 3, 3), (5, 41, 6), stride=2),
    "conv, reflect": ConvOperator(
        _weight(2, 5, 3, 3), (5, 24, 6), padding=1, padding_mode="reflect"
    ),
    "conv, dilated": ConvOperator(_weight(2, 5, 3, 3), (5, 40, 9), dilation=3),
    "conv 1d, many channels": ConvOperator(_weight(5, 2, 20), (2, 400), padding=7),
    "conv 3d": ConvOperator(_weight(1, 4, 3, 3, 3), (4, 20, 3, 3), padding=1),
}


@pytest.mark.parametrize("name", BANDED)
def test_block_tridiagonal_gram_solver(name, device):
    operator = BANDED[name]
    ridge = 1e-3 * operator.norm_squared
    solver = gram_solver(operator.to(device=device), ridge)
    assert isinstance(solver, BlockTridiagonalGramSolver)
    r = _randn(2, operator.output_shape, 5)
    expected = torch.linalg.solve(_gram_of(operator, ridge), r.flatten(1).T).T
    found = solver.solve(r.to(device)).cpu()
    torch.testing.assert_close(found.flatten(1), expected, atol=1e-8, rtol=1e-7)
    in_single = operator.to(device=device, dtype=torch.float32)
    with full_precision():
        single = gram_solver(in_single, ridge).solve(r.float().to(device)).cpu()
    error = (single.flatten(1) - expected).norm() / expected.norm()
    assert error < 1e-4


SIGNALS = {
    "conv": ConvOperator(_weight(1, 8, 7), (8, 60), padding=3),
    "conv, channels": ConvOperator(_weight(3, 8, 4), (8, 61), stride=2, padding=1),
    "conv, reflect": ConvOperator(_weight(1, 8, 5), (8, 60), padding=2, padding_mode="reflect"),
    "transposed": ConvTransposeOperator(_weight(6, 1, 4), (6, 30), stride=2, padding=1),
    "upsampled": ChainOperator(
        [
            ResizeOperator((6, 30), factor=(2,), mode="linear").to(dtype=torch.float64),
            ConvOperator(_weight(1, 6, 5), (6, 60), padding=2),
        ]
    ),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_banded_gram_solver(name, device):
    operator = SIGNALS[name]
    ridge = 1e-3 * operator.norm_squared
    solver = gram_solver(operator.to(device=device), ridge)
    assert isinstance(solver, BandedGramSolver) == (device == "cpu")
    r = _randn(3, operator.output_shape, 5)
    expected = torch.linalg.solve(_gram_of(operator, ridge), r.flatten(1).T).T
    found = solver.solve(r.to(device)).cpu()
    torch.testing.assert_close(found.flatten(1), expected, atol=1e-8, rtol=1e-7)
    in_single = operator.to(device=device, dtype=torch.float32)
    with full_precision():
        single = gram_solver(in_single, ridge).solve(r.float().to(device)).cpu()
        alone = gram_solver(in_single, ridge).solve(r[:1].float().to(device)).cpu()
    error = (single.flatten(1) - expected).norm() / expected.norm()
    assert error < 1e-4
    if device == "cpu":
        assert torch.equal(single[:1], alone)


def test_long_signals_are_prepared_at_once():
    """Neither the spectral norm nor the factor takes a matrix of the length squared."""
    operator = ConvOperator(_weight(1, 4, 7).float(), (4, 20_000), padding=3)
    short = operator.resized((600,)).to(dtype=torch.float64)
    exact = float(torch.linalg.matrix_norm(short.dense(), ord=2)) ** 2
    assert operator.norm_squared == pytest.approx(exact, rel=2e-3)
    assert operator.norm_squared >= exact
    ridge = 1e-3 * operator.norm_squared
    r = _randn(1, operator.output_shape, 5).float()
    t = gram_solver(operator, ridge).solve(r)
    residual = operator.forward(operator.adjoint(t)) + ridge * t - r
    assert residual.norm() < 1e-4 * r.norm()


def test_norm_of_large_images_is_an_upper_bound():
    operator = ConvOperator(_weight(1, 3, 3, 3), (3, 140, 40), padding=1, padding_mode="reflect")
    v = _randn(1, operator.input_shape, 2)
    for _ in range(200):
        v = operator.adjoint(operator.forward(v))
        v /= v.norm()
    by_power = float(operator.forward(v).square().sum())
    assert by_power <= operator.norm_squared <= 1.05 * by_power


PERIODIC = {
    "transposed, k4 s2": ConvTransposeOperator(
        _weight(24, 2, 4, 4), (24, 10, 9), stride=2, padding=1
    ),
    "transposed, unequal strides": ConvTransposeOperator(
        _weight(12, 1, 5, 3), (12, 9, 12), stride=(3, 1), padding=1
    ),
    "conv, k3": ConvOperator(_weight(2, 5, 3, 3), (5, 14, 11), padding=1),
    "conv, k3 s2": ConvOperator(_weight(2, 5, 3, 3), (5, 31, 26), stride=2),
    "conv, valid": ConvOperator(_weight(2, 5, 3, 3), (5, 14, 12)),
    "conv, reflect": ConvOperator(
        _weight(2, 5, 3, 3), (5, 14, 12), padding=1, padding_mode="reflect"
    ),
    "conv, circular": ConvOperator(
        _weight(2, 5, 3, 3), (5, 14, 12), padding=1, padding_mode="circular"
    ),
    "conv, grouped": ConvOperator(_weight(2, 3, 3, 3), (6, 14, 12), padding=1, groups=2),
}


@pytest.mark.parametrize("name", PERIODIC)
def test_circulant_gram_solver(name, device):
    operator = PERIODIC[name]
    ridge = 1e-3 * operator.norm_squared
    extension = PeriodicExtension.smallest(operator)
    solver = CirculantGramSolver(operator.to(device=device), ridge, extension)
    r = _randn(3, operator.output_shape, 5)
    expected = torch.linalg.solve(_gram_of(operator, ridge), r.flatten(1).T).T
    found = solver.solve(r.to(device)).cpu()
    torch.testing.assert_close(found.flatten(1), expected, atol=1e-8, rtol=1e-7)
    single = operator.to(device=device, dtype=torch.float32)
    with full_precision():
        single = CirculantGramSolver(single, ridge, extension).solve(r.float().to(device)).cpu()
    error = (single.flatten(1) - expected).norm() / expected.norm()
    assert error < 1e-4


LARGE = {
    **PERIODIC,
    "nearest-conv": ChainOperator(
        [
            ResizeOperator((5, 9, 10), factor=(2, 2)).to(dtype=torch.float64),
            ConvOperator(_weight(2, 5, 3, 3), (5, 18, 20), padding=1),
        ]
    ),
    "shuffle-conv": ChainOperator(
        [
            PixelShuffleOperator((12, 12, 11), factor=2).to(dtype=torch.float64),
            ConvOperator(_weight(1, 3, 3, 3), (3, 24, 22), padding=1),
        ]
    ),
    "conv-crop": ChainOperator(
        [
            ConvOperator(_weight(2, 5, 3, 3), (5, 16, 15), padding=1),
            CropOperator((2, 16, 15), margins=((0, 0), (1, 0), (0, 2))).to(dtype=torch.float64),
        ]
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_stencil_is_the_gram_matrix(name):
    operator = LARGE[name]
    gram = stencil_gram(operator)
    if name == "conv, circular":
        assert gram is None
        return
    r = _randn(3, operator.output_shape, 5)
    expected = operator.forward(operator.adjoint(r))
    torch.testing.assert_close(gram.apply(r), expected, atol=1e-9, rtol=1e-9)
    product = (gram.matrix() @ r.flatten(1).numpy().T).T
    np.testing.assert_allclose(product, expected.flatten(1), atol=1e-9, rtol=1e-9)
    assert torch.equal(from_cells(to_cells(r, gram.periods), gram.periods), r)


@pytest.mark.parametrize("name", LARGE)
def test_preconditioned_conjugate_gradients(name, device):
    operator = LARGE[name]
    ridge = 1e-2 * operator.norm_squared
    solver = ConjugateGradientGramSolver(operator.to(device=device), ridge, tol=1e-10)
    r = _randn(3, operator.output_shape, 5)
    t = solver.solve(r.to(device)).cpu()
    expected = torch.linalg.solve(_gram_of(operator, ridge), r.flatten(1).T).T
    torch.testing.assert_close(t.flatten(1), expected, atol=1e-7, rtol=1e-6)
    alone = solver.solve(r[1:2].to(device)).cpu()
    torch.testing.assert_close(alone, t[1:2], atol=1e-9, rtol=1e-9)


def test_the_preconditioner_is_exact_without_a_border():
    """Away from the border the periodic continuation is the matrix itself."""
    operator = ConvOperator(_weight(2, 5, 3, 3), (5, 40, 40), padding=1)
    ridge = 1e-2 * operator.norm_squared
    solver = ConjugateGradientGramSolver(operator, ridge)
    r = torch.zeros(1, 2, 40, 40).double()
    r[:, :, 18:22, 18:22] = _randn(1, (2, 4, 4), 5)
    t = solver.precondition(r)
    residual = operator.forward(operator.adjoint(t)) + ridge * t - r
    assert residual.norm() < 1e-3 * r.norm()


def test_circulant_gram_solver_of_any_batch():
    """Rounding is the same for one sample alone and in a batch."""
    operator = PERIODIC["transposed, k4 s2"].to(dtype=torch.float32)
    solver = CirculantGramSolver(operator, 1.0, PeriodicExtension.smallest(operator))
    r = _randn(32, operator.output_shape, 5).float()
    together = solver.solve(r)
    for n in (1, 8, 16, 24):
        assert torch.equal(solver.solve(r[:n]), together[:n])


@pytest.mark.parametrize(
    "operator",
    [
        ConvTransposeOperator(_weight(6, 1, 4), (6, 30), stride=2, padding=1),
        ConvTransposeOperator(_weight(6, 1, 4, 4), (6, 3, 3), stride=2, padding=1),
        ConvTransposeOperator(
            _weight(6, 1, 3, 3), (6, 12, 12), stride=2, padding=1, output_padding=0
        ),
    ],
    ids=["one axis", "no interior", "part of a cell"],
)
def test_no_periodic_extension(operator):
    assert PeriodicExtension.smallest(operator) is None


def test_large_images_are_solved_by_frequencies():
    operator = ConvTransposeOperator(
        _weight(16, 3, 4, 4).float(), (16, 32, 32), stride=2, padding=1
    )
    assert isinstance(gram_solver(operator, 1e-3 * operator.norm_squared), CirculantGramSolver)


def test_interior_blocks_are_stored_once():
    operator = ConvTransposeOperator(_weight(8, 1, 4, 4).float(), (8, 40, 4), stride=2, padding=1)
    solver = gram_solver(operator, 1e-2 * operator.norm_squared)
    assert len({id(block) for block in solver.inverses}) < len(solver.inverses) / 2


def test_circular_padding_has_no_row_groups():
    operator = ConvOperator(_weight(1, 3, 3, 3), (3, 30, 4), padding=1, padding_mode="circular")
    assert isinstance(gram_solver(operator, 1.0), DenseGramSolver)


def _circulant_of(operator, extension, ridge):
    """The circulant extension of ``ridge I + G G^T``, entry by entry."""
    (rows, columns), (p, q) = extension.extended, extension.period
    n_channels, (height, width) = extension.channels, extension.size
    gram = _gram_of(operator, 0.0).reshape(n_channels, height, width, n_channels, height, width)
    top, left = height // p // 2 * p, width // q // 2 * q
    matrix = torch.zeros(n_channels, rows, columns, n_channels, rows, columns).double()
    for i in range(rows):
        for j in range(columns):
            shift = (i - i % p - top, j - j % q - left)
            stencil = torch.zeros(n_channels, n_channels, rows, columns).double()
            stencil[:, :, :height, :width] = gram[:, top + i % p, left + j % q]
            matrix[:, i, j] = stencil.roll(shift, dims=(2, 3))
    n = n_channels * rows * columns
    return matrix.reshape(n, n) + ridge * torch.eye(n).double()


@pytest.mark.parametrize("name", ["transposed, k4 s2", "conv, k3"])
def test_circulant_solver_is_the_capacitance_method(name):
    """As Buzbee et al. print it: ``x = C^-1 (r + P^T eta)``, with all matrices written out."""
    operator = PERIODIC[name]
    ridge = 1e-2 * operator.norm_squared
    extension = PeriodicExtension.smallest(operator)
    n_channels, (height, width) = extension.channels, extension.size
    rows, columns = extension.extended
    inside = torch.zeros(n_channels, rows, columns, dtype=bool)
    inside[:, :height, :width] = True
    border = (extension.border[0][:, None] | extension.border[1]).expand(n_channels, -1, -1)
    C = _circulant_of(operator, extension, ridge)
    A = torch.zeros_like(C)
    A[torch.outer(inside.flatten(), inside.flatten())] = _gram_of(operator, ridge).flatten()
    P = torch.eye(len(C)).double()[border.flatten()]
    r = _randn(2, operator.output_shape, 5)
    extended = torch.zeros(2, n_channels, rows, columns).double()
    extended[:, inside] = r.flatten(1)
    r_extended = extended.flatten(1).T
    # In the border x must satisfy A x = r, so eta = (C - A) x; outside of the image x is 0.
    of_r, of_eta = torch.linalg.solve(C, r_extended), torch.linalg.solve(C, P.T)
    in_image = inside.flatten()[border.flatten()][:, None]
    system = torch.where(in_image, torch.eye(len(P)) - P @ (C - A) @ of_eta, P @ of_eta)
    right = torch.where(in_image, P @ (C - A) @ of_r, -P @ of_r)
    x = of_r + of_eta @ torch.linalg.solve(system, right)
    expected = x[inside.flatten()].T
    solver = CirculantGramSolver(operator, ridge, extension)
    torch.testing.assert_close(solver.solve(r).flatten(1), expected, atol=1e-8, rtol=1e-7)
    direct = torch.linalg.solve(_gram_of(operator, ridge), r.flatten(1).T).T
    torch.testing.assert_close(expected, direct, atol=1e-8, rtol=1e-7)
