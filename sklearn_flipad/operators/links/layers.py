"""Rows of torch's linear layers."""

from dataclasses import replace

import numpy as np
from torch import nn

from sklearn_flipad.operators.convolution import ConvOperator
from sklearn_flipad.operators.linear import DenseOperator
from sklearn_flipad.operators.links.checks import convolution_arguments
from sklearn_flipad.operators.links.kinds import LinkKind, register_link_kind
from sklearn_flipad.operators.links.link import Link
from sklearn_flipad.operators.transposed_convolution import ConvTransposeOperator

__all__ = ["values_of"]

_CONV = ("stride", "padding", "dilation", "groups", "padding_mode")
_TRANSPOSED = ("stride", "padding", "output_padding", "dilation", "groups")


def values_of(tensor):
    """Values of a tensor as an ndarray of float32, or of its complex type."""
    tensor = tensor.detach()
    return (tensor if tensor.is_complex() else tensor.float()).cpu().numpy()


def _read_product(operation):
    """Links of ``x @ W.T``, of one axis; the constant of an ``addmm`` is left out."""
    factor = operation.arguments.get("mat2")
    source = "mat1" if operation.name == "addmm" else "self"
    if operation.source != source or operation.arguments.get("alpha", 1) != 1:
        return None
    return [Link("linear", values_of(factor.T))]


def _read_convolution(operation, transposed):
    values = operation.arguments
    if operation.source != "input" or values["transposed"] != transposed:
        return None
    if len(operation.input_shape) != values["weight"].ndim:
        return None
    arguments = {name: tuple(values[name]) for name in ("stride", "padding", "dilation")}
    arguments["groups"] = values["groups"]
    if transposed:
        arguments["output_padding"] = tuple(values["output_padding"])
    kind = "conv_transpose" if transposed else "conv"
    return [Link(kind, values_of(values["weight"]), arguments)]


def _mixes_channels(link):
    """Whether a group of channels has several inputs or several outputs."""
    return link.weight.shape[1] != 1 or len(link.weight) != link.arguments.get("groups", 1)


def _unpadded(link):
    arguments = {**link.arguments, "padding": 0, "padding_mode": "zeros"}
    return [replace(link, arguments=arguments)]


def _unpadded_transposed(link):
    """The full output but for what fewer taps reach than elsewhere."""
    taps = link.weight.shape[2:]
    steps = (_per_axis(link.arguments.get(name, 1), taps) for name in ("stride", "dilation"))
    axes = zip(taps, *steps, strict=True)
    padding = tuple(max(d * (k - 1) + 1 - s, 0) for k, s, d in axes)
    arguments = {**link.arguments, "padding": padding, "output_padding": 0}
    return [replace(link, arguments=arguments)]


def _per_axis(value, taps):
    return (value,) * len(taps) if isinstance(value, int) else value


def _with_padding(previous, link):
    """A convolution that pads by itself."""
    if previous.kind != "pad":
        return None
    margins, mode = previous.arguments["margins"], previous.arguments["mode"]
    is_even = all(before == after for before, after in margins)
    is_padded = any(np.ravel(link.arguments.get("padding", 0)))
    if not is_even or is_padded:
        return None
    arguments = {
        **link.arguments,
        "padding": tuple(before for before, _ in margins),
        "padding_mode": {"constant": "zeros"}.get(mode, mode),
    }
    return [Link("conv", link.weight, arguments)]


register_link_kind(
    "linear",
    LinkKind(
        build=DenseOperator,
        weight_axes=(2,),
        readers={"addmm": _read_product, "mm": _read_product},
        modules=(nn.Linear,),
        bias_axis=-1,
        mixes_channels=lambda link: True,
    ),
)
register_link_kind(
    "conv",
    LinkKind(
        build=ConvOperator,
        check=convolution_arguments(*_CONV),
        weight_axes=(3, 4, 5),
        readers={"convolution": lambda operation: _read_convolution(operation, False)},
        modules=(nn.Conv1d, nn.Conv2d, nn.Conv3d),
        module_arguments=_CONV,
        mixes_channels=_mixes_channels,
        inner=_unpadded,
        join=_with_padding,
    ),
)
register_link_kind(
    "conv_transpose",
    LinkKind(
        build=ConvTransposeOperator,
        check=convolution_arguments(*_TRANSPOSED),
        weight_axes=(3, 4, 5),
        readers={"convolution": lambda operation: _read_convolution(operation, True)},
        modules=(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
        module_arguments=_TRANSPOSED,
        mixes_channels=_mixes_channels,
        inner=_unpadded_transposed,
    ),
)
