"""From a model of any kind to verdicts: by the README's five lines, or by a message's advice."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    FinalLayerInverter,
    OutputActivation,
    SMInvDetector,
    make_flipad,
)
from sklearn_flipad.detectors import MLP
from sklearn_flipad.generators import sample


class Generator(nn.Module):
    """A small generator: Linear, ConvTranspose2d, output function."""

    latent_shape = (8,)

    def __init__(self, function=torch.tanh, channels=1, gain=3.0, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(8, 4 * 8 * 8)
        self.last = nn.ConvTranspose2d(4, channels, 4, 2, 1)
        with torch.no_grad():
            self.last.weight.mul_(gain)
        self.function = function

    def hidden(self, z):
        return torch.relu(self.first(z)).reshape(-1, 4, 8, 8)

    def forward(self, z):
        return self.function(self.last(self.hidden(z)))


class Shuffled(Generator):
    def __init__(self, seed=0):
        super().__init__(channels=4, seed=seed)
        self.last = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, z):
        return torch.tanh(3 * F.pixel_shuffle(self.last(self.hidden(z)), 2) / 3)


class ChannelsLast(Generator):
    def __init__(self, seed=0):
        super().__init__(channels=3, seed=seed)

    def forward(self, z):
        return super().forward(z).permute(0, 2, 3, 1)


class Noisy(Generator):
    def hidden(self, z):
        h = super().hidden(z)
        return h + 0.1 * torch.randn_like(h)


class Sliced(Generator):
    def forward(self, z):
        return torch.cat([super(Sliced, self).forward(part) for part in z.split(3)])


class Autocast(Generator):
    def forward(self, z):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            o = self.last(self.hidden(z))
        return torch.tanh(o)


class InPlace(Generator):
    def forward(self, z):
        return self.last(self.hidden(z)).tanh_()


class ByKeyword(Generator):
    def forward(self, z):
        return torch.tanh(self.last(input=self.hidden(z)))


class WithAuxiliaryHead(Generator):
    """A second head of the same shape runs last."""

    def __init__(self, seed=0):
        super().__init__(seed=seed)
        self.auxiliary = nn.ConvTranspose2d(4, 1, 4, 2, 1)

    def forward(self, z):
        h = self.hidden(z)
        x, self.preview = torch.tanh(self.last(h)), torch.tanh(self.auxiliary(h))
        return x


def sigmoid(seed):
    return Generator(torch.sigmoid, seed=seed)


def zero_to_255(seed):
    return Generator(lambda o: (torch.tanh(o) + 1) * 127.5, seed=seed)


def zero_to_one(seed):
    return Generator(lambda o: (torch.tanh(o) + 1) / 2, seed=seed)


def half(seed):
    return Generator(seed=seed).half()


def averaged(seed):
    return AveragedModel(Generator(seed=seed))


KINDS = {
    "tanh": lambda seed: Generator(seed=seed),
    "sigmoid": sigmoid,
    "[0, 255]": zero_to_255,
    "[0, 1]": zero_to_one,
    "half precision": half,
    "bfloat16": lambda seed: Generator(seed=seed).to(torch.bfloat16),
    "autocast": lambda seed: Autocast(seed=seed),
    "PixelShuffle": Shuffled,
    "channels last": ChannelsLast,
    "noise inside": lambda seed: Noisy(seed=seed),
    "sliced": lambda seed: Sliced(seed=seed),
    "in place": lambda seed: InPlace(seed=seed),
    "by keyword": lambda seed: ByKeyword(seed=seed),
    "auxiliary head": WithAuxiliaryHead,
    "data parallel": lambda seed: nn.DataParallel(Generator(seed=seed)),
    "averaged": averaged,
}


def verdicts(G, other, *, dtype="uint8", **how):
    """The five lines; shares of own and of other samples that are accepted."""
    layer = FinalLayer.from_generator(G, n_samples=200, random_state=0, **how)
    negatives = np.random.default_rng(0).permutation(
        layer.sample(G, 50, dtype=dtype, random_state=9).reshape(50, -1), axis=1
    )
    X = layer.sample(G, 100, dtype=dtype, random_state=0)
    X, y = np.concatenate([X, negatives.reshape(50, *X.shape[1:])]), np.repeat([1, -1], [100, 50])
    detector = DeepSADDetector(module=MLP, module_params={"hidden": (64,)}, max_epochs=20, lr=2e-3)
    flipad = make_flipad(layer, detector=detector, fnr=0.1, random_state=0)
    flipad.set_params(invert__tol=0.1).fit(X, y)
    own = layer.sample(G, 30, dtype=dtype, random_state=1)
    theirs = layer.sample(other, 30, dtype=dtype, random_state=1)
    return (flipad.predict(own) == 1).mean(), (flipad.predict(theirs) == 1).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_five_lines(kind):
    own, other = verdicts(KINDS[kind](0), KINDS[kind](1))
    assert own > 0.8
    assert other < 0.2


def advice_of(call):
    with pytest.raises(ValueError, match=r".") as caught:
        call()
    return str(caught.value)


def test_unbounded_output():
    G, other = (Generator(lambda o: o, seed=seed) for seed in (0, 1))
    layer = FinalLayer.from_generator(G, n_samples=50, random_state=0)
    advice = advice_of(lambda: layer.sample(G, 10))
    assert "output_range=(low, high)" in advice
    assert "dtype='float32'" in advice
    own, theirs = verdicts(G, other, dtype="float32")
    assert own > 0.8 > 0.2 > theirs
    x = layer.sample(G, 500, dtype="float32", random_state=0)
    own, theirs = verdicts(G, other, output_range=(2 * float(x.min()), 2 * float(x.max())))
    assert own > 0.8 > 0.2 > theirs


@pytest.mark.parametrize(
    ("function", "scale", "shift"),
    [(lambda o: o.clamp(-2, 2), 1, 0), (lambda o: (o / 2 + 0.5).clamp(-0.5, 1.5), 0.5, 0.5)],
)
def test_clamp(function, scale, shift):
    G, other = (Generator(function, seed=seed) for seed in (0, 1))
    advice = advice_of(lambda: FinalLayer.from_generator(G, n_samples=50, random_state=0))
    found = re.search(r"activation=(\S+(?: \S+, \S+\))?), which takes", advice)[1]
    activation = eval(found, {"OutputActivation": OutputActivation})  # what the message says
    if scale != 1:
        assert activation == OutputActivation("identity", scale, shift)
    own, theirs = verdicts(G, other, activation=activation)
    assert own > 0.8 > 0.2 > theirs
    layer = FinalLayer.from_generator(G, n_samples=50, activation=activation, random_state=0)
    low, high = layer.output_range
    assert (low, high) == ((-2, 2) if scale == 1 else (-0.5, 1.5))


def test_activation_that_is_not_the_generator_s_is_refused():
    G = Generator(torch.sigmoid)
    with pytest.raises(ValueError, match="'tanh' does not give the generator's output"):
        FinalLayer.from_generator(G, n_samples=50, activation="tanh", random_state=0)
    layer = FinalLayer.from_generator(G, n_samples=50, activation="sigmoid", random_state=0)
    assert layer == FinalLayer.from_generator(G, n_samples=50, random_state=0)


class AddedLater(Generator):
    def forward(self, z):
        h = self.hidden(z)
        return torch.tanh(self.last(h)) + 0.1 * F.interpolate(h[:, :1], scale_factor=2)


class PerChannel(Generator):
    def __init__(self, seed=0):
        super().__init__(channels=3, seed=seed)

    def forward(self, z):
        return self.plain(z) * torch.tensor([0.2, 0.3, 0.4])[:, None, None] + 0.5

    def plain(self, z):
        return super().forward(z)


class Unscaled(nn.Module):
    """The wrapper that the message about channels asks for."""

    latent_shape = (8,)

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def forward(self, z):
        return (self.generator(z) - 0.5) / torch.tensor([0.2, 0.3, 0.4])[:, None, None]


def test_what_has_no_final_layer_is_told_what_needs_none():
    advice = advice_of(
        lambda: FinalLayer.from_generator(AddedLater(), n_samples=50, random_state=0)
    )
    assert "without what is added or resized after it" in advice
    assert "make_rawpad" in advice


def test_rescaling_of_each_channel():
    G = PerChannel()
    advice = advice_of(lambda: FinalLayer.from_generator(G, n_samples=50, random_state=0))
    assert "Each channel of the output is rescaled" in advice
    own, theirs = verdicts(Unscaled(G), Unscaled(PerChannel(seed=1)))
    assert own > 0.8 > 0.2 > theirs


def test_an_unknown_order_is_named():
    class Permuted(Generator):
        def forward(self, z):
            x = super().forward(z).flatten(1)
            return x[:, torch.randperm(256, generator=torch.Generator().manual_seed(0))]

    with pytest.raises(ValueError, match="the same values in another order"):
        FinalLayer.from_generator(Permuted(), n_samples=50, random_state=0)


@pytest.mark.parametrize("kind", ["PixelShuffle", "channels last"])
def test_rearranged_outputs_decode_and_invert(kind):
    G = KINDS[kind](0)
    layer = FinalLayer.from_generator(G, n_samples=50, random_state=0)
    z = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(layer.decode(G.hidden(z)), G(z), atol=1e-5, rtol=0)
    X = layer.sample(G, 4, dtype="float32", random_state=0)
    inverter = FinalLayerInverter(layer)
    back = inverter.inverse_transform(inverter.transform(X))
    assert np.abs(back - X).max() < 0.02


def test_the_layer_can_be_named():
    G = WithAuxiliaryHead()
    by_name = FinalLayer.from_generator(G, n_samples=50, module="last", random_state=0)
    assert by_name == FinalLayer.from_generator(G, n_samples=50, module=G.last, random_state=0)
    assert by_name == FinalLayer.from_generator(G, n_samples=50, random_state=0)
    with pytest.raises(ValueError, match=r"does not|not recognized"):
        FinalLayer.from_generator(G, n_samples=50, module="auxiliary", random_state=0)
    with pytest.raises(ValueError, match="its linear layers are first, last, auxiliary"):
        FinalLayer.from_generator(G, n_samples=50, module="conv", random_state=0)


def test_other_generators_and_layers_do_not_mix():
    layer = FinalLayer.from_generator(Generator(), n_samples=50, random_state=0)
    with pytest.raises(ValueError, match=r"values range from .* it is not the layer's generator"):
        layer.sample(zero_to_255(0), 10)
    with pytest.raises(ValueError, match="samples of shape"):
        layer.sample(ChannelsLast(), 10)


def test_ranges_that_are_not_those_of_the_generator():
    expected = np.rint(sample(sigmoid(0), 20, dtype="float32", random_state=0) * 255)
    np.testing.assert_array_equal(sample(sigmoid(0), 20, random_state=0), expected)
    np.testing.assert_array_equal(
        sample(zero_to_255(0), 20, random_state=0),
        sample(zero_to_255(0), 20, random_state=0, output_range=(0, 255)),
    )
    with pytest.raises(ValueError, match=r"% of the generator's values lie outside of \[-1, 1\]"):
        sample(zero_to_255(0), 20, output_range=(-1, 1))
    unknown = Generator(lambda o: torch.sin(o) ** 2)
    advice = advice_of(lambda: sample(unknown, 20))
    low, high = map(float, re.search(r"range from (\S+) to (\S+),", advice).groups())
    assert 0 <= low < high <= 1
    assert sample(unknown, 20, output_range=(0, 1)).max() > 200


def test_generators_that_draw_random_numbers():
    G, state = Noisy(), torch.get_rng_state()
    layers = [FinalLayer.from_generator(G, n_samples=50, random_state=0) for _ in range(2)]
    assert layers[0] == layers[1]
    first, second = (sample(G, 5, random_state=0) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, sample(G, 5, random_state=1))
    detector = SMInvDetector(G, n_restarts=2, max_iter=5)
    with pytest.warns(UserWarning, match="draws random numbers while it runs"):
        scores = detector.score_samples(first)
    with pytest.warns(UserWarning, match="draws random numbers"):
        np.testing.assert_array_equal(detector.score_samples(first), scores)
    assert torch.equal(torch.get_rng_state(), state)


def test_compiled_generators():
    G = Generator()
    layer = FinalLayer.from_generator(torch.compile(G), n_samples=50, random_state=0)
    assert layer == FinalLayer.from_generator(G, n_samples=50, random_state=0)


def test_scripted_generators():
    torch.manual_seed(0)
    G = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 9), nn.Tanh())
    scripted = torch.jit.trace(G, torch.zeros(2, 8))
    advice = advice_of(lambda: FinalLayer.from_generator(scripted, latent_shape=8, n_samples=50))
    assert "FinalLayer.from_module" in advice
    layer = FinalLayer.from_generator(G, latent_shape=8, n_samples=50, random_state=0)
    X = layer.sample(scripted, 5, latent_shape=8, random_state=0)
    np.testing.assert_array_equal(X, layer.sample(G, 5, latent_shape=8, random_state=0))
    np.testing.assert_array_equal(X, sample(scripted, 5, latent_shape=8, random_state=0))


def test_exported_generators():
    torch.manual_seed(0)
    G = nn.Sequential(nn.Linear(8, 9), nn.Tanh())
    exported = torch.export.export(G, (torch.zeros(2, 8),))
    for call in (FinalLayer.from_generator, sample):
        with pytest.raises(ValueError, match="pass the module that it was made from"):
            call(exported, latent_shape=8, n_samples=5)
        with pytest.raises(ValueError, match="cannot be put into eval mode"):
            call(exported.module(), latent_shape=8, n_samples=5)


@pytest.mark.parametrize(
    ("forward", "match"),
    [
        (lambda x, z: (x, z), "returned a tuple, not a tensor; wrap it"),
        (lambda x, z: {"sample": x}, "returned a dict, not a tensor; wrap it"),
        (lambda x, z: x[:1], r"must return a sample for each latent"),
    ],
)
def test_what_generators_return(forward, match):
    class Returning(Generator):
        def forward(self, z):
            return forward(super().forward(z), z)

    G = Returning()
    X = np.zeros((2, 1, 16, 16), np.uint8)
    detector = SMInvDetector(G, n_restarts=2, max_iter=2, output_range=(-1, 1))
    calls = [
        lambda: FinalLayer.from_generator(G, n_samples=10),
        lambda: sample(G, 3),
        lambda: detector.score_samples(X),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=match):
            call()


@pytest.mark.parametrize(
    "sampler",
    [
        lambda n, rng: rng.standard_normal((n, 8)),
        lambda n, rng: [torch.from_numpy(rng.standard_normal((n, 8)))],
        lambda n, rng: (rng.standard_normal((n, 8)).astype(np.float32),),
    ],
)
def test_what_samplers_return(sampler):
    G = Generator()
    layer = FinalLayer.from_generator(G, sampler=sampler, n_samples=50, random_state=0)
    assert layer == FinalLayer.from_generator(G, latent_shape=8, n_samples=50, random_state=0)


@pytest.mark.parametrize(
    ("sampler", "match"),
    [
        (lambda n, rng: {"z": torch.zeros(n, 8)}, "got a dict"),
        (lambda n, rng: torch.zeros(n + 1, 8), r"asked for \d+ inputs, but returned shapes"),
        (lambda n, rng: (), r"asked for \d+ inputs"),
    ],
)
def test_samplers_that_are_refused(sampler, match):
    with pytest.raises(ValueError, match=match):
        FinalLayer.from_generator(Generator(), sampler=sampler, n_samples=50)


def test_a_device_without_float64():
    class NoDouble(torch.Tensor):
        """A tensor on a device that has no float64, as MPS."""

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            asked = any(value is torch.float64 for value in (*args, *kwargs.values()))
            if function is torch.Tensor.double or asked:
                raise TypeError("Cannot convert to float64 on this device.")
            out = super().__torch_function__(function, types, args, kwargs)
            return out.as_subclass(torch.Tensor) if function is torch.Tensor.cpu else out

    class Elsewhere(Generator):
        def forward(self, z):
            return super().forward(z.as_subclass(NoDouble))

    layer = FinalLayer.from_generator(Elsewhere(), n_samples=20, random_state=0)
    assert layer == FinalLayer.from_generator(Generator(), n_samples=20, random_state=0)
