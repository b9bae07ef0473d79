"""All kinds of values that files hold."""

from sklearn_flipad.persistence.kinds import (
    deep_sad,
    estimators,
    final_layer,
    networks,
    reproduction,
    scikit_learn,
    user_objects,
    values,
)

__all__ = ["kind_of_node", "kind_of_value"]

#: A value is of the first kind that holds it.
_ORDER = (values, estimators, final_layer, reproduction, deep_sad, networks, scikit_learn)
_ORDER += (user_objects,)
_KINDS = {kind.name: kind for module in _ORDER for kind in module.KINDS}


def kind_of_value(value, path):
    """The kind of a value; None if files cannot hold it."""
    return next((kind for kind in _KINDS.values() if kind.holds(value, path)), None)


def kind_of_node(node):
    """The kind that a node names; ValueError if there is none."""
    if node["kind"] not in _KINDS:
        raise ValueError(f"nothing is known of the kind {str(node['kind'])[:100]!r}")
    return _KINDS[node["kind"]]
