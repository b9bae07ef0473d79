"""The nodes of JSON values."""

__all__ = ["nodes_of"]


def nodes_of(node):
    """Yield all nodes in JSON values, those that hold others first."""
    if isinstance(node, dict):
        if "kind" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from nodes_of(part)
