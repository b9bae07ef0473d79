"""Tails with several inputs: what skip connections add to an image in the making.

Appendix F of the paper: ``x = sigma(G z_last + z_skip)`` is one linear map of both. StyleGAN2's
image is a sum of as many branches as there are resolutions.
"""

from functools import lru_cache
from math import prod

import numpy as np
import torch

from sklearn_flipad.final_layer.links import Link, flatten
from sklearn_flipad.final_layer.merging import merged, total
from sklearn_flipad.final_layer.taking_apart import (
    read_chain,
    summands,
    without_first_arrangement,
)
from sklearn_flipad.operators.kinds import KINDS
from sklearn_flipad.storage.arrays import content_digest

__all__ = ["branch_weights", "concatenated", "read_tail", "split"]

#: Random outputs whose adjoints the sizes of columns are estimated from.
_N_PROBES = 32


def read_tail(graph, ref):
    """Follow a value back through all that is linear, sums of several branches included.

    A sum is followed into its branches where all that comes after it keeps channels apart: it
    is then an image in the making. What a layer that mixes channels is applied to is an
    activation, be it a sum or not.

    Parameters
    ----------
    graph : Graph
        What a generator did.
    ref : Ref
        What its output activation is applied to.

    Returns
    -------
    sources : list of Ref
        What the linear map starts from, one value per branch.
    links : list of Link
        The map but for its bias; that of several branches is one link.
    """
    branches = _branches(graph, ref)
    mixing = [link for _, links in branches for link in links if not _keeps_channels(link)]
    if len(branches) == 1 or not mixing:
        source, links = without_first_arrangement(graph, *read_chain(graph, ref))
        return [source], links
    branches = [without_first_arrangement(graph, *branch) for branch in branches]
    sources = [source for source, _ in branches]
    shapes = [graph.shape(source)[1:] for source in sources]
    terms = [
        links or [Link("scale", np.ones([1] * len(shape)))]
        for (_, links), shape in zip(branches, shapes, strict=True)
    ]
    return sources, [Link("branches", None, {"shapes": shapes, "terms": terms})]


def _branches(graph, ref):
    """Pairs of a source and links whose maps add up to a value, one where it is no such sum."""
    source, links = read_chain(graph, ref)
    whole = [(source, links)]
    if not all(map(_keeps_channels, links)):
        return whole
    chains = {}
    for operand, factor in summands(graph, source):
        for start, before in _branches(graph, operand):
            chains.setdefault(start, []).append(merged([*before, *factor, *links]))
    branches = [
        (start, found[0] if len(found) == 1 else [total(found, len(graph.shape(start)) - 1)])
        for start, found in chains.items()
    ]
    # Of two activations with the same map only the sum can be told, so it is the activation.
    maps = {(graph.shape(start), _digest(chain)) for start, chain in branches}
    return branches if len(maps) == len(branches) > 1 else whole


def _digest(links):
    arrays = {}
    return content_digest(arrays, {"links": flatten(links, arrays)})


def _keeps_channels(link):
    """Whether no output channel of a link mixes several input channels by weights."""
    if "terms" in link.arguments:
        return all(_keeps_channels(part) for term in link.arguments["terms"] for part in term)
    if link.kind not in KINDS:
        return True
    # One channel in each group, of inputs and of outputs.
    return link.kind != "linear" and (
        link.weight.shape[1] == 1 and len(link.weight) == link.arguments.get("groups", 1)
    )


def concatenated(values):
    """What a tail starts from: one value, or several as one row per sample.

    Parameters
    ----------
    values : sequence of torch.Tensor, each shape (n, ...)
        One per branch.

    Returns
    -------
    torch.Tensor, shape (n, ...)
    """
    if len(values) == 1:
        return values[0]
    return torch.cat([value.flatten(1) for value in values], dim=1)


def split(activations, shapes):
    """The activations of each branch.

    Parameters
    ----------
    activations : torch.Tensor or ndarray, shape (n, n_inputs) or (n, *shapes[0])
        What :func:`concatenated` returned.
    shapes : sequence of tuple of int
        Shapes of the branches' activations.

    Returns
    -------
    list of torch.Tensor or ndarray, each shape (n, *shape)
    """
    n = len(activations)
    rows = activations.reshape(n, -1)
    ends = np.cumsum([prod(shape) for shape in shapes])
    return [
        rows[:, end - prod(shape) : end].reshape(n, *shape)
        for shape, end in zip(shapes, ends, strict=True)
    ]


def branch_weights(layer, rule):
    """What the penalty is multiplied by in each branch of a layer.

    Parameters
    ----------
    layer : FinalLayer
        The layer.
    rule : {"columns", "equal"} or sequence of float
        See :class:`~sklearn_flipad.FinalLayerInverter`.

    Returns
    -------
    tuple of float
        One positive weight per branch.

    Raises
    ------
    ValueError
        If there is not one positive, finite weight per branch.
    """
    n_branches = len(layer.branch_shapes)
    if isinstance(rule, str):
        if rule == "equal" or n_branches == 1:
            return (1.0,) * n_branches
        return _column_sizes(layer)
    weights = np.asarray(rule, dtype=np.float64)
    if weights.shape != (n_branches,) or not ((weights > 0) & np.isfinite(weights)).all():
        raise ValueError(
            f"branch_weights must be one positive, finite number for each of the {n_branches} "
            f"branches of the final layer, whose activations have the shapes "
            f"{', '.join(map(str, layer.branch_shapes))}; got {rule}."
        )
    return tuple(map(float, weights))


@lru_cache(maxsize=8)
def _column_sizes(layer):
    """Root mean square norms of the branches' columns, relative to the branch of most inputs."""
    operator, shapes = layer.operator(dtype=torch.float64), layer.branch_shapes
    sizes = np.array([prod(shape) for shape in shapes])
    n = operator.n_outputs
    if n <= _N_PROBES:
        probes = torch.eye(n, dtype=torch.float64)
    else:
        # Random signs: the mean of ||G^T r||² is the sum of the squared norms of the columns.
        signs = torch.randint(2, (_N_PROBES, n), generator=torch.Generator().manual_seed(0))
        probes = (2 * signs - 1).double() / _N_PROBES**0.5
    squares = np.zeros(len(shapes))
    for probe in probes:
        columns = operator.adjoint(probe.reshape(1, *operator.output_shape))
        squares += [float(part.square().sum()) for part in split(columns, shapes)]
    norms = np.sqrt(squares / sizes)
    # Few digits, so that they are the same on any machine.
    return tuple(float(f"{norm:.2g}") for norm in norms / norms[sizes.argmax()])
