"""The operations of a running generator as a graph."""

from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from sklearn_flipad.base.modules import run_generator

__all__ = ["Graph", "Node", "Ref", "record", "values_of"]

_VARIES = (
    "The generator runs other operations for other batches. Pass module= to name its final layer."
)


@dataclass(frozen=True)
class Ref:
    """An output of a node, both by their numbers."""

    node: int
    output: int = 0


@dataclass(frozen=True, eq=False)
class Node:
    """One operation on values that depend on the latents, or a source of such values.

    The function is None for a latent; the arguments are by the names of its schema, values that
    depend on the latents as :class:`Ref`; the shapes are those of the outputs.
    """

    function: object
    arguments: dict
    shapes: list

    @property
    def name(self):
        """Name of the operation, without the mark of one that works in place."""
        if self.function is None:
            return "latent"
        return self.function._schema.name.removeprefix("aten::").rstrip("_")

    @property
    def parents(self):
        """The refs among the arguments, each once."""
        refs = [value for value in tree_flatten(self.arguments)[0] if isinstance(value, Ref)]
        return list(dict.fromkeys(refs))


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in the order in which they ran, and the ref of the generator's output."""

    nodes: list
    output: Ref

    def shape(self, ref):
        """Shape of a value, with the axis of the batch."""
        return self.nodes[ref.node].shapes[ref.output]

    def replay(self, ref, values):
        """Compute one value from others, given by their refs; ValueError if they are not enough."""
        known = dict(values)

        def compute(wanted):
            if wanted not in known:
                node = self.nodes[wanted.node]
                if node.function is None or not node.parents:
                    raise ValueError(f"{node.name} does not depend on the activations.")
                arguments = {
                    name: tree_map(lambda v: compute(v) if isinstance(v, Ref) else v, argument)
                    for name, argument in node.arguments.items()
                }
                if node.function._schema.is_mutable:
                    arguments = {k: _copied(v) for k, v in arguments.items()}
                known[wanted] = _outputs(_call(node.function, arguments))[wanted.output]
            return known[wanted]

        return compute(ref)


def _copied(value):
    return value.clone() if isinstance(value, torch.Tensor) else value


def _call(function, arguments):
    schema, arguments = function._schema.arguments, dict(arguments)
    positional = [arguments.pop(a.name) for a in schema if not a.kwarg_only and a.name in arguments]
    return function(*positional, **arguments)


def _outputs(result):
    return list(result) if isinstance(result, tuple | list) else [result]


class _Recorder(TorchDispatchMode):
    """Numbers the operations on values that depend on the latents; see :class:`Graph`.

    Tensors are known for as long as the generator keeps them.
    """

    def __init__(self, latents, seen):
        super().__init__()
        self._known, self._seen = WeakTensorKeyDictionary(), seen
        self._n_nodes = 0
        for latent in latents:
            self._note(None, {}, [latent])

    def ref(self, tensor):
        """The ref of a tensor, None if it does not depend on the latents."""
        return self._known.get(tensor)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        names = [argument.name for argument in function._schema.arguments]
        given = {**dict(zip(names, args, strict=False)), **(kwargs or {})}
        arguments = tree_map(self._referred, given)
        result = function(*args, **(kwargs or {}))
        is_random = torch.Tag.nondeterministic_seeded in function.tags
        if is_random or any(isinstance(v, Ref) for v in tree_flatten(arguments)[0]):
            outputs = _outputs(result)
            if all(isinstance(output, torch.Tensor) for output in outputs):
                self._note(function, arguments, outputs)
        return result

    def _referred(self, value):
        if not isinstance(value, torch.Tensor):
            return value
        ref = self._known.get(value)
        return value if ref is None else ref

    def _note(self, function, arguments, outputs):
        for index, output in enumerate(outputs):
            self._known[output] = Ref(self._n_nodes, index)
        self._seen(self._n_nodes, function, arguments, outputs)
        self._n_nodes += 1


def record(generator, latents):
    """The graph of a generator in eval mode, for a batch of latents."""
    nodes = []

    def note(_, function, arguments, outputs):
        nodes.append(Node(function, arguments, [tuple(output.shape) for output in outputs]))

    with _Recorder(latents, note) as recorder:
        x = run_generator(generator, latents)
    return Graph(nodes, recorder.ref(x))


def values_of(generator, latents, graph, refs):
    """Values of some refs, and the samples, of a generator that runs on a batch.

    ValueError if its operations are not those of the graph.
    """
    by_node, values = {}, {}
    for ref in refs:
        by_node.setdefault(ref.node, []).append(ref)

    def note(number, function, arguments, outputs):
        if number >= len(graph.nodes) or graph.nodes[number].function is not function:
            raise ValueError(_VARIES)
        for ref in by_node.get(number, ()):
            # A copy, because what follows may overwrite it in place.
            values[ref] = outputs[ref.output].detach().clone()

    with _Recorder(latents, note):
        x = run_generator(generator, latents)
    if set(values) != set(refs) or any(len(v) != len(x) for v in values.values()):
        raise ValueError(_VARIES)
    return [values[ref] for ref in refs], x.detach()
