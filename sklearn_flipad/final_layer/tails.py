"""Finding all that is linear between a generator's last nonlinearity and its output."""

import warnings
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch

from sklearn_flipad.final_layer.branches import concatenated, read_tail, split
from sklearn_flipad.final_layer.graph import Graph, Ref, record, values_of
from sklearn_flipad.final_layer.links import build_chain
from sklearn_flipad.final_layer.taking_apart import READERS
from sklearn_flipad.generators.watching.recognition import check_tail, recognize_tail
from sklearn_flipad.operators.kinds import KINDS

__all__ = ["LinearTail", "find_linear_tail", "watch_linear_tail"]

#: Largest accepted difference between a tail and its links, relative to the largest output.
_TOL = 1e-4
#: What is added or passed on element by element, so that an activation may lie behind it.
_ELEMENTWISE = ("add", "sub", "mul", "div", "neg", "native_batch_norm", "cudnn_batch_norm",
                "_native_batch_norm_legit_no_training")  # fmt: skip
_REARRANGED = ("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "permute", "transpose",
               "t", "pixel_shuffle", "pixel_unshuffle")  # fmt: skip


@dataclass(frozen=True, eq=False)
class LinearTail:
    """A linear map of several links that a generator ends with.

    Attributes
    ----------
    graph : Graph
        What the generator did.
    sources : tuple of Ref
        The activations that the map starts from, one value per branch.
    end : Ref
        What the output activation is applied to.
    links : tuple of Link
        The map.
    bias : ndarray of float32 or None
        What it adds, per channel or per element.
    """

    graph: Graph
    sources: tuple
    end: Ref
    links: tuple
    bias: np.ndarray | None

    @property
    def input_shape(self):
        """Shape of what the map starts from; a row, if there are several branches."""
        shapes = [self.graph.shape(source)[1:] for source in self.sources]
        return shapes[0] if len(shapes) == 1 else (sum(map(prod, shapes)),)

    def replay(self, z):
        """What the generator's own operations make of activations.

        Parameters
        ----------
        z : torch.Tensor, shape (n, *input_shape)
            As many as the latents that were traced.

        Returns
        -------
        torch.Tensor of float32, on the CPU
        """
        tensors = [v for node in self.graph.nodes for v in node.arguments.values()]
        like = next((v for v in tensors if torch.is_tensor(v) and v.is_floating_point()), z)
        shapes = [self.graph.shape(source)[1:] for source in self.sources]
        values = dict(zip(self.sources, split(z.to(like), shapes), strict=True))
        return self.graph.replay(self.end, values).float().cpu()


def find_linear_tail(generator, latents, activation):
    """The linear tail of a generator.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator, in eval mode.
    latents : tuple of torch.Tensor
        Its inputs.
    activation : OutputActivation or "auto"
        The output activation.

    Returns
    -------
    tail : LinearTail or None
        None where there is none that could be taken apart.
    obstacle : str or None
        The operation that ended the search for it, if there is one.
    problem : ValueError or None
        Why the samples are no known function of what that operation returned.
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
    terms = [term for link in links for term in link.arguments.get("terms", ())]
    return any(link.kind in KINDS for link in links) or any(map(_holds_layer, terms))


def watch_linear_tail(generator, latents, tail):
    """Inputs and outputs of a tail, and the samples, of a batch.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    latents : tuple of torch.Tensor
        Its inputs.
    tail : LinearTail
        What was found in it.

    Returns
    -------
    inputs, outputs, x : torch.Tensor
    """
    refs = [*tail.sources, tail.end]
    (*inputs, outputs), x = values_of(generator, latents, tail.graph, refs)
    return concatenated(inputs), outputs, x


def _path(graph):
    """From the output back to the last operation that mixes elements."""
    path = [graph.output]
    while True:
        node = graph.nodes[path[-1].node]
        mixes = node.name in READERS and node.name not in (*_ELEMENTWISE, *_REARRANGED)
        if mixes or node.function is None or len(node.parents) != 1:
            return path
        (parent,) = node.parents
        if prod(graph.shape(parent)) != prod(graph.shape(path[-1])):
            return path
        path.append(parent)


def _misfit(value, x, activation):
    """Why the samples are no known function of a value, None if they are one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            if isinstance(activation, str):
                recognize_tail(value, x)
            else:
                check_tail(activation, value, x)
    except ValueError as error:
        return error
    return None


def _checked_bias(tail):
    """The tail's value at 0, None if the links and it differ on random activations."""
    shape = tail.graph.shape(tail.sources[0])[:1] + tail.input_shape
    generator = torch.Generator().manual_seed(0)
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
    """A bias per channel where it is the same in all of a channel, None where it is 0."""
    if not bias.any():
        return None
    by_channel = bias.reshape(len(bias), -1)
    return by_channel[:, 0].copy() if (by_channel == by_channel[:, :1]).all() else bias
