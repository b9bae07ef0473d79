"""Rows of maps that scale, move, repeat or leave out elements."""

import numpy as np
import torch

from sklearn_flipad.operators.links.checks import (
    arguments_of,
    is_margin,
    is_size,
    one_of,
    sequence_of,
)
from sklearn_flipad.operators.links.kinds import LinkKind, register_link_kind
from sklearn_flipad.operators.links.link import Link
from sklearn_flipad.operators.rearrangement import (
    PermuteOperator,
    ReshapeOperator,
    ScaleOperator,
)
from sklearn_flipad.operators.resizing import (
    CropOperator,
    PadOperator,
    PixelShuffleOperator,
    PixelUnshuffleOperator,
    ResizeOperator,
)

_is_sizes = sequence_of(is_size)
_is_margins = sequence_of(lambda pair: sequence_of(is_margin)(pair) and len(pair) == 2)


def _read_product_with_constant(operation):
    if operation.input_shape != operation.output_shape:
        return None
    name, values = operation.name, operation.arguments
    if name == "div" and (operation.source != "self" or values.get("rounding_mode")):
        return None
    factor = -1.0 if name == "neg" else values["other" if operation.source == "self" else "self"]
    n_axes = len(operation.output_shape)
    if isinstance(factor, torch.Tensor):
        factor = factor.detach().double().cpu()
        if factor.ndim == n_axes:
            if (factor != factor[:1]).any():
                return None
            factor = factor[0]
        factor = factor.numpy()
    factor = 1 / np.asarray(factor) if name == "div" else np.asarray(factor)
    missing = n_axes - 1 - factor.ndim
    return [Link("scale", factor.reshape([1] * missing + list(factor.shape)))]


def _read_batch_norm(operation):
    values = operation.arguments
    is_fixed = not values.get("training", False) and values.get("running_var") is not None
    if operation.source != "input" or not is_fixed:
        return None
    factor = 1 / (values["running_var"].double() + values["eps"]).sqrt()
    if values.get("weight") is not None:
        factor = factor * values["weight"].double()
    axes = [1] * (len(operation.output_shape) - 2)
    return [Link("scale", factor.detach().cpu().numpy().reshape(-1, *axes))]


def _read_resizing(operation):
    mode = "linear"
    if "nearest" in operation.name:
        mode = "nearest-exact" if "exact" in operation.name else "nearest"
    align_corners = bool(operation.arguments.get("align_corners", False))
    arguments = {"mode": mode, "align_corners": align_corners}
    before, after = operation.input_shape[2:], operation.output_shape[2:]
    if all(b % a == 0 for a, b in zip(before, after, strict=True)):
        arguments["factor"] = tuple(b // a for a, b in zip(before, after, strict=True))
    else:
        arguments["size"] = tuple(after)
    return [Link("resize", None, arguments)]


def _read_padding(operation):
    """A crop by the negative margins, then the padding."""
    n_axes = len(operation.output_shape) - 2
    given = list(operation.arguments.get("padding", operation.arguments.get("pad")))
    pairs = [tuple(given[i : i + 2]) for i in range(0, len(given), 2)][::-1]
    pairs = [(0, 0)] * (n_axes - len(pairs)) + pairs
    if len(pairs) > n_axes:
        return None
    mode = {"reflection": "reflect", "replication": "replicate"}.get(
        operation.name.split("_")[0], "constant"
    )
    links = []
    if any(margin < 0 for pair in pairs for margin in pair):
        cropped = tuple(tuple(max(-margin, 0) for margin in pair) for pair in pairs)
        links.append(Link("crop", None, {"margins": ((0, 0), *cropped)}))
        pairs = [tuple(max(margin, 0) for margin in pair) for pair in pairs]
    links.append(Link("pad", None, {"margins": tuple(pairs), "mode": mode}))
    return links


def _read_slice(operation):
    values, before, after = operation.arguments, operation.input_shape, operation.output_shape
    if values.get("step", 1) != 1:
        return None
    axis = values.get("dim", 0) % len(before)
    if axis == 0:
        return [] if before == after else None
    start = values.get("start") or 0
    start = min(start + before[axis] if start < 0 else start, before[axis])
    margins = [(0, 0)] * (len(before) - 1)
    margins[axis - 1] = (start, before[axis] - start - after[axis])
    return [Link("crop", None, {"margins": tuple(margins)})]


def _read_shuffling(operation):
    if len(operation.output_shape) != 4:
        return None
    values = operation.arguments
    factor = values.get("upscale_factor", values.get("downscale_factor"))
    return [Link(operation.name, None, {"factor": factor})]


def _read_reshaping(operation):
    if operation.input_shape[0] != operation.output_shape[0]:
        return None
    return [Link("reshape", None, {"shape": operation.output_shape[1:]})]


def _read_permuting(operation):
    values = operation.arguments
    order = list(range(len(operation.input_shape)))
    if operation.name == "permute":
        order = [axis % len(order) for axis in values["dims"]]
    else:
        first, second = (values.get("dim0", 0), values.get("dim1", 1))
        order[first], order[second] = order[second], order[first]
    if order[0] != 0:
        return None
    return [Link("permute", None, {"axes": tuple(axis - 1 for axis in order[1:])})]


def _joined_crops(previous, link):
    if previous.kind != "crop":
        return None
    pairs = zip(previous.arguments["margins"], link.arguments["margins"], strict=True)
    return [Link("crop", None, {"margins": tuple((a + c, b + d) for (a, b), (c, d) in pairs)})]


def _joined_permutations(previous, link):
    if previous.kind != "permute":
        return None
    axes = [previous.arguments["axes"][axis] for axis in link.arguments["axes"]]
    return [] if axes == sorted(axes) else [Link("permute", None, {"axes": tuple(axes)})]


register_link_kind(
    "scale",
    LinkKind(
        build=ScaleOperator,
        check=arguments_of("scale"),
        weight_axes=(),
        readers={
            **dict.fromkeys(("mul", "div", "neg"), _read_product_with_constant),
            **dict.fromkeys(
                (
                    "native_batch_norm",
                    "cudnn_batch_norm",
                    "_native_batch_norm_legit_no_training",
                ),
                _read_batch_norm,
            ),
        },
        one_to_one=True,
    ),
)
register_link_kind(
    "resize",
    LinkKind(
        build=ResizeOperator,
        check=arguments_of(
            "resize",
            factor=lambda value: value is None or _is_sizes(value),
            size=lambda value: value is None or _is_sizes(value),
            mode=one_of("nearest", "nearest-exact", "linear"),
            align_corners=lambda value: isinstance(value, bool),
        ),
        readers=dict.fromkeys(
            (
                *(f"upsample_nearest{n}d" for n in (1, 2, 3)),
                *(f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)),
                "upsample_linear1d",
                "upsample_bilinear2d",
                "upsample_trilinear3d",
            ),
            _read_resizing,
        ),
    ),
)
register_link_kind(
    "pad",
    LinkKind(
        build=PadOperator,
        check=arguments_of(
            "pad", margins=_is_margins, mode=one_of("constant", "reflect", "replicate")
        ),
        readers=dict.fromkeys(
            (
                "constant_pad_nd",
                *(f"reflection_pad{n}d" for n in (1, 2, 3)),
                *(f"replication_pad{n}d" for n in (1, 2, 3)),
            ),
            _read_padding,
        ),
        inner=lambda link: [],
    ),
)
register_link_kind(
    "crop",
    LinkKind(
        build=CropOperator,
        check=arguments_of("crop", margins=_is_margins),
        readers={"slice": _read_slice},
        inner=lambda link: [link] if any(link.arguments["margins"][0]) else [],
        join=_joined_crops,
    ),
)
for _name, _build in (
    ("pixel_shuffle", PixelShuffleOperator),
    ("pixel_unshuffle", PixelUnshuffleOperator),
):
    register_link_kind(
        _name,
        LinkKind(
            build=_build,
            check=arguments_of(_name, factor=is_size),
            readers={_name: _read_shuffling},
            one_to_one=True,
        ),
    )
register_link_kind(
    "reshape",
    LinkKind(
        build=ReshapeOperator,
        check=arguments_of("reshape", shape=_is_sizes),
        readers=dict.fromkeys(
            ("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze"), _read_reshaping
        ),
        one_to_one=True,
        join=lambda previous, link: [link] if previous.kind == "reshape" else None,
    ),
)
register_link_kind(
    "permute",
    LinkKind(
        build=PermuteOperator,
        check=arguments_of("permute", axes=sequence_of(is_margin)),
        readers=dict.fromkeys(("permute", "transpose", "t"), _read_permuting),
        one_to_one=True,
        join=_joined_permutations,
    ),
)
