"""Weights of published StyleGAN2 generators, in the two common layouts.

rosinality's ``stylegan2-pytorch`` keeps a generator under ``g_ema`` and numbers its convolutions;
NVIDIA's ``stylegan2-ada-pytorch`` names them by resolution. Both compute the same.
"""

import re
from pathlib import Path

import torch

from sklearn_flipad.zoo.files.weights import differing_shapes, read_weights
from sklearn_flipad.zoo.stylegan2 import StyleGAN2Generator

__all__ = ["load_stylegan2"]

#: Keys that are for truncation alone.
_UNUSED = re.compile(r"mapping\.w_avg|latent_avg|mean_latent")
_FILTER = re.compile(r".*(resample_filter|\.kernel)")
#: End of the message about a file that would have to be unpickled.
_ADVICE = (
    "A pickle of NVIDIA's has to be converted where you trust it: "
    "torch.save(G_ema.state_dict(), path)."
)
#: Keys that are named in a message.
_MAX_LISTED = 4


def load_stylegan2(path, *, noise_mode="fixed", output="clamp"):
    """Read a StyleGAN2 generator of configuration F from a local file.

    Parameters
    ----------
    path : path-like
        A safetensors file, or one that ``torch.load(..., weights_only=True)`` reads: a checkpoint
        of ``rosinality/stylegan2-pytorch``, whose ``g_ema`` is taken, or the state dict of a
        generator of ``NVlabs/stylegan2-ada-pytorch``, written by
        ``torch.save(G_ema.state_dict(), path)``. Nothing is unpickled.
    noise_mode, output : str
        See :class:`~sklearn_flipad.zoo.StyleGAN2Generator`.

    Returns
    -------
    StyleGAN2Generator
        In eval mode, on the CPU, without gradients.

    Raises
    ------
    ValueError
        If the file is damaged or would have to be unpickled, is of neither layout, or holds
        another network: a conditional one, one of another configuration, or one without its fixed
        noise.
    """
    read = read_weights(Path(path), "g_ema", _ADVICE)
    state = _renamed(read, path)
    generator = _empty(state, path, noise_mode, output)
    state = _without_filters(state, generator.synthesis.b4.resample_filter, path)
    expected = generator.state_dict()
    if noise_mode == "latent":
        state = {**{key: expected[key] for key in expected if "noise_const" in key}, **state}
    other = differing_shapes(state, expected)
    if other:
        listed = ", ".join(
            f"{key} ({found} instead of {shape})"
            for key, (found, shape) in list(other.items())[:_MAX_LISTED]
        )
        more = " and others" if len(other) > _MAX_LISTED else ""
        hint = ""
        if all("noise_const" in key and key not in state for key in other):
            hint = " Its noise is not fixed: pass noise_mode='latent'."
        raise ValueError(
            f"{path} does not hold an unconditional StyleGAN2 generator with skip connections: "
            f"{listed}{more}.{hint}"
        )
    generator.load_state_dict({key: value.float() for key, value in state.items()})
    return generator.eval().requires_grad_(False)


def _renamed(state, path):
    """State dict with NVIDIA's names and shapes."""
    if "synthesis.b4.const" in state:
        return {key: value for key, value in state.items() if not _UNUSED.fullmatch(key)}
    if "input.input" not in state:
        raise ValueError(
            f"{path} is of neither known layout: it has neither 'synthesis.b4.const' (NVIDIA) nor "
            "'input.input' (rosinality)."
        )
    renamed = {}
    for key, value in state.items():
        if not _UNUSED.fullmatch(key):
            name, *rest = _by_resolution(key)
            parts = [_PARTS.get(part, part) for part in rest]
            renamed[".".join([name, *parts])] = _reshaped(key, value)
    return renamed


def _by_resolution(key):
    """NVIDIA's name of a layer of rosinality's, and the rest of the key."""
    head, *rest = key.split(".")
    first = {"input": "const", "conv1": "conv1", "to_rgb1": "torgb"}
    if head == "input":
        return ("synthesis.b4.const",)
    if head in first:
        return f"synthesis.b4.{first[head]}", ".".join(rest)
    if head == "noises":
        number = int(rest[0].removeprefix("noise_"))
        side, conv = 4 * 2 ** ((number + 1) // 2), "conv0" if number % 2 else "conv1"
        return f"synthesis.b{side}.{conv}", "noise_const"
    number = int(rest[0]) if rest and rest[0].isdecimal() else None
    if number is not None and head == "style":
        return f"mapping.fc{number - 1}", ".".join(rest[1:])
    if number is not None and head == "convs":
        side, conv = 8 * 2 ** (number // 2), f"conv{number % 2}"
        return f"synthesis.b{side}.{conv}", ".".join(rest[1:])
    if number is not None and head == "to_rgbs":
        return f"synthesis.b{8 * 2**number}.torgb", ".".join(rest[1:])
    return (key,)


#: Names of the parts of layers, rosinality's to NVIDIA's.
_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
}


def _reshaped(key, value):
    if key == "input.input" or key.endswith("conv.weight"):
        return value[0]
    if key.startswith("noises."):
        return value.reshape(value.shape[-2:])
    if key.endswith("noise.weight"):
        return value.reshape(())
    is_bias = key.endswith("activate.bias") or re.fullmatch(r"to_rgb.*\d\.bias", key)
    return value.flatten() if is_bias else value


def _without_filters(state, expected, path):
    """State dict without the filters, each of which is checked to be the expected one."""
    kept = {}
    for key, value in state.items():
        if not _FILTER.fullmatch(key):
            kept[key] = value
        elif not torch.allclose(value / value.sum(), expected, atol=1e-6):
            raise ValueError(f"{path} has another resampling filter, {key}, than StyleGAN2.")
    return kept


def _empty(state, path, noise_mode, output):
    """Untrained generator whose architecture fits the shapes of the weights."""
    blocks = {}
    for key, value in state.items():
        match = re.fullmatch(r"synthesis\.b(\d+)\.torgb\.weight", key)
        if match and value.ndim == 4:
            blocks[int(match[1])] = value
    n_mapping = sum(bool(re.fullmatch(r"mapping\.fc\d+\.weight", key)) for key in state)
    sides = sorted(blocks)
    if not n_mapping or sides != [4 * 2**depth for depth in range(len(sides))] or not sides:
        raise ValueError(
            f"{path} does not hold a StyleGAN2 generator with skip connections: it makes images at "
            f"the resolutions {sides} with {n_mapping} mapping layers."
        )
    first = state.get("mapping.fc0.weight")
    if first is None or first.ndim != 2:
        raise ValueError(f"{path} has no mapping.fc0.weight of two axes.")
    style_dim, latent_dim = first.shape
    return StyleGAN2Generator(
        latent_dim,
        style_dim,
        tuple(blocks[side].shape[1] for side in sides),
        blocks[4].shape[0],
        n_mapping,
        noise_mode,
        output,
    )
