"""Finding, describing, saving and sharing a final layer."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_flipad import FinalLayer, FinalLayerInverter, OutputActivation
from sklearn_flipad.final_layer import Link
from sklearn_flipad.generators import sample
from sklearn_flipad.storage.arrays import save_arrays


class Tiny(nn.Module):
    """Two layers and an activation given as a function or a module."""

    latent_shape = (6,)

    def __init__(self, activation, last=None, view=None):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(6, 12)
        self.norm = nn.BatchNorm1d(12)
        self.last = last or nn.Linear(12, 16)
        self.activation = activation
        self.view = view

    def forward(self, z):
        x = self.activation(self.last(torch.relu(self.norm(self.first(z)))))
        return x if self.view is None else x.reshape(-1, *self.view)


ACTIVATIONS = {
    "identity": (lambda o: o, OutputActivation("identity")),
    "nn.Tanh": (nn.Tanh(), OutputActivation("tanh")),
    "torch.tanh": (torch.tanh, OutputActivation("tanh")),
    "sigmoid": (torch.sigmoid, OutputActivation("sigmoid")),
    "softplus": (nn.functional.softplus, OutputActivation("softplus")),
    "leaky_relu": (nn.LeakyReLU(0.2), OutputActivation("leaky_relu", slope=0.2)),
    "tanh to [0, 1]": (lambda o: (torch.tanh(o) + 1) / 2, OutputActivation("tanh", 0.5, 0.5)),
    "255 sigmoid": (lambda o: 255 * torch.sigmoid(o), OutputActivation("sigmoid", 255.0)),
    "affine": (lambda o: 3 * o - 2, OutputActivation("identity", 3.0, -2.0)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_recognized_by_what_it_does(name):
    function, expected = ACTIVATIONS[name]
    layer = FinalLayer.from_generator(Tiny(function), n_samples=200, random_state=0)
    found = layer.activation
    assert found.name == expected.name
    assert found.scale == pytest.approx(expected.scale, rel=1e-3)
    assert found.shift == pytest.approx(expected.shift, abs=1e-3)
    assert found.slope == pytest.approx(expected.slope, rel=1e-3)


def test_tanh_is_recognized_where_it_is_almost_linear():
    last = torch.nn.Linear(8, 12)
    torch.nn.init.uniform_(last.weight, -1e-3, 1e-3)
    torch.nn.init.zeros_(last.bias)
    generator = torch.nn.Sequential(last, torch.nn.Tanh())
    layer = FinalLayer.from_generator(generator, latent_shape=(8,), n_samples=20, random_state=0)
    assert layer.activation == OutputActivation("tanh")


def test_small_rescaled_tanh_is_recognized():
    last = torch.nn.Linear(12, 12)
    torch.nn.init.uniform_(last.weight, -0.01, 0.01)
    torch.nn.init.zeros_(last.bias)
    generator = Tiny(lambda o: (torch.tanh(o) + 1) / 2, last=last)
    found = FinalLayer.from_generator(generator, n_samples=200, random_state=0).activation
    assert found.name == "tanh"
    assert found.scale == pytest.approx(0.5, rel=1e-2)


def test_identity_with_rounding_stays_identity():
    generator = Tiny(lambda o: o * (1 + 3e-8))
    layer = FinalLayer.from_generator(generator, n_samples=200, random_state=0)
    assert layer.activation == OutputActivation("identity")


def test_mean_activation_is_not_that_of_samples_with_the_same_seed(dcgan):
    layer = FinalLayer.from_generator(dcgan, n_samples=20, random_state=0)
    z = np.random.RandomState(0).standard_normal((20, *dcgan.latent_shape)).astype(np.float32)
    with torch.no_grad():
        inputs = dcgan.main[:-2](torch.from_numpy(z)).mean(dim=0).numpy()
    assert np.abs(layer.mean_activation - inputs).max() > 0.01


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_inverse(name):
    activation = ACTIVATIONS[name][1]
    o = torch.linspace(-3, 3, 61, dtype=torch.float64)
    torch.testing.assert_close(activation.inverse(activation.forward(o), 1e-9), o)
    low, high = activation.range
    x = activation.forward(o)
    assert (x >= low).all()
    assert (x <= high).all()


@pytest.mark.parametrize(
    ("activation", "match"),
    [
        (torch.relu, "a ReLU, which is not invertible"),
        (lambda o: o.clamp(-0.1, 0.1), r"a clamp to \[-0.1, 0.1\]"),
        (torch.sin, "not recognized"),
        (lambda o: o.repeat(1, 2), "something other than an activation"),
        (lambda o: (o, o), "returned a tuple"),
    ],
)
def test_what_cannot_be_inverted_says_what_to_do(activation, match):
    with pytest.raises(ValueError, match=match):
        FinalLayer.from_generator(Tiny(activation), n_samples=50, random_state=0)


def test_relu_can_be_overruled_by_hand():
    with pytest.warns(UserWarning, match="values are cut off at 0"):
        layer = FinalLayer.from_generator(
            Tiny(torch.relu), n_samples=50, activation="identity", random_state=0
        )
    assert layer.activation == OutputActivation("identity")


def test_no_linear_layer():
    class Noise(nn.Module):
        latent_shape = (3,)

        def forward(self, z):
            return torch.tanh(z)

    with pytest.raises(ValueError, match="ran no Linear"):
        FinalLayer.from_generator(Noise(), n_samples=5)


def test_the_last_layer_that_runs_is_found():
    class Unused(Tiny):
        def __init__(self):
            super().__init__(torch.tanh)
            self.decoy = nn.Linear(3, 3)  # registered last, never run

    generator = Unused()
    layer = FinalLayer.from_generator(generator, n_samples=50, random_state=0)
    np.testing.assert_array_equal(layer.links[0].weight, generator.last.weight.detach().numpy())


def test_layer_that_does_not_compute_its_weights():
    class Scaled(nn.Linear):
        def forward(self, z):
            return 2 * super().forward(z)

    generator = Tiny(torch.tanh, last=Scaled(12, 16))
    with pytest.raises(ValueError, match=r"Scaled.*does not compute the linear map"):
        FinalLayer.from_generator(generator, n_samples=50, module="last")
    # What it computes is seen where its operations are.
    layer = FinalLayer.from_generator(generator, n_samples=50, random_state=0)
    assert [link.kind for link in layer.links] == ["linear", "scale"]


def test_mean_activation_in_eval_mode():
    generator = Tiny(torch.tanh).train()
    rng = np.random.RandomState(3)
    layer = FinalLayer.from_generator(generator, n_samples=300, batch_size=7, random_state=rng)
    assert generator.training
    assert generator.norm.training
    assert generator.norm.num_batches_tracked == 0
    rng = np.random.RandomState(3)
    rng.randint(2)  # the seed of what the generator draws
    z = rng.standard_normal((300, 6)).astype(np.float32)
    generator.eval()
    with torch.no_grad():
        hidden = torch.relu(generator.norm(generator.first(torch.from_numpy(z)))).double()
    np.testing.assert_allclose(layer.mean_activation, hidden.mean(0).numpy(), rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 64, 1000])
def test_mean_activation_does_not_depend_on_the_batch_size(batch_size):
    layers = [
        FinalLayer.from_generator(Tiny(torch.tanh), n_samples=150, batch_size=size, random_state=0)
        for size in (batch_size, 32)
    ]
    means = [layer.mean_activation for layer in layers]
    np.testing.assert_allclose(*means, rtol=1e-5, atol=1e-7)


def _compiled(generator):
    return torch.compile(generator, backend="eager")


def _compiled_in_place(generator):
    generator.compile(backend="eager")
    return generator


class Outer(nn.Module):
    """A generator with another module inside."""

    latent_shape = (6,)

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, z):
        return self.inner(z)


WRAPPERS = {
    "DataParallel": nn.DataParallel,
    "compiled": _compiled,
    "compiled DataParallel": lambda generator: _compiled(nn.DataParallel(generator)),
    "DataParallel of compiled": lambda generator: nn.DataParallel(_compiled(generator)),
    "compiled in place": _compiled_in_place,
    "DataParallel inside": lambda generator: Outer(nn.DataParallel(generator)),
    "compiled inside": lambda generator: Outer(_compiled(generator)),
}


@pytest.fixture(params=WRAPPERS)
def wrapped(request):
    """A generator in a wrapper that has been used before, in training mode."""
    if "compiled" in request.param:
        dynamo = pytest.importorskip("torch._dynamo")
        if not dynamo.is_dynamo_supported():
            pytest.skip("torch.compile is not supported here")
        unwrapped = request.param not in ("compiled in place", "compiled inside")
        if not unwrapped and not hasattr(torch.compiler, "set_stance"):
            pytest.skip("torch 2.6 and later can see into compiled parts")
        dynamo.reset()
    if "DataParallel" in request.param and torch.cuda.is_available():
        pytest.skip("where CUDA is, DataParallel does not run on the CPU")
    generator = WRAPPERS[request.param](Tiny(torch.tanh)).eval()
    with torch.no_grad():
        generator(torch.zeros(100, 6))
    return generator.train()


def _assert_same_layer(layer, expected):
    assert layer.activation == expected.activation
    assert layer.output_shape == expected.output_shape
    assert [link.kind for link in layer.links] == [link.kind for link in expected.links]
    np.testing.assert_allclose(layer.links[0].weight, expected.links[0].weight, rtol=1e-6)
    np.testing.assert_allclose(layer.bias, expected.bias, rtol=1e-6)
    np.testing.assert_allclose(layer.mean_activation, expected.mean_activation, rtol=1e-6)


def _modes(generator):
    return [module.training for module in generator.modules()]


def test_wrapped_generator(wrapped):
    plain = Tiny(torch.tanh)
    state, modes = copy.deepcopy(wrapped.state_dict()), _modes(wrapped)
    layer = FinalLayer.from_generator(wrapped, n_samples=150, random_state=0)
    expected = FinalLayer.from_generator(plain, n_samples=150, random_state=0)
    _assert_same_layer(layer, expected)
    x = sample(wrapped, 120, dtype="float32", random_state=0)
    np.testing.assert_allclose(
        x, sample(plain, 120, dtype="float32", random_state=0), rtol=1e-5, atol=1e-6
    )
    assert _modes(wrapped) == modes
    for name, value in wrapped.state_dict().items():
        assert torch.equal(value, state[name]), name


NORMS = {
    "parametrizations.spectral_norm": nn.utils.parametrizations.spectral_norm,
    "spectral_norm": nn.utils.spectral_norm,
    "parametrizations.weight_norm": nn.utils.parametrizations.weight_norm,
    "weight_norm": nn.utils.weight_norm,
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("convolution", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_normalized_weights(norm, convolution, training):
    torch.manual_seed(1)
    if convolution:
        last = nn.Sequential(nn.Unflatten(1, (3, 2, 2)), nn.ConvTranspose2d(3, 2, 4, 2, 1))
    else:
        last = nn.Sequential(nn.Linear(12, 16))
    last[-1] = NORMS[norm](last[-1])
    generator = Tiny(torch.tanh, last=last).train()
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.mul_(3)  # the norm, or what is normalized, is no longer the initial one
        generator(torch.randn(20, 6))
    generator.train(training)
    state, modes = copy.deepcopy(generator.state_dict()), _modes(generator)
    layer = FinalLayer.from_generator(generator, n_samples=150, random_state=0)
    assert _modes(generator) == modes
    for name, value in generator.state_dict().items():
        assert torch.equal(value, state[name]), name

    plain = Tiny(torch.tanh, last=nn.Identity())
    plain.load_state_dict({k: v for k, v in state.items() if not k.startswith("last")})
    convolved = nn.ConvTranspose2d(3, 2, 4, 2, 1) if convolution else nn.Linear(12, 16)
    plain.last = nn.Sequential(*last[:-1], convolved)
    generator.eval()
    with torch.no_grad():
        generator(torch.randn(2, 6))
        convolved.weight.copy_(last[-1].weight)
        convolved.bias.copy_(last[-1].bias)
    expected = FinalLayer.from_generator(plain, n_samples=150, random_state=0)
    _assert_same_layer(layer, expected)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("norm", NORMS)
def test_normalized_layer_without_its_generator(norm):
    """The weight is the normalized one even if the layer has not run since it was loaded."""
    torch.manual_seed(1)
    trained, module = NORMS[norm](nn.Linear(12, 16)), NORMS[norm](nn.Linear(12, 16))
    module.load_state_dict(trained.state_dict())
    state = copy.deepcopy(module.state_dict())
    layer = FinalLayer.from_module(module, input_shape=(12,))
    x = torch.randn(5, 12)
    with torch.no_grad():
        expected = module.eval()(x)
    torch.testing.assert_close(layer.decode(x), expected)
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_sampler_and_latent_shape():
    class Conditional(Tiny):
        def forward(self, z, label):
            return super().forward(z + label)

    def sampler(n, rng):
        z = torch.from_numpy(rng.standard_normal((n, 6)))
        return z, torch.from_numpy(rng.randint(0, 2, (n, 1)))

    generator = Conditional(torch.tanh)
    layer = FinalLayer.from_generator(generator, sampler=sampler, n_samples=20)
    assert layer.output_shape == (16,)
    plain = Tiny(torch.tanh)
    del Tiny.latent_shape
    try:
        with pytest.raises(ValueError, match="latent_shape is needed"):
            FinalLayer.from_generator(plain)
        assert FinalLayer.from_generator(plain, latent_shape=(6,), n_samples=5)
    finally:
        Tiny.latent_shape = (6,)


def test_output_shape_of_a_reshaped_output():
    layer = FinalLayer.from_generator(Tiny(torch.tanh, view=(1, 4, 4)), n_samples=20)
    assert layer.output_shape == (1, 4, 4)
    assert layer.operator().output_shape == (16,)
    X = np.random.default_rng(0).uniform(-0.9, 0.9, (3, 1, 4, 4))
    assert FinalLayerInverter(layer).transform(X).shape == (3, 12)


def test_decode_inverts_shifted_target(dcgan, dcgan_layer):
    with torch.no_grad():
        z = torch.randn(4, 64, 1, 1, generator=torch.Generator().manual_seed(0))
        activations = dcgan.main[:-2](z)
        x = dcgan(z)
    torch.testing.assert_close(dcgan_layer.decode(activations), x, atol=1e-5, rtol=1e-5)
    layer = dcgan_layer
    deviation = activations.double() - torch.from_numpy(layer.mean_activation.copy())
    image = layer.operator(dtype=torch.float64).forward(deviation)
    unsaturated = x.abs() < 0.99
    b = layer.shifted_target(x.double(), clip_eps=1e-6)
    torch.testing.assert_close(b[unsaturated], image[unsaturated], atol=1e-3, rtol=1e-3)


def test_shared_not_copied(dcgan_layer):
    inverter = FinalLayerInverter(dcgan_layer)
    assert clone(inverter).final_layer is dcgan_layer
    assert copy.deepcopy(dcgan_layer) is dcgan_layer
    assert copy.copy(dcgan_layer) is dcgan_layer


def test_pickle_and_hash(dcgan_layer):
    back = pickle.loads(pickle.dumps(dcgan_layer))
    assert back == dcgan_layer
    assert back is not dcgan_layer
    assert hash(back) == hash(dcgan_layer)
    assert joblib.hash(back) == joblib.hash(dcgan_layer)
    used = pickle.loads(pickle.dumps(dcgan_layer))
    assert used.operator(dtype=torch.float64).norm_squared > 0
    assert joblib.hash(used) == joblib.hash(dcgan_layer)


def test_hash_tells_layers_apart(linear_layer):
    mean = linear_layer.mean_activation.copy()
    mean[0] += 1e-9
    other = FinalLayer(
        linear_layer.links,
        input_shape=(12,),
        bias=linear_layer.bias,
        mean_activation=mean,
        activation=linear_layer.activation,
    )
    assert other != linear_layer
    assert joblib.hash(other) != joblib.hash(linear_layer)


def test_immutable(linear_layer):
    for array in (linear_layer.links[0].weight, linear_layer.bias, linear_layer.mean_activation):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_save_and_load(dcgan_layer, linear_layer, tmp_path):
    for index, layer in enumerate((dcgan_layer, linear_layer)):
        path = tmp_path / f"layer-{index}.safetensors"
        layer.save(path)
        assert FinalLayer.load(path) == layer
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "layer-0.safetensors",
        "layer-1.safetensors",
    ]


def test_truncated_file(linear_layer, tmp_path):
    path = tmp_path / "layer"
    linear_layer.save(path)
    whole = path.read_bytes()
    for size in (0, 4, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="truncated"):
            FinalLayer.load(path)


def test_tampered_file(linear_layer, tmp_path):
    path = tmp_path / "layer"
    linear_layer.save(path)
    whole = bytearray(path.read_bytes())
    whole[-3] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="does not match its checksum"):
        FinalLayer.load(path)
    changed = bytes(whole).replace(b"linear", b"linenr")
    path.write_bytes(changed)
    with pytest.raises(ValueError, match="checksum"):
        FinalLayer.load(path)


def test_file_of_another_kind(tmp_path):
    from safetensors.numpy import save_file

    save_file({"weight": np.ones(3)}, tmp_path / "other")
    with pytest.raises(ValueError, match=r"not sklearn_flipad\.FinalLayer"):
        FinalLayer.load(tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda a, d: a.update(bais=a.pop("bias")), "'bais' of type float32 is not one of the arr"),
        (lambda a, d: a.update(bias=a["bias"].astype("i8")), "'bias' of type int64 is not"),
        (lambda a, d: a.update({"weight.0": a["weight.0"][0]}), "weight must have 2 axes"),
        (lambda a, d: d["activation"].pop("shift"), "unknown, left out or written"),
        (lambda a, d: d.update(clamp=[0, 1]), "unknown, left out or written"),
        (lambda a, d: d.update(output_shape=None), "unknown, left out or written"),
    ],
)
def test_a_file_says_all_of_a_layer_and_nothing_else(linear_layer, tmp_path, change, match):
    path = tmp_path / "layer"
    arrays, description = linear_layer.to_parts()
    change(arrays, description)
    save_arrays(path, arrays, description)
    with pytest.raises(ValueError, match=match) as caught:
        FinalLayer.load(path)
    assert str(path) in str(caught.value)


def test_failed_save_leaves_nothing(linear_layer, tmp_path, monkeypatch):
    path = tmp_path / "layer"
    path.write_bytes(b"the old content")

    def broken(*args):
        raise OSError("disk full")

    monkeypatch.setattr("sklearn_flipad.storage.arrays.os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        linear_layer.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["layer"]
    assert path.read_bytes() == b"the old content"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"mean_activation": np.zeros(11)}, "mean_activation must have shape"),
        ({"mean_activation": np.full(12, np.nan)}, "NaN, infinity"),
        ({"output_shape": (2, 3)}, "cannot be arranged"),
        ({"output_shape": ()}, "output_shape must be a tuple of positive ints"),
        ({"weight": np.ones(12)}, r"weight must have 2 axes .* got shape \(12,\)"),
        ({"input_shape": (13,), "mean_activation": np.zeros(13)}, "end in 12"),
        ({"output_range": (1.0, 1.0)}, "two finite rising numbers"),
        ({"activation": OutputActivation("sigmoid"), "output_range": (-1, 1)}, "returns, 0 to 1"),
    ],
)
def test_parts_that_do_not_fit(change, match):
    arguments = {"weight": np.ones((5, 12)), "input_shape": (12,), **change}
    with pytest.raises(ValueError, match=match):
        FinalLayer([Link("linear", arguments.pop("weight"))], **arguments)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"groups": (2, 2)}, r"groups must be an int from 1 to 65536, got \(2, 2\)"),
        ({"stride": (2,)}, "stride must be an int from 1 to 65536, or one for each of 2 axes"),
        ({"padding": -1}, "padding must be an int from 0"),
        ({"padding_mode": 3}, "padding_mode must be one of zeros, reflect"),
        ({"dilation": 10**7}, "dilation must be an int"),
    ],
)
def test_arguments_of_a_convolution(arguments, match):
    with pytest.raises(ValueError, match=match):
        Link("conv", np.ones((2, 3, 3, 3)), arguments)


def test_module_of_another_kind():
    with pytest.raises(ValueError, match="got Embedding"):
        FinalLayer.from_module(nn.Embedding(3, 3), input_shape=(3,))


@pytest.mark.parametrize("arguments", [("relu",), ("tanh", 0.0), ("leaky_relu", 1.0, 0.0, 0.0)])
def test_activation_that_is_not_invertible(arguments):
    with pytest.raises(ValueError, match=r"invertible|scale must not be 0"):
        OutputActivation(*arguments)


@pytest.mark.parametrize("size", [15, 16])
def test_a_transposed_convolution_called_with_output_size(size):
    class Sized(nn.Module):
        latent_shape = (8,)

        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first = nn.Linear(8, 4 * 64)
            self.last = nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1)

        def forward(self, z):
            x = torch.relu(self.first(z)).reshape(-1, 4, 8, 8)
            return torch.tanh(self.last(x, output_size=(size, 16)))

    for module in (None, "last"):
        layer = FinalLayer.from_generator(Sized(), n_samples=50, module=module, random_state=0)
        assert layer.links[0].arguments["output_padding"] == (size - 15, 1)
        assert layer.output_shape == (1, size, 16)


@pytest.mark.parametrize("number", [np.float32, np.float64, np.asarray, torch.tensor])
def test_numbers_of_numpy_and_torch_are_numbers(number, tmp_path):
    activation = OutputActivation("leaky_relu", number(0.5), shift=number(0.25), slope=number(0.5))
    assert activation == OutputActivation("leaky_relu", 0.5, shift=0.25, slope=0.5)
    linear = nn.Linear(4, 2)
    layer = FinalLayer.from_module(linear, input_shape=(4,), activation=activation)
    layer.save(tmp_path / "layer.safetensors")
    assert FinalLayer.load(tmp_path / "layer.safetensors") == layer


@pytest.mark.parametrize("number", [np.int64, np.int8, np.asarray, torch.tensor])
def test_integers_of_numpy_and_torch_as_arguments_of_layers(number):
    module, plain = nn.Conv2d(4, 2, 3, stride=2), nn.Conv2d(4, 2, 3, stride=2)
    plain.load_state_dict(module.state_dict())
    module.groups, module.stride = number(1), (number(2), number(2))
    layer = FinalLayer.from_module(module, input_shape=(number(4), 8, 8))
    assert layer == FinalLayer.from_module(plain, input_shape=(4, 8, 8))
    links = [Link("pad", None, {"margins": ((number(1), 1), (0, number(2))), "mode": "constant"})]
    padded = FinalLayer([*links, *layer.links], input_shape=(4, 8, 8))
    assert padded.links[0].arguments["margins"] == ((1, 1), (0, 2))
