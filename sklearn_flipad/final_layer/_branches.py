"""Linear tails with several inputs: sums of what skip connections add to an intermediate image.

Appendix F of the paper: ``x = sigma(G z_last + z_skip)`` is one linear map of both. StyleGAN2's
image is a sum of as many branches as there are resolutions.
"""

from math import prod

import numpy as np
import torch

from sklearn_flipad.final_layer._codec import flatten
from sklearn_flipad.final_layer._taking_apart import (
    read_chain,
    sum_of,
    summands,
    without_first_arrangement,
)
from sklearn_flipad.operators.links.link import Link, joined_links
from sklearn_flipad.storage.arrays import content_digest

__all__ = ["concatenated", "read_tail", "split"]


def read_tail(graph, ref):
    """The values, one per branch, that a value is a linear map of, and the links of that map.

    Constants that are added are left out. A sum is followed into its branches if all that comes
    after it keeps channels apart: it is then an intermediate image. The input of a layer that
    mixes channels is an activation, whether it is a sum or not.
    """
    branches = _branches(graph, ref)
    mixing = [link for _, links in branches for link in links if _mixes_channels(link)]
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
    """Pairs of a source and links whose maps add up to a value, one pair if it is no such sum."""
    source, links = read_chain(graph, ref)
    whole = [(source, links)]
    if any(map(_mixes_channels, links)):
        return whole
    chains = {}
    for operand, factor in summands(graph, source):
        for start, before in _branches(graph, operand):
            chains.setdefault(start, []).append(joined_links([*before, *factor, *links]))
    branches = [
        (start, found[0] if len(found) == 1 else [sum_of(found, len(graph.shape(start)) - 1)])
        for start, found in chains.items()
    ]
    # Two activations with the same map cannot be told apart: their sum is the activation.
    maps = {(graph.shape(start), _digest(chain)) for start, chain in branches}
    return branches if len(maps) == len(branches) > 1 else whole


def _digest(links):
    arrays = {}
    return content_digest(arrays, {"links": flatten(links, arrays)})


def _mixes_channels(link):
    return link.row.mixes_channels(link)


def concatenated(values):
    """Values of the branches as one row per sample; of one branch, as they are."""
    if len(values) == 1:
        return values[0]
    return torch.cat([value.flatten(1) for value in values], dim=1)


def split(activations, shapes):
    """Activations of each branch, shapes ``(n, *shape)``, from those of all of them."""
    n = len(activations)
    rows = activations.reshape(n, -1)
    ends = np.cumsum([prod(shape) for shape in shapes])
    return [
        rows[:, end - prod(shape) : end].reshape(n, *shape)
        for shape, end in zip(shapes, ends, strict=True)
    ]
