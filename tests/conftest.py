"""Fixtures and instances that several test modules use."""

import numpy as np
import pytest
import torch

from sklearn_flipad import FinalLayer
from sklearn_flipad.operators import ConvOperator, ConvTransposeOperator, DenseOperator

# Tests are small: threads would wait for each other.
torch.set_num_threads(1)


def _weight(*shape):
    values = np.random.default_rng(sum(shape)).normal(size=shape)
    return torch.from_numpy(values)


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


OPERATORS = dict(operator_cases())


@pytest.fixture(params=OPERATORS, ids=list(OPERATORS))
def operator(request):
    """Each kind of linear operator, in float64."""
    return OPERATORS[request.param]


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
