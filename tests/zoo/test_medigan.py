"""Generators in medigan's layout: what the published code computes, and other files."""

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from sklearn_flipad import FinalLayer
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import ConditionalDCGANGenerator, DCGANGenerator, load_medigan

N_LATENTS, WIDTHS = 6, (16, 8, 4)


class Published(nn.Module):
    """A generator with the parts, and the names, of the code of Szafranowska et al."""

    def __init__(self, condition=None):
        super().__init__()
        self.condition = condition
        n_inputs = N_LATENTS * (1 if condition is None else 2)
        layers, sizes = [], (n_inputs, *WIDTHS)
        for depth, (n_in, n_out) in enumerate(zip(sizes, WIDTHS, strict=False)):
            stride, padding = (1, 0) if depth == 0 else (2, 1)
            convolution = nn.ConvTranspose2d(n_in, n_out, 4, stride, padding, bias=False)
            layers += [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]
        self.first_layers = nn.Sequential(*layers[:6])
        last = nn.ConvTranspose2d(WIDTHS[-1], 1, 4, 2, 1, bias=False)
        self.main = nn.Sequential(*layers, last, nn.Tanh())
        if condition == "categorical":
            parts = nn.Embedding(4, 5), nn.Linear(5, N_LATENTS)
        else:
            parts = nn.Linear(1, N_LATENTS), nn.BatchNorm1d(N_LATENTS)
        self.embed_nn = nn.Sequential(*parts, nn.LeakyReLU(0.1))

    def forward(self, z, conditions=None):
        if self.condition is not None:
            z = torch.cat([z, self.embed_nn(conditions)[:, :, None, None]], dim=1)
        return self.main(z)


def _published(condition=None):
    torch.manual_seed(0)
    model = Published(condition)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model.eval().requires_grad_(False)


def test_an_unconditional_one_computes_the_same(tmp_path):
    model = _published()
    path = tmp_path / "500.pt"
    torch.save({"generator": model.state_dict(), "epoch": 500}, path)
    loaded = load_medigan(path)
    assert type(loaded) is DCGANGenerator
    assert loaded.output_shape == (1, 32, 32)
    z = torch.randn(3, N_LATENTS, 1, 1)
    torch.testing.assert_close(loaded(z), model(z), rtol=0, atol=1e-6)
    assert FinalLayer.from_generator(loaded, random_state=0).input_shape == (4, 16, 16)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_condition_that_is_a_number_has_a_class_for_each_value(tmp_path, suffix):
    model, values = _published("number"), (0.0, 2.5, 1.0)
    path = tmp_path / f"model.{suffix}"
    if suffix == "pt":
        torch.save({f"module.{key}": value for key, value in model.state_dict().items()}, path)
    else:
        kept = {k: v.clone() for k, v in model.state_dict().items()}
        safetensors.torch.save_file(kept, path)
    loaded = load_medigan(path, conditions=values)
    assert type(loaded) is ConditionalDCGANGenerator
    z = torch.randn(3, N_LATENTS, 1, 1)
    expected = model(z, torch.tensor(values)[:, None])
    torch.testing.assert_close(loaded(z, torch.arange(3)), expected, rtol=0, atol=1e-6)


def test_a_categorical_condition_keeps_its_classes(tmp_path):
    model = _published("categorical")
    path = tmp_path / "model.pt"
    torch.save({"generator": model.state_dict()}, path)
    loaded = load_medigan(path)
    z, labels = torch.randn(4, N_LATENTS, 1, 1), torch.tensor([3, 0, 2, 1])
    torch.testing.assert_close(loaded(z, labels), model(z, labels), rtol=0, atol=1e-6)
    other = load_medigan(path, leakiness=0.5)
    assert not torch.equal(other(z, labels), loaded(z, labels))
    assert np.ptp(sample(loaded, 5, random_state=0)) > 0


def _changed(key, value):
    return lambda state: {**state, key: value}


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda state: {"weight": torch.zeros(3)}, "no convolutions under 'main', but weight"),
        (_changed("main.9.bias", torch.zeros(1)), r"main\.9\.bias is \(1,\) instead of absent"),
        (_changed("main.7.weight", torch.ones(9)), r"main\.7\.weight is \(9,\) instead of \(4,\)"),
        (_changed("first_layers.1.weight", torch.zeros(16)), "first_layers.1.weight than for main"),
        (_changed("attention.weight", torch.zeros(2)), "it has attention.weight"),
        (
            lambda state: {k: v for k, v in state.items() if k != "embed_nn.1.running_mean"},
            r"no embed_nn\.1\.running_mean",
        ),
        (
            lambda state: {k: v for k, v in state.items() if k != "embed_nn.0.weight"},
            "no linear layer under 'embed_nn'",
        ),
        (lambda state: {"generator": 3}, "no state dict"),
    ],
)
def test_other_files_are_refused(tmp_path, damage, match):
    path = tmp_path / "model.pt"
    torch.save(damage(_published("number").state_dict()), path)
    with pytest.raises(ValueError, match=match):
        load_medigan(path)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "model.pt"
    torch.save(_published(), path)
    with pytest.raises(ValueError, match=r"weights alone .*torch\.save\(generator\.state_dict"):
        load_medigan(path)
