"""Modules of users: types and states of weights and outputs that work, or are refused by name."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_flipad import FinalLayer, LatentEncoder, ReproductionDetector, ResidualTransformer
from sklearn_flipad.evaluation import distilled_copy
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction import FeatureDistance


class Generator(nn.Module):
    latent_shape = (8,)
    output_range = (-1, 1)

    def __init__(self, end=torch.tanh):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 9)
        self.last.weight.data *= 3
        self.end = end

    def forward(self, z):
        return self.end(self.last(torch.relu(self.first(z)))).reshape(len(z), 1, 3, 3)


#: Ways by which a generator enters.
ENTRIES = {
    "layer": lambda g: FinalLayer.from_generator(g, n_samples=20),
    "samples": lambda g: sample(g, 4, output_range=(-1, 1)),
    "encoder": lambda g: LatentEncoder(max_steps=1, output_range=(-1, 1)).fit(g),
    "copy": lambda g: distilled_copy(Generator(), g, n_steps=1),
}
#: Ways by which another module does, with the word for it.
MODULES = {
    "encoder": lambda m: detector(Generator(), m).score_samples(own()),
    "module": lambda m: LatentEncoder(max_steps=1, module=m).fit(Generator()),
    "extractor": lambda m: FeatureDistance(m)(torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 3, 3)),
    "autoencoder": lambda m: ResidualTransformer(m).fit(own()),
}


def own(n=20):
    return sample(Generator(), n, random_state=0)


def detector(generator, encoder, **options):
    return ReproductionDetector(generator, encoder=encoder, n_calibration=0, **options)


def encoder_network():
    return nn.Sequential(nn.Flatten(), nn.Linear(9, 8))


def to_meta(module):
    return copy.deepcopy(module).to("meta")


@pytest.mark.parametrize("entry", ENTRIES)
def test_weights_without_values(entry):
    with pytest.raises(ValueError, match=r"without values.*load_state_dict\(\.\.\., assign=True"):
        ENTRIES[entry](to_meta(Generator()))
    filled = to_meta(Generator())
    filled.load_state_dict(Generator().state_dict(), assign=True)
    ENTRIES[entry](filled)
    part = Generator()
    part.last.to("meta")
    with pytest.raises(ValueError, match=r"'meta' \(last\.weight\)"):
        ENTRIES[entry](part)


@pytest.mark.parametrize("entry", ENTRIES)
def test_lazy_layers(entry):
    lazy = Generator()
    lazy.last = nn.LazyLinear(9)
    with pytest.raises(ValueError, match=r"lazy layer.*\(last\.weight\).*Call it once"):
        ENTRIES[entry](lazy)
    lazy(torch.zeros(2, 8))
    ENTRIES[entry](lazy)


@pytest.mark.parametrize("role", MODULES)
def test_other_modules_are_checked_alike(role):
    with pytest.raises(ValueError, match=f"The {role} has weights without values"):
        MODULES[role](to_meta(encoder_network()))
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(9), nn.Unflatten(1, (1, 3, 3)))
    with pytest.raises(ValueError, match=f"The {role} has a lazy layer"):
        MODULES[role](lazy)

    class Complex(nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1j

    with pytest.raises(ValueError, match=f"The {role} returned complex64 values"):
        MODULES[role](Complex(3, 3))


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (lambda o: torch.complex(o, o), "complex64"),
        (lambda o: o > 0, "bool"),
        (lambda o: (127 * torch.tanh(o) + 128).to(torch.uint8), "uint8"),
    ],
)
def test_outputs_that_are_no_real_numbers(end, name):
    for entry in ENTRIES.values():
        with pytest.raises(ValueError, match=f"returned {name} values"):
            entry(Generator(end))


def test_the_parts_of_complex_outputs_as_channels():
    class Parts(Generator):
        def forward(self, z):
            z = torch.view_as_real(torch.complex(super().forward(z), super().forward(z.flip(1))))
            return z.permute(0, 1, 4, 2, 3).flatten(1, 2)

    assert sample(Parts(), 4, random_state=0).shape == (4, 2, 3, 3)


def test_the_real_part_of_a_complex_layer_is_no_final_layer():
    class Real(nn.Module):
        latent_shape = (8,)

        def __init__(self):
            super().__init__()
            self.last = nn.Linear(8, 4, dtype=torch.complex64)

        def forward(self, z):
            return torch.tanh(self.last(z + 0j).real)

    with pytest.raises(ValueError, match="complex"):
        FinalLayer.from_generator(Real(), n_samples=20)
    with pytest.raises(ValueError, match="needs real weights"):
        FinalLayer.from_module(Real().last, input_shape=(8,))


def test_a_first_parameter_of_integers_does_not_round_latents():
    g = Generator()
    counted = nn.Sequential()
    counted.register_parameter("count", nn.Parameter(torch.tensor([1]), requires_grad=False))
    counted.append(g)
    x = sample(counted, 4, latent_shape=8, output_range=(-1, 1), random_state=0)
    np.testing.assert_array_equal(x, sample(g, 4, random_state=0))


def test_weights_of_inference_mode_can_be_searched():
    with torch.inference_mode():
        made, network = Generator(), encoder_network()
    X = sample(made, 20, random_state=0)
    np.testing.assert_array_equal(X, own())
    assert FinalLayer.from_generator(made, n_samples=20, random_state=0).output_shape == (1, 3, 3)
    expected = detector(Generator(), copy.deepcopy(network), max_iter=30).score_samples(X)
    np.testing.assert_array_equal(detector(made, network, max_iter=30).score_samples(X), expected)
    distance = FeatureDistance(network)(torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 3, 3))
    assert distance.requires_grad or distance.shape == (2,)


def test_encoders_of_half_precision():
    network = encoder_network()
    options = {"max_iter": 0, "n_newton": 0}
    networks = copy.deepcopy(network).double(), copy.deepcopy(network).half()
    found, half = (
        detector(Generator(), encoder, **options).score_samples(own()) for encoder in networks
    )
    assert np.abs(found - half).max() < 1
    with pytest.raises(ValueError, match=r"module\.float\(\)"):
        LatentEncoder(max_steps=1, module=network.half()).fit(Generator())
    LatentEncoder(max_steps=1, module=network.float()).fit(Generator())


def test_hooks_that_change_outputs():
    hooked = Generator()
    hooked.register_forward_hook(lambda module, args, output: 0.5 * output)
    layer = FinalLayer.from_generator(hooked, n_samples=50, random_state=0)
    assert (layer.activation.name, layer.activation.scale) == ("tanh", 0.5)
    inner = Generator()
    inner.last.register_forward_hook(lambda module, args, output: output + 0.3)
    layer = FinalLayer.from_generator(inner, n_samples=50, random_state=0)
    np.testing.assert_allclose(layer.bias, inner.last.bias.detach() + 0.3, rtol=1e-6)


def test_generators_with_further_inputs():
    class Labeled(Generator):
        def forward(self, z, label):
            return super().forward(z) * label[:, None, None, None]

    for entry in ENTRIES.values():
        with pytest.raises(ValueError, match=r"missing 1 required .*'label'.*Pass sampler="):
            entry(Labeled())

    def sampler(n, rng):
        return rng.standard_normal((n, 8)).astype(np.float32), rng.randint(1, 3, n)

    layer = FinalLayer.from_generator(Generator(), sampler=lambda n, rng: sampler(n, rng)[:1])
    assert layer.output_shape == (1, 3, 3)
    assert sample(Labeled(), 4, sampler=sampler, output_range=(-2, 2)).shape == (4, 1, 3, 3)
