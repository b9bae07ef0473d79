"""From JSON values and arrays to a description for people; nothing is built."""

from sklearn_flipad.persistence._nodes import nodes_of
from sklearn_flipad.persistence.kinds.registry import kind_of_node
from sklearn_flipad.storage.files import printable

__all__ = ["View", "as_printable"]


class View:
    """Descriptions of the nodes of a file."""

    def __init__(self, arrays, tree):
        self.arrays = arrays
        shared = (node for node in nodes_of(tree) if "id" in node and node["kind"] != "same")
        self._nodes = {node["id"]: node for node in shared}
        self._shown = {}

    def node(self, node):
        """The node itself, or the one that it says is the same."""
        is_same = isinstance(node, dict) and node.get("kind") == "same"
        return self._nodes[node["id"]] if is_same else node

    def show(self, node):
        """JSON values that describe a node."""
        node = self.node(node)
        if isinstance(node, list):
            return [self.show(item) for item in node]
        if not isinstance(node, dict):
            return as_printable(node)
        number = node.get("id")
        if number is None:
            return kind_of_node(node).show(node, self)
        if number not in self._shown:
            self._shown[number] = kind_of_node(node).show(node, self)
        return self._shown[number]

    def outline(self, node):
        """Dicts of steps and parameters, by names as in ``set_params``; names of generators."""
        steps, parameters, generators = {}, {}, {}

        def walk(node, prefix):
            for name, value in node.get("params", {}).items():
                name = prefix + printable(name)
                parts = _named_parts(value) if name.endswith(("steps", "estimators")) else None
                if parts is not None:
                    for part, estimator in parts:
                        add(estimator, prefix + printable(part))
                elif _is_estimator(self.node(value)):
                    add(value, name)
                else:
                    parameters[name] = self.show(value)
                    if name.endswith(("generator", "autoencoder")):
                        generators[parameters[name]] = None

        def add(node, name):
            node = self.node(node)
            if _is_estimator(node):
                steps[name] = self.show(node)
                walk(node, f"{name}__")
            else:
                steps[name] = str(self.show(node))

        walk(node, "")
        return steps, parameters, tuple(generators)


def as_printable(value):
    """JSON values whose texts any terminal takes."""
    if isinstance(value, dict):
        return {printable(key): as_printable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_printable(part) for part in value]
    return printable(value) if isinstance(value, str) else value


def _is_estimator(node):
    return isinstance(node, dict) and node.get("kind") == "estimator"


def _named_parts(value):
    """Steps of a pipeline, or named estimators; None for anything else."""
    if not isinstance(value, list):
        return None
    parts = [item["items"] for item in value if isinstance(item, dict) and "items" in item]
    return parts if len(parts) == len(value) else None
