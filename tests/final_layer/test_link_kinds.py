"""A kind of links is one row: added by hand, it is built, found in generators, saved and read."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.final_layer import Link, LinkKind, register_link_kind
from sklearn_flipad.operators import FunctionOperator
from sklearn_flipad.operators.links.kinds import LINK_KINDS


def build(input_shape, *, axis):
    return FunctionOperator(lambda z: z.flip(axis + 1), input_shape)


def check(arguments, weight):
    if set(arguments) != {"axis"} or arguments["axis"] not in (0, 1, 2):
        raise ValueError(f"A flip has one axis, 0, 1 or 2, got {arguments}.")
    return arguments


def read(operation):
    (axis,) = operation.arguments["dims"]
    return [Link("flip", None, {"axis": axis - 1})] if axis > 0 else None


@pytest.fixture
def _flip():
    """A registered kind of links that reverses an axis."""
    register_link_kind(
        "flip", LinkKind(build=build, check=check, readers={"flip": read}, one_to_one=True)
    )
    yield
    del LINK_KINDS["flip"]


class Flipped(nn.Module):
    """A generator that ends with a convolution, a flip and a second convolution."""

    latent_shape = (4,)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(4, 8 * 5 * 5)
        self.second, self.third = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, z):
        x = torch.relu(self.first(z)).reshape(-1, 8, 5, 5)
        return torch.tanh(self.third(self.second(x).flip(2)))


@pytest.mark.usefixtures("_flip")
def test_a_new_kind_is_found_in_a_generator(tmp_path):
    generator = Flipped().eval()
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    assert [link.kind for link in layer.links] == ["conv", "flip", "conv"]
    assert layer.links[1].arguments == {"axis": 1}
    x = layer.sample(generator, 3, dtype="float32", random_state=1)
    assert FinalLayerInverter(layer).invert(x).converged.all()
    layer.save(tmp_path / "layer")
    assert FinalLayer.load(tmp_path / "layer") == layer
    assert repr(layer).startswith("FinalLayer(conv > flip > conv, (8, 5, 5)")


def test_without_its_row_the_kind_is_unknown(tmp_path):
    generator = Flipped().eval()
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    assert [link.kind for link in layer.links] == ["conv"]
    with pytest.raises(ValueError, match="kind must be one of linear, conv"):
        Link("flip", None, {"axis": 1})


@pytest.mark.usefixtures("_flip")
def test_files_of_unknown_kinds_are_refused(tmp_path):
    layer = FinalLayer([Link("flip", None, {"axis": 0})], input_shape=(2, 3))
    layer.save(tmp_path / "layer")
    kind = LINK_KINDS.pop("flip")
    with pytest.raises(ValueError, match="kind must be one of"):
        FinalLayer.load(tmp_path / "layer")
    LINK_KINDS["flip"] = kind


@pytest.mark.usefixtures("_flip")
@pytest.mark.parametrize("arguments", [{}, {"axis": 7}, {"axis": 1, "other": 2}])
def test_arguments_are_checked(arguments):
    with pytest.raises(ValueError, match="A flip has one axis"):
        Link("flip", None, arguments)


def test_a_kind_has_one_row():
    with pytest.raises(ValueError, match="named 'conv' already"):
        register_link_kind("conv", LinkKind(build=build))


def test_kinds_without_arguments_take_none():
    with pytest.raises(ValueError, match="this kind of link has none"):
        Link("linear", np.ones((2, 2)), {"stride": 1})
