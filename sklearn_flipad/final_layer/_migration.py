"""Rules that turn the parts of a layer in an earlier format into those of the present one."""

import numpy as np

from sklearn_flipad.operators.links.checks import check_shape

__all__ = ["FORMAT", "FORMATS", "migrated"]

#: Names the content of a file; the number changes when older readers would misread it.
FORMAT = "sklearn_flipad.FinalLayer/2"
_FORMAT_1 = "sklearn_flipad.FinalLayer/1"
#: All that can be read.
FORMATS = (FORMAT, _FORMAT_1)


def migrated(arrays, description):
    """Arrays and description of a layer in the present format; ValueError if they are invalid.

    Whatever is not known stays, so that it is not left out unnoticed.
    """
    if description["format"] not in FORMATS:
        raise ValueError(f"The format is {description['format']!r}, none of {', '.join(FORMATS)}.")
    if description["format"] == _FORMAT_1:
        return _from_1(arrays, description)
    return arrays, description


def _from_1(arrays, description):
    """Format 1 had a kind, a weight and arguments in the place of a chain of one layer."""
    arrays, description = dict(arrays), {**description, "format": FORMAT}
    kind, arguments = description.pop("kind"), description.pop("arguments")
    is_chain = kind == "chain"
    if not is_chain and kind not in ("linear", "conv", "conv_transpose"):
        raise ValueError(f"kind must be linear, conv, conv_transpose or chain, got {kind!r}.")
    if is_chain != ("links" in description) or (is_chain and "weight" in arrays):
        raise ValueError("links belong to a chain, which has no weight of its own.")
    if is_chain and arguments != {}:
        raise ValueError(f"A chain has no arguments, got {arguments!r}.")
    if is_chain:
        _spread_bias(arrays, description)
    else:
        description["links"] = [{"kind": kind, "arguments": arguments, "weight": "weight.0"}]
        arrays["weight.0"] = arrays.pop("weight")
    return arrays, description


def _spread_bias(arrays, description):
    """The bias of a chain varied along the first axis, that of one linear layer along the last."""
    links, shape, bias = description["links"], description["input_shape"], arrays.get("bias")
    if bias is None or len(links) != 1 or links[0]["kind"] != "linear" or len(shape) < 2:
        return
    if bias.ndim == 1:
        n_features = len(arrays[links[0]["weight"]])
        column = bias.reshape(-1, *[1] * (len(shape) - 1))
        output_shape = check_shape("The output of a link", [*shape[:-1], n_features])
        arrays["bias"] = np.broadcast_to(column, output_shape).copy()
