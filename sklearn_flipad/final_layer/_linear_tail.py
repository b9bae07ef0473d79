"""The linear maps between a generator's last nonlinearity and its output."""

import warnings
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch

from sklearn_flipad.final_layer._branches import concatenated, read_tail, split
from sklearn_flipad.final_layer._graph import Graph, Ref, record, values_of
from sklearn_flipad.generators.watching.recognition import (
    check_output_stage,
    recognize_output_stage,
)
from sklearn_flipad.operators.links.kinds import one_to_one
from sklearn_flipad.operators.links.link import build_chain

__all__ = ["LinearTail", "find_linear_tail", "watch_linear_tail"]

#: Largest accepted difference between a tail and its links, relative to the largest output.
_TOL = 1e-4


@dataclass(frozen=True, eq=False)
class LinearTail:
    """The linear map that a generator ends with, as links.

    It starts from the values of `sources`, one per branch, ends at the value of `end`, which the
    output activation is applied to, and adds `bias`, float32, per channel or per element.
    """

    graph: Graph
    sources: tuple
    end: Ref
    links: tuple
    bias: np.ndarray | None

    @property
    def input_shape(self):
        """Shape of one activation; a row, if there are several branches."""
        shapes = [self.graph.shape(source)[1:] for source in self.sources]
        return shapes[0] if len(shapes) == 1 else (sum(map(prod, shapes)),)

    def replay(self, z):
        """Outputs of the generator's own operations, float32 on the CPU, for activations z.

        There must be as many as latents were traced.
        """
        tensors = [v for node in self.graph.nodes for v in node.arguments.values()]
        like = next((v for v in tensors if torch.is_tensor(v) and v.is_floating_point()), z)
        shapes = [self.graph.shape(source)[1:] for source in self.sources]
        values = dict(zip(self.sources, split(z.to(like), shapes), strict=True))
        return self.graph.replay(self.end, values).float().cpu()


def find_linear_tail(generator, latents, activation):
    """The linear tail of a generator in eval mode, or None; what ended the search; why it did.

    The second is the name of the operation that could not be taken apart, None if there is none.
    The third is the ValueError that says why the samples are no known function of the outputs of
    that operation, or None.
    """
    graph = record(generator, latents)
    if graph.output is None:
        return None, None, None
    path = _path(graph)
    obstacle = graph.nodes[path[-1].node].name
    n = graph.shape(graph.output)[0]
    path = [ref for ref in path if graph.shape(ref)[:1] == (n,)]
    values, x = values_of(generator, latents, graph, path)
    end = problem = None
    for ref, value in reversed(list(zip(path, values, strict=True))):
        if value[0].numel() == x[0].numel():
            misfit = _misfit(value, x, activation)
            if misfit is None:
                end = ref
                break
            problem = problem or misfit
    if end is None:
        return None, obstacle, problem
    sources, links = read_tail(graph, end)
    if not _holds_layer(links):
        return None, graph.nodes[sources[0].node].name, problem
    tail = LinearTail(graph, tuple(sources), end, tuple(links), None)
    bias = _checked_bias(tail)
    if bias is None:
        return None, graph.nodes[end.node].name, None
    return replace(tail, bias=_shortest(bias)), None, None


def _holds_layer(links):
    return any(link.row.modules or any(map(_holds_layer, link.terms)) for link in links)


def watch_linear_tail(generator, latents, tail):
    """Inputs and outputs of a tail, and the samples, for a batch of latents."""
    refs = [*tail.sources, tail.end]
    (*inputs, outputs), x = values_of(generator, latents, tail.graph, refs)
    return concatenated(inputs), outputs, x


def _path(graph):
    """Refs from the output back to the last operation that mixes elements."""
    path = [graph.output]
    while True:
        node = graph.nodes[path[-1].node]
        if one_to_one(node.name) is False or node.function is None or len(node.parents) != 1:
            return path
        (parent,) = node.parents
        if prod(graph.shape(parent)) != prod(graph.shape(path[-1])):
            return path
        path.append(parent)


def _misfit(value, x, activation):
    """The error that says why the samples are no known function of a value, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            if isinstance(activation, str):
                recognize_output_stage(value, x)
            else:
                check_output_stage(activation, value, x)
    except ValueError as error:
        return error
    return None


def _checked_bias(tail):
    """The value of a tail at 0, None if it differs from its links on random activations."""
    shape = tail.graph.shape(tail.sources[0])[:1] + tail.input_shape
    generator = torch.Generator("cpu").manual_seed(0)
    z = torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")
    with torch.no_grad():
        try:
            operator = build_chain(tail.links, shape[1:])
            bias = tail.replay(torch.zeros_like(z))
        except (ValueError, RuntimeError):
            return None
        found = operator.forward(z).reshape(bias.shape)
        expected = tail.replay(z) - bias
    allowed = _TOL * float(expected.abs().max() + bias.abs().max())
    same_bias = (bias - bias[:1]).abs().max() <= allowed
    if not same_bias or not (found - expected).abs().max() <= allowed:
        return None
    return bias[0].reshape(operator.output_shape).numpy()


def _shortest(bias):
    """A bias per channel if it is the same in all of a channel, None if it is 0."""
    if not bias.any():
        return None
    by_channel = bias.reshape(len(bias), -1)
    return by_channel[:, 0].copy() if (by_channel == by_channel[:, :1]).all() else bias
