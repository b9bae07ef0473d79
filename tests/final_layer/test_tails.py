"""Linear tails: from a running generator to a chain of maps, and on to a verdict."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_flipad import FinalLayer, FinalLayerInverter, OutputActivation, make_flipad
from sklearn_flipad.detectors import MLP, DeepSADDetector
from sklearn_flipad.final_layer import Link
from sklearn_flipad.final_layer._tracing import trace_final_layer
from sklearn_flipad.operators import FunctionOperator
from sklearn_flipad.storage.arrays import save_arrays


class Ending(nn.Module):
    """A linear layer, ReLU, whatever is given, and tanh."""

    latent_shape = (6,)

    def __init__(self, *tail, shape=(8, 5, 6)):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(6, int(np.prod(shape)))
        self.tail = nn.Sequential(*tail)
        self.shape = shape

    def forward(self, z):
        return torch.tanh(self.tail(torch.relu(self.first(z).view(-1, *self.shape))))


class SuperResolution(nn.Module):
    """As ESRGAN has it: a trunk with a skip, then convolutions with nearest upsampling between."""

    latent_shape = (3, 6, 6)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, *self.others = (nn.Conv2d(3 if i == 0 else 8, 8, 3, 1, 1) for i in range(4))
        self.others = nn.ModuleList(self.others)
        self.last = nn.Conv2d(8, 3, 3, 1, 1)

    def forward(self, x):
        body, trunk, up = self.others
        x = self.first(x)
        x = x + 0.2 * trunk(F.leaky_relu(body(x), 0.2, inplace=True))
        return self.last(F.interpolate(up(x), scale_factor=2, mode="nearest"))


class Skip(Ending):
    """A function of the activations before the linear layer and of a second tensor."""

    def __init__(self, function, *parts, shape=(8, 6, 6), skip_shape=(4, 3, 3)):
        super().__init__(shape=shape)
        self.second = nn.Linear(6, int(np.prod(skip_shape)))
        self.function, self.skip_shape = function, skip_shape
        self.parts = nn.ModuleList(parts)

    def forward(self, z):
        last = torch.relu(self.first(z)).view(-1, *self.shape)
        skip = F.leaky_relu(self.second(z), 0.2).view(-1, *self.skip_shape)
        return torch.tanh(self.function(last, skip, *self.parts))


def _styled(last, skip, conv, rgb):
    """As StyleGAN2 has it: what is already there goes through a fixed filter."""
    taps = torch.tensor([1.0, 3, 3, 1]) / 4
    kernel = torch.outer(taps, taps).expand(3, 1, 4, 4)
    up = F.conv_transpose2d(rgb(skip), kernel, stride=2, padding=1, groups=3)
    return up.add_(conv(last))


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        return self.function(x, *self.parts)


def _batch_norm(channels):
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(channels).eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.normal_(norm.bias)
    return norm


CONV = lambda channels, out, k=3: nn.Conv2d(channels, out, k, padding=k // 2)  # noqa: E731

#: By name: a generator, and the kinds of its links.
TAILS = {
    "conv": (lambda: Ending(CONV(8, 3)), ["conv"]),
    "reflect-conv (ResNet)": (
        lambda: Ending(nn.ReflectionPad2d(3), nn.Conv2d(8, 3, 7)),
        ["conv"],
    ),
    "nearest-conv": (lambda: Ending(nn.Upsample(scale_factor=2), CONV(8, 3)), ["resize", "conv"]),
    "bilinear-conv": (
        lambda: Ending(nn.Upsample(scale_factor=2, mode="bilinear"), CONV(8, 3)),
        ["resize", "conv"],
    ),
    "conv-shuffle": (lambda: Ending(CONV(8, 12), nn.PixelShuffle(2)), ["conv"]),
    "conv-shuffle-conv": (
        lambda: Ending(CONV(8, 12), nn.PixelShuffle(2), CONV(3, 3)),
        ["conv", "pixel_shuffle", "conv"],
    ),
    "conv-nearest": (lambda: Ending(CONV(8, 3), nn.Upsample(scale_factor=2)), ["conv", "resize"]),
    "conv-crop": (
        lambda: Ending(CONV(8, 3), Function(lambda x: x[:, :, 1:-1, :-2])),
        ["conv", "crop"],
    ),
    "batch norm-conv": (lambda: Ending(_batch_norm(8), CONV(8, 3)), ["scale", "conv"]),
    "conv-batch norm": (lambda: Ending(CONV(8, 3), _batch_norm(3)), ["conv", "scale"]),
    "conv-constant": (
        lambda: Ending(CONV(8, 3), Function(lambda x: x + torch.linspace(-1, 1, 6))),
        ["conv"],
    ),
    "residual": (
        lambda: Ending(Function(lambda x, conv: x + 0.5 * conv(x), CONV(8, 8)), CONV(8, 3, 1)),
        ["sum", "conv"],
    ),
    "signal": (
        lambda: Ending(nn.Upsample(23), nn.Conv1d(8, 1, 5, bias=False), shape=(8, 9)),
        ["resize", "conv"],
    ),
    "replicated, even kernel": (
        lambda: Ending(nn.ReplicationPad2d((0, 1, 1, 0)), nn.Conv2d(8, 3, 2)),
        ["pad", "conv"],
    ),
    "tokens": (lambda: Ending(nn.Linear(5, 4), shape=(3, 5)), ["linear"]),
    "tokens, permuted": (
        lambda: Ending(
            nn.Linear(5, 4), Function(lambda x: x.transpose(1, 2)), nn.Linear(3, 2), shape=(3, 5)
        ),
        ["linear", "permute", "linear"],
    ),
    "two layers of a table": (
        lambda: Ending(nn.Linear(9, 5), nn.Linear(5, 4), shape=(9,)),
        ["linear", "linear"],
    ),
    "linear-conv": (
        lambda: Ending(nn.Linear(9, 72), nn.Unflatten(1, (8, 3, 3)), CONV(8, 2), shape=(9,)),
        ["linear", "reshape", "conv"],
    ),
    "super-resolution": (SuperResolution, ["conv", "resize", "conv"]),
    "skip": (
        lambda: Skip(lambda last, skip, conv: conv(last) + skip, CONV(8, 3), skip_shape=(3, 6, 6)),
        ["branches"],
    ),
    "skip, subtracted": (
        lambda: Skip(
            lambda last, skip, conv: (skip - 2 * conv(last)) / 3, CONV(8, 3), skip_shape=(3, 6, 6)
        ),
        ["branches"],
    ),
    "skip through upsampling": (lambda: Skip(_styled, CONV(8, 3), CONV(4, 3, 1)), ["branches"]),
    "skip and two ways from one activation": (
        lambda: Skip(
            lambda last, skip, first, second: first(last) + (skip + second(last)),
            CONV(8, 3),
            CONV(8, 3, 1),
            skip_shape=(3, 6, 6),
        ),
        ["branches"],
    ),
    "skip of a table": (
        lambda: Skip(
            lambda last, skip, first, second: first(last) + second(skip),
            nn.Linear(9, 4),
            nn.Linear(5, 4),
            shape=(9,),
            skip_shape=(5,),
        ),
        ["branches"],
    ),
    "noise behind the layer": (
        lambda: Skip(
            lambda last, skip, conv: conv(last) + 0.1 * torch.randn_like(skip),
            CONV(8, 3),
            skip_shape=(3, 6, 6),
        ),
        ["branches"],
    ),
}


@pytest.fixture(params=TAILS)
def tail(request):
    """A generator in eval mode, and the kinds of links that are expected."""
    build, kinds = TAILS[request.param]
    return build().eval(), kinds


def test_from_module_to_inversion(tail):
    generator, kinds = tail
    layer = FinalLayer.from_generator(generator, n_samples=50, random_state=0)
    assert [link.kind for link in layer.links] == kinds
    trace = trace_final_layer(generator, n_samples=50, random_state=0)
    assert layer.input_shape == tuple(trace.inputs.shape[1:])
    torch.testing.assert_close(layer.decode(trace.inputs), trace.samples, atol=1e-5, rtol=0)
    mean = trace.inputs.double().mean(dim=0).numpy()
    np.testing.assert_allclose(layer.mean_activation, mean, atol=1e-6)
    x = layer.sample(generator, 3, dtype="float32", random_state=1)
    result = FinalLayerInverter(layer).fit(x).invert(x)
    assert result.converged.all()


def test_tail_is_the_linear_map_that_torch_sees(tail):
    """The reference: the same part of the generator, as a function."""
    generator, _ = tail
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    trace = trace_final_layer(generator, n_samples=20, random_state=0)
    if isinstance(trace.module, nn.Module):

        def reference(z):
            return trace.module(z) - trace.module(torch.zeros_like(z))
    else:
        tail = trace.module
        n = tail.graph.shape(tail.sources[0])[0]

        def reference(z):
            filled = torch.cat([z, z.new_zeros(n - len(z), *z.shape[1:])])
            return (tail.replay(filled) - tail.replay(filled * 0))[: len(z)]

    with torch.no_grad():
        expected = FunctionOperator(reference, layer.input_shape)
        operator = layer.operator()
        scale = layer._scale_column(torch.empty(1, *operator.output_shape))
        z = torch.randn(2, *layer.input_shape, generator=torch.Generator().manual_seed(0))
        r = torch.randn(2, *operator.output_shape, generator=torch.Generator().manual_seed(1))
        found = (operator.forward(z) * scale).flatten(1)
        torch.testing.assert_close(found, expected.forward(z).flatten(1), atol=1e-5, rtol=1e-5)
        back = expected.adjoint((r / scale).reshape(2, *expected.output_shape))
        torch.testing.assert_close(operator.adjoint(r), back, atol=1e-4, rtol=1e-4)


def test_tail_is_kept_without_pickle(tail, tmp_path):
    generator, _ = tail
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    layer.save(tmp_path / "layer.safetensors")
    again = FinalLayer.load(tmp_path / "layer.safetensors")
    assert again == layer
    assert hash(again) == hash(layer)
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert repr(again) == repr(layer)
    z = torch.randn(2, *layer.input_shape)
    assert torch.equal(again.decode(z), layer.decode(z))


@pytest.mark.parametrize(
    "name",
    [
        "super-resolution",
        "reflect-conv (ResNet)",
        "nearest-conv",
        "conv-shuffle-conv",
        "skip",
        "skip through upsampling",
    ],
)
def test_from_module_to_verdict(name):
    generator = TAILS[name][0]().eval()
    layer = FinalLayer.from_generator(generator, n_samples=100, random_state=0)
    own = layer.sample(generator, 140, dtype="float32", random_state=1)
    others = np.random.default_rng(0).uniform(-0.3, 0.3, (40, *own.shape[1:])).astype(np.float32)
    X, y = np.concatenate([own[:100], others[:20]]), np.repeat([1, -1], [100, 20])
    detector = DeepSADDetector(module=MLP, max_epochs=10, random_state=0)
    flipad = make_flipad(layer, fnr=0.1, detector=detector, random_state=0).fit(X, y)
    assert (flipad.predict(own[100:]) == 1).mean() > 0.6
    assert (flipad.predict(others[20:]) == -1).mean() > 0.9


def test_a_named_module_is_taken_alone():
    generator = TAILS["nearest-conv"][0]().eval()
    layer = FinalLayer.from_generator(generator, n_samples=20, module="tail.1", random_state=0)
    assert [link.kind for link in layer.links] == ["conv"]
    assert layer.input_shape == (8, 10, 12)


@pytest.mark.parametrize(
    ("tail", "name"),
    [
        (Function(lambda x: x.cumsum(dim=2)), "cumsum"),
        (nn.AvgPool2d(2), "avg_pool2d"),
        (Function(lambda x: torch.fft.rfft2(x).real.contiguous()), "select"),
        (nn.Upsample(scale_factor=2, mode="bicubic"), "upsample_bicubic2d"),
    ],
)
def test_what_cannot_be_taken_apart_is_named(tail, name):
    generator = Ending(CONV(8, 3), tail).eval()
    with pytest.raises(ValueError, match=f"could not be taken apart is {name}"):
        FinalLayer.from_generator(generator, n_samples=20, random_state=0)


def test_a_nonlinearity_in_between_ends_the_tail():
    generator = Ending(CONV(8, 8), nn.LeakyReLU(0.2), nn.Upsample(scale_factor=2), CONV(8, 3))
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    assert [link.kind for link in layer.links] == ["resize", "conv"]


@pytest.mark.parametrize(
    "function",
    [
        lambda last, skip: last + skip,
        lambda last, skip: last + F.interpolate(skip[:, :, ::2, ::2], scale_factor=2),
        lambda last, skip: (last + skip) * (1 + skip.mean(dim=1, keepdim=True)),
    ],
    ids=["two activations", "one of them upsampled", "behind a product"],
)
def test_sums_without_a_layer_are_refused(function):
    """Samples are their own activations if nothing mixes channels."""
    generator = Skip(function, shape=(3, 6, 6), skip_shape=(3, 6, 6)).eval()
    with pytest.raises(ValueError, match="could not be taken apart is"):
        FinalLayer.from_generator(generator, n_samples=20, random_state=0)


def test_sums_of_activations_are_one():
    """The input of a layer that mixes channels is an activation, a sum or not."""
    generator = Skip(
        lambda last, skip, conv: conv(last + skip), CONV(8, 3), skip_shape=(8, 6, 6)
    ).eval()
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    assert [link.kind for link in layer.links] == ["conv"]
    assert layer.branch_shapes == ((8, 6, 6),)


def test_noise_is_no_constant():
    noisy = Function(lambda x: x + torch.randn_like(x[:, :1]))
    generator = Ending(CONV(8, 8), noisy, CONV(8, 3)).eval()
    layer = FinalLayer.from_generator(generator, n_samples=40, random_state=0)
    assert [link.kind for link in layer.links] == ["conv"]


def test_batches_that_go_another_way():
    """Larger batches in parts: the last layer alone is found, as hooks see it."""

    class InParts(Ending):
        def forward(self, z):
            return torch.cat([super(InParts, self).forward(part) for part in z.split(10)])

    generator = InParts(nn.Upsample(scale_factor=2), CONV(8, 3)).eval()
    layer = FinalLayer.from_generator(generator, n_samples=40, batch_size=40, random_state=0)
    assert [link.kind for link in layer.links] == ["conv"]


def test_links_by_hand():
    up = Link("resize", None, {"factor": (2, 2)})
    conv = Link("conv", np.ones((1, 2, 3, 3)), {"padding": 1})
    layer = FinalLayer([up, conv], input_shape=(2, 4, 4), activation="tanh", bias=[0.5])
    module = nn.Conv2d(2, 1, 3, padding=1)
    nn.init.ones_(module.weight)
    nn.init.constant_(module.bias, 0.5)
    z = torch.randn(2, 2, 4, 4)
    expected = torch.tanh(module(F.interpolate(z, scale_factor=2)))
    torch.testing.assert_close(layer.decode(z), expected)
    assert layer.links == (up, conv)


@pytest.mark.parametrize(
    ("links", "match"),
    [
        ([], "at least one"),
        (["conv"], "Link objects"),
        ([Link("resize", None, {"factor": (2,)})], "does not fit|shorter|argument"),
        ([Link("reshape", None, {"shape": (3,)})], "cannot have shape"),
        ([Link("conv", np.ones((1, 3, 1, 1)))], "3 channels"),
        ([Link("scale", np.zeros((1, 1, 1)))], "All weights are 0"),
        ([Link("scale", np.full((1, 1, 1), np.nan))], "NaN"),
        ([Link("resize", None, {"factor": (60000, 60000)})], "elements"),
    ],
)
def test_links_that_do_not_fit(links, match):
    with pytest.raises(ValueError, match=match):
        FinalLayer(links, input_shape=(2, 4, 4), activation=OutputActivation("tanh"))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("relu",), "kind must be one of"),
        (("conv",), "has a weight"),
        (("crop", np.ones(2), {"margins": ((0, 0),)}), "has no weight"),
        (("crop", None, {"margins": ((-1, 0),)}), "cannot have margins"),
        (("pad", None, {"margins": ((1, 0),), "mode": "circular"}), "cannot have mode"),
        (("sum", None, {"terms": ()}), "two terms"),
        (("branches", None, {"terms": ([Link("conv", np.ones((1, 1, 1)))],) * 2}), "two terms"),
        (
            (
                "branches",
                None,
                {"terms": ([Link("conv", np.ones((1, 1, 1)))],) * 2, "shapes": [(1, 3)]},
            ),
            "one shape for each of 2",
        ),
        (("linear", np.ones(3)), "weight must have 2 axes"),
    ],
)
def test_links_that_are_none(arguments, match):
    with pytest.raises(ValueError, match=match):
        Link(*arguments)


def test_damaged_chains_are_refused(tmp_path):
    generator = TAILS["residual"][0]().eval()
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    for damage in (
        lambda entries: entries[0]["arguments"].update(terms=[[], []]),
        lambda entries: entries[1].update(weight="weight.9"),
        lambda entries: entries[1].update(kind="pickle"),
        lambda entries: entries[1]["arguments"].update(stride=[0, 0]),
        lambda entries: entries.pop(),
    ):
        arrays, description = layer.to_parts()
        damage(description["links"])
        path = tmp_path / "damaged.safetensors"
        save_arrays(path, arrays, description)
        with pytest.raises(ValueError, match="no valid final layer"):
            FinalLayer.load(path)
