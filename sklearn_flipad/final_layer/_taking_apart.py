"""Operations of a generator as links: values followed back through all that is linear."""

import numpy as np

from sklearn_flipad.final_layer._graph import Ref
from sklearn_flipad.operators.links.kinds import Operation, read_operation
from sklearn_flipad.operators.links.link import Link, joined_links

__all__ = ["read_chain", "sum_of", "summands", "without_first_arrangement"]

#: Operations that leave everything as it is, but for the layout or the type.
_SAME = ("clone", "detach", "alias", "contiguous", "_to_copy", "to", "lift_fresh")
_ARRANGED = ("reshape", "permute")
_VIEWING = ("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze")
_ARRANGING = (*_VIEWING, "permute", "transpose", "t")


def read_chain(graph, ref):
    """The value that `ref` is a linear map of, as far back as can be, and the links of that map.

    Constants that are added are left out.
    """
    links = []
    while (step := _step(graph, ref)) is not None:
        ref, before = step
        links = [*before, *links]
    return ref, joined_links(links)


def without_first_arrangement(graph, ref, links):
    """The same map from the input of its first layer, if that is the source in another shape."""
    while len(links) > 1 and links[0].kind in _ARRANGED and (follower := _follower(graph, ref)):
        ref, links = follower, links[1:]
    return ref, links


def summands(graph, ref):
    """The two values that a value is the sum or the difference of, each with its factor as links.

    Empty if it is no sum.
    """
    node, shape = graph.nodes[ref.node], graph.shape(ref)
    if node.name not in ("add", "sub"):
        return []
    first, second = node.arguments["self"], node.arguments["other"]
    if not all(isinstance(part, Ref) and graph.shape(part) == shape for part in (first, second)):
        return []
    return [(first, []), (second, _scaled(_factor(node), shape))]


def sum_of(terms, n_axes):
    """The sum of chains of the same input of `n_axes` axes; one without links is the identity."""
    unit = Link("scale", np.ones([1] * n_axes))
    return Link("sum", None, {"terms": [joined_links(term) or [unit] for term in terms]})


def _follower(graph, ref):
    """The one reshaped or permuted copy of a value, None if there are several."""
    users = [i for i, node in enumerate(graph.nodes) if ref in node.parents]
    if len(users) == 1 and graph.nodes[users[0]].name in _ARRANGING:
        return Ref(users[0])
    return None


def _step(graph, ref):
    """The value that a value is a linear map of, and the links of that map, or None."""
    node, shape = graph.nodes[ref.node], graph.shape(ref)
    if ref.output != 0:
        return None
    found = _sum(graph, node, shape) if node.name in ("add", "sub") else _read(graph, node, shape)
    if found is None:
        return None
    source, links = found
    if graph.shape(source)[:1] != shape[:1] or len(graph.shape(source)) < 2:
        return None  # not the axis of the batch
    return source, links


def _read(graph, node, shape):
    """The input of an operation that has one, and its links, or None."""
    inputs = [name for name, value in node.arguments.items() if isinstance(value, Ref)]
    if len(inputs) != 1 or node.parents != [node.arguments[inputs[0]]]:
        return None
    source = node.arguments[inputs[0]]
    if node.name in _SAME:
        return (source, []) if inputs == ["self"] else None
    others = {name: value for name, value in node.arguments.items() if name != inputs[0]}
    links = read_operation(Operation(node.name, others, inputs[0], graph.shape(source), shape))
    if links is None and node.name in _VIEWING:
        return _last_axis(graph, source, shape)
    return None if links is None else (source, links)


def _last_axis(graph, source, shape):
    """A linear layer on the last of several axes, which has the others as those of a batch."""
    inner = graph.nodes[source.node]
    if inner.name not in ("addmm", "mm"):
        return None
    found = _read(graph, inner, graph.shape(source))
    if found is None or graph.nodes[found[0].node].name not in ("view", "_unsafe_view"):
        return None
    before = graph.nodes[found[0].node].arguments["self"]
    if not isinstance(before, Ref) or graph.shape(before)[:-1] != shape[:-1]:
        return None
    return before, found[1]


def _factor(node):
    """Factor of the second value of a sum."""
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
    return left, [sum_of([left_links, [*right_links, *_scaled(factor, shape)]], len(shape) - 1)]


def _until_common(graph, first, second):
    """The nearest value that two values are linear maps of, with the links of each."""
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
