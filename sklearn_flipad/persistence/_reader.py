"""From JSON values and arrays to a fitted attributor."""

from sklearn_flipad.persistence._protocol import MAX_DEPTH
from sklearn_flipad.persistence.kinds.registry import kind_of_node

__all__ = ["Reader"]


class Reader:
    """Values that are put together; of what a file names, only a fixed list is imported."""

    def __init__(self, arrays, objects, device, sklearn_version):
        self.arrays = arrays
        #: What the user passed, by name.
        self.objects = objects
        #: Where to compute.
        self.device = device
        #: The version of scikit-learn that wrote its estimators.
        self.sklearn_version = sklearn_version
        #: Names of arrays that no value has taken.
        self.unused = set(arrays)
        self._seen = {}
        self._depth = 0

    def value(self, node):
        """The value that a writer took apart."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"values lie more than {MAX_DEPTH} deep in each other")
        value = self._value(node)
        self._depth -= 1
        return value

    def named(self, nodes):
        """Values by name."""
        return {str(name): self.value(node) for name, node in nodes.items()}

    def take(self, name):
        """The array of a name."""
        self.unused.discard(name)
        return self.arrays[name]

    def take_all(self, names):
        """The arrays of several names."""
        return {key: self.take(name) for key, name in names.items()}

    def _value(self, node):
        if node is None or isinstance(node, bool | int | str | float):
            return node
        if isinstance(node, list):
            return [self.value(item) for item in node]
        if node["kind"] == "same":
            return self._seen[node["id"]]
        value = kind_of_node(node).put_together(node, self)
        if "id" in node:
            self._seen[node["id"]] = value
        return value
