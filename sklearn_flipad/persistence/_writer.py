"""From a fitted attributor to JSON values and arrays."""

import math

import numpy as np
from torch import nn

from sklearn_flipad.persistence._protocol import MAX_DEPTH
from sklearn_flipad.persistence.kinds.classes import ESTIMATORS, known_base
from sklearn_flipad.persistence.kinds.registry import kind_of_value
from sklearn_flipad.persistence.kinds.user_objects import how_to_write, import_path

__all__ = ["Writer"]


class Writer:
    """Arrays, and code that has to be asked for, of the values that were taken apart."""

    def __init__(self):
        #: By the path of the value that they belong to.
        self.arrays = {}
        #: Code that the user has to pass when the file is loaded: ``what`` it is, and how they
        #: might ``write`` it.
        self.needs = {}
        self._signatures = {}
        self._seen = {}
        self._depth = 0

    def value(self, value, path):
        """JSON values for anything that a parameter or an attribute may be."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"{path} cannot be stored: it lies more than {MAX_DEPTH} parts deep")
        node = self._node(value, path)
        self._depth -= 1
        return node

    def named(self, values, path):
        """JSON values by name."""
        return {name: self.value(value, f"{path}/{name}") for name, value in values.items()}

    def items(self, values, path):
        """JSON values of the items of a sequence."""
        nodes = []
        for index, item in enumerate(values):
            match item:
                case (str(name), part) if type(item) is tuple:  # a step of a pipeline
                    part = self.value(part, f"{path}/{name}")
                    nodes.append({"kind": "tuple", "items": [name, part]})
                case _:
                    nodes.append(self.value(item, f"{path}/{index}"))
        return nodes

    def put(self, array, path):
        """Keep an array, and return the name that it gets."""
        name = path
        while name in self.arrays:
            name += "~"
        self.arrays[name] = array
        return name

    def put_all(self, arrays, path):
        """Keep arrays by name, and return the names that they get."""
        return {key: self.put(array, f"{path}/{key}") for key, array in arrays.items()}

    def ask_for(self, thing, what):
        """The name by which the user is asked for an object.

        Modules of one class share it if their weights have the same shapes.
        """
        signature = id(thing)
        if isinstance(thing, nn.Module):
            signature = repr([(k, tuple(v.shape)) for k, v in thing.state_dict().items()])
        path = name = import_path(thing)
        number = 1
        while self._signatures.setdefault(name, signature) != signature:
            number += 1
            name = f"{path}#{number}"
        self.needs.setdefault(name, {"what": what, "write": how_to_write(thing)})
        return name

    def _node(self, value, path):
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float and math.isfinite(value):
            return value
        if type(value) is list:
            return self.items(value, path)
        if isinstance(value, np.random.RandomState | np.random.Generator):
            return None  # what it would draw matters in fit alone
        kind = kind_of_value(value, path)
        if kind is None:
            raise ValueError(f"{path} cannot be stored: {_refusal(value, path)}")
        if not kind.shared:
            return {"kind": kind.name, **kind.take_apart(value, path, self)}
        if id(value) in self._seen:
            return {"kind": "same", "id": self._seen[id(value)][0]}
        number = len(self._seen)
        self._seen[id(value)] = number, value  # kept, so that no other object gets its id
        return {"id": number, "kind": kind.name, **kind.take_apart(value, path, self)}


def _refusal(value, path):
    """The reason why a value cannot be stored, and what to do."""
    what = import_path(value)
    if hasattr(value, "get_params") or hasattr(value, "fit"):
        base = known_base(ESTIMATORS, type(value))
        kind = "no estimator" if base is None else f"a subclass of {base}"
        return (
            f"{what} is {kind} of sklearn_flipad or scikit-learn that files may hold, and loading "
            "it would run code from elsewhere. Use one of theirs in its place, or keep this "
            "attributor in a file of joblib for yourself alone"
        )
    last = path.rpartition("/")[2]
    advice = f"Set {last} to a plain value before saving"
    if last == "cv":
        advice = "It is of use in fit alone: set cv to a fraction, as 0.2, before saving"
    return f"it is a {what}. {advice}"
