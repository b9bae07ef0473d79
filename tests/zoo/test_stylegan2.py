"""StyleGAN2: the published computation, published layouts of weights, and its final layer."""

import re
from math import sqrt

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.final_layer._tracing import trace_final_layer
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import StyleGAN2Generator, load_stylegan2

SMALL = {"latent_dim": 6, "style_dim": 5, "channels": (8, 6, 4), "out_channels": 3, "n_mapping": 2}


def _generator(**parameters):
    torch.manual_seed(0)
    generator = StyleGAN2Generator(**{**SMALL, **parameters}).eval()
    with torch.no_grad():
        for name, value in generator.named_parameters():
            if name.endswith(("noise_strength", "bias")):
                value.normal_(0.5, 0.3)
    return generator.requires_grad_(False)


def _rosinality(generator):
    """The generator's state by the names and shapes of ``rosinality/stylegan2-pytorch``."""
    state, kernel = {}, torch.outer(*[torch.tensor([1.0, 3, 3, 1])] * 2) / 64
    for key, value in generator.state_dict().items():
        mapping = re.fullmatch(r"mapping\.fc(\d+)\.(.*)", key)
        if mapping:
            state[f"style.{int(mapping[1]) + 1}.{mapping[2]}"] = value
            continue
        side, part, name = re.fullmatch(r"synthesis\.b(\d+)\.(\w+)(?:\.(.*))?", key).groups()
        depth = int(side).bit_length() - 3
        if part == "const":
            state["input.input"] = value[None]
            continue
        if part == "torgb":
            layer = "to_rgb1" if depth == 0 else f"to_rgbs.{depth - 1}"
        else:
            layer = "conv1" if depth == 0 else f"convs.{2 * (depth - 1) + int(part[-1])}"
        if name == "noise_const":
            number = 0 if depth == 0 else 2 * depth - 1 + int(part[-1])
            state[f"noises.noise_{number}"] = value[None, None]
            continue
        names = {
            "weight": "conv.weight",
            "affine.weight": "conv.modulation.weight",
            "affine.bias": "conv.modulation.bias",
            "noise_strength": "noise.weight",
            "bias": "bias" if part == "torgb" else "activate.bias",
        }
        shaped = {"weight": value[None] if value.ndim == 4 else value}.get(name, value)
        if name == "noise_strength":
            shaped = value[None]
        if name == "bias" and part == "torgb":
            shaped = value.reshape(1, -1, 1, 1)
        state[f"{layer}.{names[name]}"] = shaped
        if part == "torgb" and depth:
            state[f"{layer}.upsample.kernel"] = 4 * kernel
        if part == "conv0":
            state[f"{layer}.conv.blur.kernel"] = 4 * kernel
    return state


def _filtered(x, kernel, up, pad):
    """Reference of ``upfirdn2d``: zeros between the pixels, margins, a convolution."""
    n, channels, height, width = x.shape
    x = x.reshape(n, channels, height, 1, width, 1)
    x = F.pad(x, (0, up - 1, 0, 0, 0, up - 1)).reshape(n, channels, height * up, width * up)
    x = F.pad(x, (pad[0], pad[1], pad[0], pad[1]))
    weight = kernel.flip(0, 1).expand(channels, 1, 4, 4)
    return F.conv2d(x, weight, groups=channels)


def _reference(state, z):
    """StyleGAN2 with a weight of its own for each sample, in rosinality's parameters."""

    def modulated(x, style, name, demodulate, up):
        weight = state[f"{name}.conv.weight"]
        modulation = state[f"{name}.conv.modulation.weight"]
        style = F.linear(style, modulation / sqrt(modulation.shape[1]))
        style = style + state[f"{name}.conv.modulation.bias"]
        weight = weight / sqrt(weight[0, 0].numel()) * style[:, None, :, None, None]
        if demodulate:
            weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        n, side = len(x), weight.shape[-1]
        out = []
        for image, kernel in zip(x, weight, strict=True):
            if up:
                part = F.conv_transpose2d(image[None], kernel.transpose(0, 1), stride=2)
                part = _filtered(part, state[f"{name}.conv.blur.kernel"], 1, (1, 1))
            else:
                part = F.conv2d(image[None], kernel, padding=side // 2)
            out.append(part)
        assert len(out) == n
        return torch.cat(out)

    def layer(x, style, name, noise, up=False):
        x = modulated(x, style, name, True, up)
        x = x + state[f"{name}.noise.weight"] * state[f"noises.noise_{noise}"]
        return F.leaky_relu(x + state[f"{name}.activate.bias"][:, None, None], 0.2) * sqrt(2)

    style = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
    for index in (1, 2):
        weight, bias = state[f"style.{index}.weight"], state[f"style.{index}.bias"]
        style = F.linear(style, weight * 0.01 / sqrt(weight.shape[1]), bias * 0.01)
        style = F.leaky_relu(style, 0.2) * sqrt(2)
    x = state["input.input"].expand(len(z), -1, -1, -1)
    x = layer(x, style, "conv1", 0)
    image = modulated(x, style, "to_rgb1", False, False) + state["to_rgb1.bias"]
    for depth in (0, 1):
        x = layer(x, style, f"convs.{2 * depth}", 2 * depth + 1, up=True)
        x = layer(x, style, f"convs.{2 * depth + 1}", 2 * depth + 2)
        part = modulated(x, style, f"to_rgbs.{depth}", False, False)
        kernel = state[f"to_rgbs.{depth}.upsample.kernel"]
        image = part + state[f"to_rgbs.{depth}.bias"] + _filtered(image, kernel, 2, (2, 1))
    return image


def test_computes_what_the_published_code_does():
    generator = _generator(output="linear")
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    expected = _reference(_rosinality(generator), z)
    torch.testing.assert_close(generator(z), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("layout", ["rosinality", "nvidia"])
def test_published_layouts(tmp_path, layout, suffix):
    generator = _generator()
    state = {key: value.clone() for key, value in generator.state_dict().items()}
    if layout == "rosinality":
        state = {key: value.contiguous().clone() for key, value in _rosinality(generator).items()}
    else:
        kernel = torch.outer(*[torch.tensor([1.0, 3, 3, 1])] * 2) / 64
        state |= {"synthesis.b8.resample_filter": kernel, "mapping.w_avg": torch.zeros(5)}
    path = tmp_path / f"generator.{suffix}"
    if suffix == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(
            {"g_ema": state, "latent_avg": torch.zeros(5)} if layout[0] == "r" else state, path
        )
    loaded = load_stylegan2(path)
    assert loaded.arguments == generator.arguments
    z = torch.randn(2, 6)
    assert torch.equal(loaded(z), generator(z))


def _without(state, *words):
    return {k: v for k, v in state.items() if not any(word in k for word in words)}


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda s: {"a": torch.zeros(1)}, "neither known layout"),
        (lambda s: _without(s, "b8.torgb"), "resolutions \\[4, 16\\]"),
        (lambda s: _without(s, "noise_const"), "pass noise_mode='latent'"),
        (lambda s: _without(s, "b8.conv0.weight"), "b8.conv0.weight \\(absent"),
        (lambda s: {**s, "mapping.embed.weight": torch.zeros(5, 5)}, "mapping.embed.weight"),
        (lambda s: {**s, "synthesis.b8.resample_filter": torch.ones(4, 4)}, "another resampling"),
        (lambda s: {"g_ema": 3}, "no state dict"),
    ],
)
def test_other_files_are_refused(tmp_path, damage, match):
    path = tmp_path / "generator.pt"
    torch.save(damage(_generator().state_dict()), path)
    with pytest.raises(ValueError, match=match):
        load_stylegan2(path)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "generator.pkl"
    torch.save(_generator(), path)
    with pytest.raises(ValueError, match="not a file of weights alone"):
        load_stylegan2(path)


def test_noise_is_part_of_the_latent_or_fixed(tmp_path):
    fixed = _generator()
    path = tmp_path / "generator.pt"
    torch.save(_without(fixed.state_dict(), "noise_const"), path)
    free = load_stylegan2(path, noise_mode="latent")
    n_noise = 16 + 2 * 64 + 2 * 256
    assert free.latent_shape == (6 + n_noise,)
    noise = torch.cat([b.flatten() for k, b in fixed.named_buffers() if "noise_const" in k])
    z = torch.randn(2, 6)
    torch.testing.assert_close(free(torch.cat([z, noise.expand(2, -1)], dim=1)), fixed(z))
    assert not torch.allclose(free(torch.cat([z, 0 * noise.expand(2, -1)], dim=1)), fixed(z))
    assert torch.equal(fixed(z), fixed(z))
    fixed.train()
    assert not torch.equal(fixed(z), fixed(z))


@pytest.mark.parametrize("noise_mode", ["fixed", "latent"])
def test_from_module_to_inversion(noise_mode):
    """All branches are found without configuration, styled inputs and all."""
    generator = _generator(output="tanh", noise_mode=noise_mode)
    layer = FinalLayer.from_generator(generator, n_samples=40, random_state=0)
    assert layer.branch_shapes == ((8, 4, 4), (6, 8, 8), (4, 16, 16))
    trace = trace_final_layer(generator, n_samples=40, random_state=0)
    torch.testing.assert_close(layer.decode(trace.inputs), trace.samples, atol=1e-5, rtol=0)
    x = sample(generator, 3, random_state=1, layer=layer)
    result = FinalLayerInverter(layer).fit(x).invert(x)
    assert result.converged.all()


def test_clamped_generators_say_what_to_pass():
    generator = _generator(output="clamp")
    for block in generator.synthesis.children():
        block.torgb.weight.mul_(0.12)
        block.torgb.bias.mul_(0.1)
    with pytest.raises(ValueError, match="identity"):
        FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    layer = FinalLayer.from_generator(
        generator, n_samples=20, activation="identity", random_state=0
    )
    assert len(layer.branch_shapes) == 3
    assert layer.output_range == (-1.0, 1.0)


def test_weights_per_sample_are_refused():
    """Fused modulation: the image's layers have weights that depend on the latent."""

    class Fused(nn.Module):
        latent_shape = (4,)

        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.style = nn.Linear(4, 32), nn.Linear(4, 6)

        def forward(self, z):
            h = torch.relu(self.first(z)).reshape(1, -1, 4, 4)
            weight = self.style(z).reshape(-1, 2, 1, 1)
            rgb = F.conv2d(h, weight, groups=len(z)).reshape(len(z), 3, 4, 4)
            return torch.tanh(rgb + self.first(z)[:, :3, None, None])

    with pytest.raises(ValueError, match="could not be taken apart"):
        FinalLayer.from_generator(Fused().eval(), n_samples=20, random_state=0)


@pytest.mark.parametrize("parameters", [{"noise_mode": "random"}, {"output": "relu"}])
def test_wrong_modes(parameters):
    with pytest.raises(ValueError, match="must be"):
        StyleGAN2Generator(**parameters)
