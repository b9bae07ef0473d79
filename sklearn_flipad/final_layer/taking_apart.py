"""Operations of a generator as the links of a linear tail."""

import numpy as np
import torch

from sklearn_flipad.final_layer.graph import Ref
from sklearn_flipad.final_layer.links import Link
from sklearn_flipad.final_layer.merging import merged, total

__all__ = ["READERS", "read_chain", "summands", "without_first_arrangement"]

#: Operations that leave everything as it is, but for the layout or the type.
_SAME = ("clone", "detach", "alias", "contiguous", "_to_copy", "to", "lift_fresh", "dropout")
_ARRANGED = ("reshape", "permute")


def read_chain(graph, ref):
    """Follow a value back through all that is linear and can be taken apart.

    Parameters
    ----------
    graph : Graph
        What a generator did.
    ref : Ref
        What its output activation is applied to.

    Returns
    -------
    source : Ref
        What the linear map starts from.
    links : list of Link
        The map but for its bias.
    """
    links = []
    while (step := _step(graph, ref)) is not None:
        ref, before = step
        links = [*before, *links]
    return ref, merged(links)


def without_first_arrangement(graph, ref, links):
    """The same map from what its first layer gets, where that is the source in another shape.

    Parameters
    ----------
    graph : Graph
        What a generator did.
    ref : Ref
        What the map starts from.
    links : list of Link
        The map.

    Returns
    -------
    source : Ref
    links : list of Link
    """
    while len(links) > 1 and links[0].kind in _ARRANGED and (follower := _follower(graph, ref)):
        ref, links = follower, links[1:]
    return ref, links


def summands(graph, ref):
    """The two values that a value is the sum or the difference of.

    Parameters
    ----------
    graph : Graph
        What a generator did.
    ref : Ref
        The value.

    Returns
    -------
    list of (Ref, list of Link)
        The values, each with the factor that it has in the sum. Empty if it is no sum.
    """
    node, shape = graph.nodes[ref.node], graph.shape(ref)
    if node.name not in ("add", "sub"):
        return []
    first, second = node.arguments["self"], node.arguments["other"]
    if not all(isinstance(part, Ref) and graph.shape(part) == shape for part in (first, second)):
        return []
    return [(first, []), (second, _scaled(_factor(node), shape))]


def _follower(graph, ref):
    """The one reshaped or permuted copy of a value, None if there are several."""
    users = [i for i, node in enumerate(graph.nodes) if ref in node.parents]
    names = ("view", "_unsafe_view", "reshape", "permute", "transpose", "squeeze", "unsqueeze", "t")
    if len(users) == 1 and graph.nodes[users[0]].name in names:
        return Ref(users[0])
    return None


def _step(graph, ref):
    """What a value is a linear map of, and the links of that map, or None."""
    node = graph.nodes[ref.node]
    reader = READERS.get(node.name)
    if node.name in _SAME:
        reader = _same
    if reader is None or ref.output != 0:
        return None
    found = reader(graph, node, graph.shape(ref))
    if found is None:
        return None
    source, links = found
    if graph.shape(source)[:1] != graph.shape(ref)[:1] or len(graph.shape(source)) < 2:
        return None  # not the axis of the batch
    return source, links


def _only(node, name="self"):
    """The argument, if it is all in the node that depends on the latents."""
    value = node.arguments.get(name)
    return value if isinstance(value, Ref) and node.parents == [value] else None


def _same(graph, node, shape):
    source = _only(node)
    return None if source is None else (source, [])


def _weight(tensor):
    return tensor.detach().float().cpu().numpy()


def _convolution(graph, node, shape):
    source, values = _only(node, "input"), node.arguments
    if source is None or len(graph.shape(source)) != values["weight"].ndim:
        return None
    arguments = {name: tuple(values[name]) for name in ("stride", "padding", "dilation")} | {
        "groups": values["groups"]
    }
    kind = "conv"
    if values["transposed"]:
        kind = "conv_transpose"
        arguments["output_padding"] = tuple(values["output_padding"])
    return source, [Link(kind, _weight(values["weight"]), arguments)]


def _product(graph, node, shape):
    by_name = "mat1" if "mat1" in node.arguments else "self"
    source = _only(node, by_name)
    other = node.arguments.get("mat2")
    if source is None or not isinstance(other, torch.Tensor) or node.arguments.get("alpha", 1) != 1:
        return None
    return source, [Link("linear", _weight(other.T))]


def _view(graph, node, shape):
    source = _only(node)
    if source is None:
        return None
    if graph.shape(source)[0] == shape[0]:
        return source, [Link("reshape", None, {"shape": shape[1:]})]
    # A linear layer on the last of several axes has the batch and the others as one.
    inner = graph.nodes[source.node]
    if inner.name not in ("addmm", "mm"):
        return None
    found = _product(graph, inner, graph.shape(source))
    if found is None or graph.nodes[found[0].node].name not in ("view", "_unsafe_view"):
        return None
    before = _only(graph.nodes[found[0].node])
    if before is None or graph.shape(before)[:-1] != shape[:-1]:
        return None
    return before, found[1]


def _permute(graph, node, shape):
    source, values = _only(node), node.arguments
    if source is None:
        return None
    order = list(range(len(graph.shape(source))))
    if node.name == "permute":
        order = [axis % len(order) for axis in values["dims"]]
    else:
        first, second = (values.get("dim0", 0), values.get("dim1", 1))
        order[first], order[second] = order[second], order[first]
    if order[0] != 0:
        return None
    return source, [Link("permute", None, {"axes": tuple(axis - 1 for axis in order[1:])})]


def _resize(graph, node, shape):
    source, values = _only(node) or _only(node, "input"), node.arguments
    if source is None:
        return None
    mode = "linear"
    if "nearest" in node.name:
        mode = "nearest-exact" if "exact" in node.name else "nearest"
    before, after = graph.shape(source)[2:], shape[2:]
    arguments = {"mode": mode, "align_corners": bool(values.get("align_corners", False))}
    if all(b % a == 0 for a, b in zip(before, after, strict=True)):
        arguments["factor"] = tuple(b // a for a, b in zip(before, after, strict=True))
    else:
        arguments["size"] = tuple(after)
    return source, [Link("resize", None, arguments)]


def _pad(graph, node, shape):
    source, values = _only(node), node.arguments
    if source is None:
        return None
    n_axes = len(shape) - 2
    given = list(values.get("padding", values.get("pad")))
    pairs = [tuple(given[i : i + 2]) for i in range(0, len(given), 2)][::-1]
    pairs = [(0, 0)] * (n_axes - len(pairs)) + pairs
    if len(pairs) > n_axes:
        return None
    mode = {"reflection": "reflect", "replication": "replicate"}.get(
        node.name.split("_")[0], "constant"
    )
    links = []
    if any(margin < 0 for pair in pairs for margin in pair):
        cropped = tuple(tuple(max(-margin, 0) for margin in pair) for pair in pairs)
        links.append(Link("crop", None, {"margins": ((0, 0), *cropped)}))
        pairs = [tuple(max(margin, 0) for margin in pair) for pair in pairs]
    links.append(Link("pad", None, {"margins": tuple(pairs), "mode": mode}))
    return source, links


def _shuffle(graph, node, shape):
    source, values = _only(node), node.arguments
    if source is None or len(shape) != 4:
        return None
    factor = values.get("upscale_factor", values.get("downscale_factor"))
    return source, [Link(node.name, None, {"factor": factor})]


def _slice(graph, node, shape):
    source, values = _only(node), node.arguments
    if source is None or values.get("step", 1) != 1:
        return None
    before = graph.shape(source)
    axis = values.get("dim", 0) % len(before)
    if axis == 0:
        return (source, []) if before == shape else None
    start = values.get("start") or 0
    start = min(start + before[axis] if start < 0 else start, before[axis])
    margins = [(0, 0)] * (len(before) - 1)
    margins[axis - 1] = (start, before[axis] - start - shape[axis])
    return source, [Link("crop", None, {"margins": tuple(margins)})]


def _factor(node):
    """What the second value of a sum is multiplied by."""
    return node.arguments.get("alpha", 1) * (-1 if node.name == "sub" else 1)


def _sum(graph, node, shape):
    first, second = node.arguments["self"], node.arguments["other"]
    factor = _factor(node)
    if not isinstance(first, Ref):
        return (second, _scaled(factor, shape)) if node.parents == [second] else None
    if not isinstance(second, Ref):
        return (first, []) if graph.shape(first) == shape else None
    if graph.shape(first) != shape or graph.shape(second) != shape:
        return None
    (left, left_links), (right, right_links) = _until_common(graph, first, second)
    if left != right:
        return None  # two branches
    return left, [total([left_links, [*right_links, *_scaled(factor, shape)]], len(shape) - 1)]


def _until_common(graph, first, second):
    """Follow two values back to the nearest one that both are linear maps of."""
    chains = []
    for ref in (first, second):
        chain = [(ref, [])]
        while (step := _step(graph, chain[-1][0])) is not None:
            chain.append((step[0], [*step[1], *chain[-1][1]]))
        chains.append(chain)
    refs = dict(chains[1])
    for ref, links in chains[0]:
        if ref in refs:
            return (ref, links), (ref, refs[ref])
    return chains[0][-1], chains[1][-1]


def _scaled(factor, shape):
    return [] if factor == 1 else [Link("scale", np.full([1] * (len(shape) - 1), factor))]


def _scale(graph, node, shape):
    first, second = node.arguments["self"], node.arguments.get("other", -1.0)
    if isinstance(first, Ref) == isinstance(second, Ref):
        return None
    source, factor = (first, second) if isinstance(first, Ref) else (second, first)
    if node.name == "div" and (source is second or node.arguments.get("rounding_mode")):
        return None
    if graph.shape(source) != shape:
        return None
    if isinstance(factor, torch.Tensor):
        factor = factor.detach().double().cpu()
        if factor.ndim == len(shape):
            if (factor != factor[:1]).any():
                return None
            factor = factor[0]
        factor = factor.numpy()
    factor = 1 / np.asarray(factor) if node.name == "div" else np.asarray(factor)
    missing = len(shape) - 1 - factor.ndim
    return source, [Link("scale", factor.reshape([1] * missing + list(factor.shape)))]


def _batch_norm(graph, node, shape):
    source, values = _only(node, "input"), node.arguments
    if source is None or values.get("training", False) or values.get("running_var") is None:
        return None
    factor = 1 / (values["running_var"].double() + values["eps"]).sqrt()
    if values.get("weight") is not None:
        factor = factor * values["weight"].double()
    factor = factor.detach().cpu().numpy().reshape(-1, *[1] * (len(shape) - 2))
    return source, [Link("scale", factor)]


#: By name of the operation: a function that returns what its value is a linear map of, and the
#: links of that map, or None.
READERS = {
    "convolution": _convolution,
    "addmm": _product,
    "mm": _product,
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze"), _view),
    **dict.fromkeys(("permute", "transpose", "t"), _permute),
    **dict.fromkeys(
        (
            *(f"upsample_nearest{n}d" for n in (1, 2, 3)),
            *(f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)),
            "upsample_linear1d",
            "upsample_bilinear2d",
            "upsample_trilinear3d",
        ),
        _resize,
    ),
    **dict.fromkeys((f"reflection_pad{n}d" for n in (1, 2, 3)), _pad),
    **dict.fromkeys((f"replication_pad{n}d" for n in (1, 2, 3)), _pad),
    "constant_pad_nd": _pad,
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _shuffle,
    "slice": _slice,
    "add": _sum,
    "sub": _sum,
    "mul": _scale,
    "div": _scale,
    "neg": _scale,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
}
