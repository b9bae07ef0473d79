"""Fixtures and instances that several test modules use."""

import numpy as np
import pytest
import torch
from joblib.externals.loky.backend import context as loky

from sklearn_flipad import FinalLayer
from sklearn_flipad.operators import (
    BranchesOperator,
    ChainOperator,
    ConvOperator,
    ConvTransposeOperator,
    CropOperator,
    DenseOperator,
    FunctionOperator,
    PadOperator,
    PermuteOperator,
    PixelShuffleOperator,
    PixelUnshuffleOperator,
    ReshapeOperator,
    ResizeOperator,
    ScaleOperator,
    SumOperator,
)
from sklearn_flipad.scoring.runs import processes as scoring
from tests import processes

#: Scripts that made data, by libraries that are not installed here.
collect_ignore = ["data"]

# Tests are small: threads would wait for each other.
torch.set_num_threads(1)


def _weight(*shape):
    values = np.random.default_rng(sum(shape)).normal(size=shape)
    return torch.from_numpy(values)


def _conv(n_out, shape, side, **arguments):
    """A convolution whose weight belongs to its shape."""
    weight = _weight(n_out, shape[0], *[side] * (len(shape) - 1))
    return ConvOperator(weight, shape, **arguments)


def _tail(first, *others):
    """A chain of a map and of functions that make the next map from a shape."""
    parts = [first]
    for build in others:
        parts.append(build(parts[-1].output_shape))
    return ChainOperator([part.to(dtype=torch.float64) for part in parts])


def tail_cases():
    """Maps without weights, chains and sums."""
    up = ResizeOperator((4, 5, 6), factor=(2, 2))
    reflect = PadOperator((4, 9, 8), margins=((3, 3), (3, 3)), mode="reflect")
    skip = _conv(3, (3, 9, 8), 3, padding=1)
    cases = {
        "nearest": up,
        "nearest, any size": ResizeOperator((2, 5, 4), size=(7, 9)),
        "bilinear": ResizeOperator((2, 5, 4), factor=(2, 3), mode="linear"),
        "bilinear, corners": ResizeOperator(
            (2, 5, 4), factor=(2, 2), mode="linear", align_corners=True
        ),
        "linear": ResizeOperator((2, 9), factor=(3,), mode="linear"),
        "zeros": PadOperator((2, 5, 4), margins=((1, 2), (0, 3))),
        "reflect": reflect,
        "replicate": PadOperator((2, 9), margins=((4, 2),), mode="replicate"),
        "crop": CropOperator((3, 7, 8), margins=((0, 1), (2, 1), (1, 3))),
        "shuffle": PixelShuffleOperator((8, 3, 4), factor=2),
        "unshuffle": PixelUnshuffleOperator((2, 6, 8), factor=2),
        "scale": ScaleOperator(_weight(3, 1, 1), (3, 5, 4)),
        "scale, each": ScaleOperator(_weight(3, 4), (3, 4)),
        "reshape": ReshapeOperator((3, 4, 2), shape=(6, 4)),
        "permute": PermuteOperator((3, 4, 2), axes=(2, 0, 1)),
        "function": FunctionOperator(
            lambda z: z.cumsum(dim=2)[:, 0, 1:], (2, 5), like=torch.empty(0).double()
        ),
        "nearest-conv": _tail(up, lambda s: _conv(2, s, 3, padding=1)),
        "bilinear-conv": _tail(
            ResizeOperator((4, 5, 6), factor=(2, 2), mode="linear"),
            lambda s: _conv(2, s, 3, padding=1),
        ),
        "reflect-conv": _tail(reflect, lambda s: _conv(2, s, 7)),
        "conv-nearest-conv": _tail(
            _conv(6, (5, 6, 7), 3, padding=1),
            lambda s: ResizeOperator(s, factor=(2, 2)),
            lambda s: _conv(3, s, 3, padding=1),
        ),
        "conv-shuffle": _tail(
            _conv(8, (9, 6, 7), 3, padding=1), lambda s: PixelShuffleOperator(s, factor=2)
        ),
        "shuffle-conv": _tail(
            PixelShuffleOperator((12, 5, 6), factor=2), lambda s: _conv(1, s, 3, padding=1)
        ),
        "conv-crop": _tail(
            _conv(3, (5, 9, 8), 3, padding=1),
            lambda s: CropOperator(s, margins=((0, 0), (1, 1), (2, 0))),
        ),
        "batch norm-conv": _tail(
            ScaleOperator(_weight(5, 1, 1), (5, 9, 8)), lambda s: _conv(2, s, 3, padding=1)
        ),
        "upsampled signal-conv": _tail(
            ResizeOperator((4, 12), size=(31,)), lambda s: _conv(1, s, 5)
        ),
        "dense-reshape-permute": _tail(
            DenseOperator(_weight(12, 20), (20,)),
            lambda s: ReshapeOperator(s, shape=(3, 4)),
            lambda s: PermuteOperator(s, axes=(1, 0)),
        ),
        "branches": BranchesOperator(
            [
                _conv(2, (4, 8, 6), 3, padding=1),
                ScaleOperator(torch.ones(1).double(), (2, 8, 6)),
                ChainOperator(
                    [
                        _conv(2, (5, 4, 3), 1),
                        ResizeOperator((2, 4, 3), factor=(2, 2)).to(dtype=torch.float64),
                    ]
                ),
            ]
        ),
        "branches of a table": BranchesOperator(
            [DenseOperator(_weight(4, 9), (9,)), DenseOperator(_weight(4, 3), (3,))]
        ),
        "residual": SumOperator([skip, ScaleOperator(torch.ones(1).double(), (3, 9, 8))]),
    }
    return {name: part.to(dtype=torch.float64) for name, part in cases.items()}


#: (name, operator in float64, the torch layer that it must equal)
def operator_cases():
    conv = [
        ("conv1d", (3, 2, 3), (2, 9), {}),
        ("conv1d-same-even", (3, 2, 4), (2, 9), {"padding": "same"}),
        ("conv2d", (3, 4, 3, 3), (4, 8, 7), {"padding": 1}),
        ("conv2d-stride", (3, 4, 4, 3), (4, 9, 8), {"stride": (3, 2), "padding": (1, 0)}),
        ("conv2d-dilation", (2, 3, 3, 3), (3, 9, 9), {"dilation": 2, "padding": 2}),
        ("conv2d-groups", (4, 2, 3, 3), (4, 6, 6), {"groups": 2, "padding": 1}),
        ("conv2d-valid", (2, 3, 3, 2), (3, 6, 6), {"padding": "valid"}),
        ("conv2d-reflect", (2, 3, 3, 3), (3, 6, 6), {"padding": 1, "padding_mode": "reflect"}),
        ("conv2d-circular", (2, 3, 4, 3), (3, 6, 6), {"padding": 1, "padding_mode": "circular"}),
        ("conv2d-wide-padding", (2, 3, 2, 2), (3, 4, 4), {"padding": 3}),
        ("conv3d", (2, 3, 2, 3, 2), (3, 4, 5, 4), {"stride": 2, "padding": 1}),
    ]
    transpose = [
        ("transpose1d", (2, 3, 3), (2, 5), {"stride": 2}),
        ("transpose2d", (4, 3, 4, 4), (4, 5, 6), {"stride": 2, "padding": 1}),
        ("transpose2d-output-padding", (4, 3, 3, 3), (4, 5, 4),
         {"stride": 2, "padding": 1, "output_padding": 1}),
        ("transpose2d-dilation", (3, 2, 3, 3), (3, 4, 4),
         {"stride": 1, "dilation": 3, "output_padding": 2}),
        ("transpose2d-columns", (32, 1, 4, 3), (32, 5, 4), {"stride": 2, "padding": (1, 0)}),
        ("transpose2d-groups", (4, 2, 3, 3), (4, 4, 4), {"stride": 2, "groups": 2}),
        ("transpose3d", (2, 3, 2, 2, 3), (2, 3, 2, 3), {"stride": (2, 1, 2)}),
    ]  # fmt: skip
    cases = [("dense", DenseOperator(_weight(5, 12), (12,)))]
    cases += [("dense-tokens", DenseOperator(_weight(5, 7), (3, 7)))]
    cases += [(n, ConvOperator(_weight(*w), i, **kw)) for n, w, i, kw in conv]
    cases += [(n, ConvTransposeOperator(_weight(*w), i, **kw)) for n, w, i, kw in transpose]
    return cases


OPERATORS = {**dict(operator_cases()), **tail_cases()}


@pytest.fixture(params=OPERATORS, ids=list(OPERATORS))
def operator(request):
    """Each kind of linear operator, in float64."""
    return OPERATORS[request.param]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """Each kind of device."""
    return request.param


def pytest_runtest_setup(item):
    """Skip tests marked ``gpu`` where there is none."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture
def forked_workers(monkeypatch):
    """Let loky fork workers from a process that has imported the package."""
    if processes.METHOD == "forkserver":
        processes.preload()
        monkeypatch.setattr(loky, "_DEFAULT_START_METHOD", "forkserver")
        monkeypatch.setattr(scoring, "_receive", processes.receive)


@pytest.fixture(scope="session")
def dcgan():
    """The shipped generator that the tests call their own."""
    from sklearn_flipad.zoo import load_pretrained

    return load_pretrained("fashion/dcgan-0")


@pytest.fixture(scope="session")
def dcgan_layer(dcgan):
    """Its final layer."""
    return FinalLayer.from_generator(dcgan, n_samples=1000, random_state=0)


@pytest.fixture(scope="session")
def linear_layer():
    """A small dense final layer with a bias, 12 activations to 5 outputs, identity."""
    torch.manual_seed(0)
    module = torch.nn.Linear(12, 5)
    mean = np.linspace(-1, 1, 12)
    return FinalLayer.from_module(module, input_shape=(12,), mean_activation=mean)
