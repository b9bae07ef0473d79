"""From JSON values and arrays to a fitted attributor.

Nothing that a file names is imported or called, but for the classes of a fixed table.
"""

import inspect

import numpy as np
import torch
from torch import nn

from sklearn_flipad.persistence import _networks, _skops
from sklearn_flipad.persistence._classes import (
    ESTIMATORS,
    LOCAL_PARAMETERS,
    MAX_DEPTH,
    SPLITTERS,
    VALUES,
    constructor_arguments,
    import_class,
)
from sklearn_flipad.persistence._probes import check_autoencoder, check_net, check_search

__all__ = ["Reader"]


class Reader:
    """Puts objects together again.

    Parameters
    ----------
    arrays : dict of str to ndarray
        The arrays.
    objects : dict of str to object
        What the user passed.
    device : str, torch.device or None
        Where to compute.
    sklearn_version : str
        Version of scikit-learn that wrote its estimators.
    """

    def __init__(self, arrays, objects, device, sklearn_version):
        self.arrays = arrays
        self.objects = objects
        self.device = device
        self.sklearn_version = sklearn_version
        self.unused = set(arrays)
        self._seen = {}
        self._depth = 0
        self._kinds = {
            name.removeprefix("_read_"): method
            for name, method in inspect.getmembers(self, inspect.ismethod)
            if name.startswith("_read_")
        }

    def value(self, node):
        """The value that :meth:`Writer.value` took apart."""
        if node is None or isinstance(node, bool | int | str | float):
            return node
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"values lie more than {MAX_DEPTH} deep in each other")
        if isinstance(node, list):
            value = [self.value(item) for item in node]
        else:
            kind = node["kind"]
            if kind not in self._kinds:
                raise ValueError(f"nothing is known of the kind {str(kind)[:100]!r}")
            value = self._kinds[kind](node)
            if "id" in node:
                self._seen[node["id"]] = value
        self._depth -= 1
        return value

    def _take(self, name):
        self.unused.discard(name)
        return self.arrays[name]

    def _items(self, node):
        return {str(key): self.value(part) for key, part in node["items"].items()}

    def _read_same(self, node):
        return self._seen[node["id"]]

    def _read_float(self, node):
        if node["value"] not in ("nan", "inf", "-inf"):
            raise ValueError(f"{str(node['value'])[:100]!r} is no special float")
        return float(node["value"])

    def _read_tuple(self, node):
        return tuple(self.value(item) for item in node["items"])

    def _read_dict(self, node):
        return self._items(node)

    def _read_array(self, node):
        return self._take(node["array"])

    def _read_scalar(self, node):
        return self._take(node["array"])[()]

    def _read_names(self, node):
        names = np.empty(len(node["items"]), dtype=object)
        names[:] = [str(name) for name in node["items"]]
        return names

    def _read_strings(self, node):
        return np.array([str(item) for item in node["items"]], dtype=str)

    def _read_value(self, node):
        return import_class(VALUES, node["class"])(**self._items(node))

    def _read_splitter(self, node):
        return import_class(SPLITTERS, node["class"])(**self._items(node))

    def _read_final_layer(self, node):
        from sklearn_flipad.final_layer import FinalLayer

        arrays = {key: self._take(name) for key, name in node["arrays"].items()}
        return FinalLayer.from_parts(arrays, node["description"])

    def _read_feature_distance(self, node):
        from sklearn_flipad.reproduction import FeatureDistance

        return FeatureDistance(self.value(node["extractor"]))

    def _read_object(self, node):
        name = node["name"]
        thing = self.objects[name]
        if node["is_class"] and not (isinstance(thing, type) and issubclass(thing, nn.Module)):
            raise ValueError(f"objects[{name!r}] must be a class of torch modules, got {thing!r}")
        if not callable(thing):
            raise ValueError(f"objects[{name!r}] must be a function, got {thing!r}")
        return thing

    def _read_network_class(self, node):
        from sklearn_flipad.detectors import networks

        if node["class"] not in networks.__all__:
            raise ValueError(f"{str(node['class'])[:100]!r} is no network of the library")
        return getattr(networks, node["class"])

    def _read_module(self, node):
        module = _networks.build(node["build"], self._state(node), self.objects)
        for name in node["training"]:
            module.get_submodule(name).training = True
        return module

    def _read_sklearn(self, node):
        content = self._take(node["array"]).tobytes()
        return _skops.from_bytes(content, node["class"], self.sklearn_version)

    def _read_metric(self, node):
        from sklearn_flipad.reproduction.metric import LatentMetric

        values = self._items(node)
        metric = LatentMetric(None, values["scale"])
        # Not computed from the matrix again: other processors round differently.
        for name in ("matrix", "_forward", "_backward"):
            setattr(metric, name, values[name])
        return metric

    def _state(self, node):
        return {key: self._take(name) for key, name in node["state"].items()}

    # Estimators

    def _read_estimator(self, node):
        name = node["class"]
        cls, stored = import_class(ESTIMATORS, name), ESTIMATORS[name]
        accepted = constructor_arguments(cls)
        params = {key: self.value(part) for key, part in node["params"].items()}
        self._check_known(name, set(params), set(accepted) - set(LOCAL_PARAMETERS))
        estimator = cls(**params)
        if self.device is not None and "device" in accepted:
            estimator.device = self.device
        if hasattr(cls, "_parameter_constraints"):
            estimator._validate_params()
        fitted = {
            key: self._net(part, estimator) if key == "net_" else self.value(part)
            for key, part in node["fitted"].items()
        }
        known = {*stored.fitted, *stored.optional, "_sklearn_output_config"}
        self._check_known(name, set(fitted), known)
        missing = set(stored.fitted) - set(fitted)
        if missing and len(missing) < len(stored.fitted):
            raise ValueError(f"{name} is without {', '.join(sorted(missing))}")
        vars(estimator).update(fitted)
        if "net_" in fitted:
            estimator._set_center(fitted["center_"])
            probe = self._take(node["fitted"]["net_"]["probe"])
            check_net(estimator.net_, estimator._network_shape, probe)
        if "probe" in node:
            check = check_autoencoder if name == "ResidualTransformer" else check_search
            check(estimator, self.value(node["probe"]))
        return estimator

    def _check_known(self, name, found, known):
        unknown = sorted(found - known)
        if unknown:
            raise ValueError(
                f"nothing is known of {', '.join(unknown)[:200]} of {name}. The file was written "
                "by another version of the library"
            )

    def _net(self, node, detector):
        cls, arguments = self.value(node["module"]), self.value(node["arguments"])
        shape, state = arguments.pop("input_shape"), self._state(node)
        if node["module"]["kind"] != "object":
            # Without memory first, so that a file cannot ask for more than it brings.
            with torch.device("meta"):
                _networks.check_state(cls(shape, **arguments), state, cls.__name__)
        net = detector._untrained_net(cls, arguments, shape)
        _networks.fill(net.module_, state, cls.__name__)
        return net
