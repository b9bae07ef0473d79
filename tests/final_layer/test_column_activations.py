"""Output activations that differ between columns."""

import numpy as np
import pytest
import torch

from sklearn_flipad import FinalLayer, FinalLayerInverter, PreactivationTransformer
from sklearn_flipad.final_layer import ColumnActivations

PARTS = (("tanh", 1), ("softmax", 3), ("identity", 2), ("softmax", 2))


def mixed_layer(n_inputs=40):
    """A layer to 8 columns whose rows before softmax are centered."""
    torch.manual_seed(0)
    activation = ColumnActivations(PARTS)
    module = torch.nn.Linear(n_inputs, 8)
    with torch.no_grad():
        module.weight.copy_(activation.centered(module.weight.T).T)
        module.bias.copy_(activation.centered(module.bias))
    return FinalLayer.from_module(module, input_shape=(n_inputs,), activation=activation)


def test_inverse_undoes_forward():
    activation = ColumnActivations(PARTS)
    o = activation.centered(torch.randn(20, 8, dtype=torch.float64))
    x = activation.forward(o)
    torch.testing.assert_close(x[:, 1:4].sum(dim=1), torch.ones(20, dtype=torch.float64))
    torch.testing.assert_close(activation.inverse(x, 1e-9), o)
    # What softmax's columns share is forgotten.
    moved = o.clone()
    moved[:, 1:4] += 3
    torch.testing.assert_close(activation.forward(moved), x)
    saturated = activation.inverse(torch.eye(8, dtype=torch.float64), 1e-4)
    assert saturated.isfinite().all()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((("tanh", 2), ("softmax", 2)), (-1, 1)),
        ((("softmax", 2),), (0, 1)),
        (PARTS, (-torch.inf, torch.inf)),
    ],
)
def test_range(parts, expected):
    assert ColumnActivations(parts).range == expected


WRONG = [
    ((("relu", 2),), "Unknown activation 'relu'"),
    ((("tanh", 0),), "at least one, got 0"),
    ((("tanh", "2"),), "at least one, got '2'"),
    ((), "at least one group"),
]


@pytest.mark.parametrize(("parts", "match"), WRONG)
def test_wrong_parts(parts, match):
    with pytest.raises(ValueError, match=match):
        ColumnActivations(parts)


def test_layer_survives_a_file(tmp_path):
    layer = mixed_layer()
    layer.save(tmp_path / "layer")
    assert FinalLayer.load(tmp_path / "layer") == layer
    assert FinalLayer.load(tmp_path / "layer").activation == ColumnActivations(PARTS)


def test_layer_inverts_its_own_rows():
    layer = mixed_layer()
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(10, 40))).float()
    x = layer.decode(z).numpy()
    inverter = FinalLayerInverter(layer, lam=1e-4)
    again = inverter.inverse_transform(inverter.transform(x))
    np.testing.assert_allclose(again, x, atol=1e-2)
    undone = PreactivationTransformer.from_layer(layer).fit_transform(x)
    expected = z.double() @ torch.from_numpy(layer.links[0].weight.copy()).double().T
    expected = expected + torch.from_numpy(layer.bias.copy()).double()
    np.testing.assert_allclose(undone, expected.numpy(), atol=1e-3)


def test_columns_must_fit_the_layer():
    module = torch.nn.Linear(4, 3)
    with pytest.raises(ValueError, match=r"one of 8 columns, but a sample has shape \(3,\)"):
        FinalLayer.from_module(module, input_shape=(4,), activation=ColumnActivations(PARTS))
