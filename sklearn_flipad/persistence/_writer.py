"""From a fitted attributor to JSON values and arrays."""

import dataclasses

import numpy as np
from sklearn.base import clone
from sklearn.model_selection._search import BaseSearchCV
from torch import nn

from sklearn_flipad.base.modules import unwrap
from sklearn_flipad.persistence import _networks, _skops
from sklearn_flipad.persistence._classes import (
    ESTIMATORS,
    LOCAL_PARAMETERS,
    MAX_DEPTH,
    SPLITTERS,
    VALUES,
    constructor_arguments,
    name_of,
)
from sklearn_flipad.persistence._probes import probe_autoencoder, probe_net, probe_search

__all__ = ["Writer"]

#: Types of arrays that files hold.
_KINDS = "biuf"
#: Parameters whose functions the user is asked for when a file is loaded.
_FUNCTIONS = ("distance", "sampler")
#: Attributes that have no meaning outside of the process, or in fit alone.
_TRANSIENT = ("_metadata_request", "_sklearn_version")


class Writer:
    """Takes objects apart.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The arrays, by the path of what they belong to.
    needs : dict of str to dict
        What the user has to pass when the file is loaded: ``what`` it is, and how they might
        ``write`` it.
    """

    def __init__(self):
        self.arrays = {}
        self.needs = {}
        self._signatures = {}
        self._seen = {}
        self._depth = 0

    def value(self, value, path):
        """Anything that a parameter or an attribute may hold, as JSON values."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"{path} cannot be stored: it lies more than {MAX_DEPTH} parts deep")
        node = self._value(value, path)
        self._depth -= 1
        return node

    def _value(self, value, path):
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if np.isfinite(value) else {"kind": "float", "value": repr(value)}
        if type(value) is list:
            return self._items(value, path)
        if type(value) is tuple:
            return {"kind": "tuple", "items": self._items(value, path)}
        if type(value) is dict and all(type(key) is str for key in value):
            items = {key: self.value(part, f"{path}/{key}") for key, part in value.items()}
            return {"kind": "dict", "items": items}
        if isinstance(value, np.ndarray):
            return self._array(value, path)
        if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
            return {"kind": "scalar", "array": self.put(np.array(value), path)}
        if isinstance(value, np.random.RandomState | np.random.Generator):
            return None  # what it would draw matters in fit alone
        return self._shared(value, path)

    def put(self, array, path):
        """Keep an array under a name of its own."""
        name = path
        while name in self.arrays:
            name += "~"
        array = np.ascontiguousarray(array).reshape(array.shape)
        self.arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
        return name

    def _items(self, items, path):
        values = []
        for index, item in enumerate(items):
            match item:
                case (str(name), part) if type(item) is tuple:  # a step of a pipeline
                    part = self.value(part, f"{path}/{name}")
                    values.append({"kind": "tuple", "items": [name, part]})
                case _:
                    values.append(self.value(item, f"{path}/{index}"))
        return values

    def _array(self, array, path):
        if array.dtype.kind in _KINDS and type(array) is np.ndarray:
            return {"kind": "array", "array": self.put(array, path)}
        if array.dtype == object and array.ndim == 1 and all(type(x) is str for x in array):
            return {"kind": "names", "items": array.tolist()}
        if array.dtype.kind == "U" and array.ndim == 1 and type(array) is np.ndarray:
            return {"kind": "strings", "items": array.tolist()}
        raise ValueError(f"{path} cannot be stored: it is an array of {array.dtype}")

    def _shared(self, value, path):
        """Objects that may occur in several places are stored in the first."""
        if id(value) in self._seen:
            return {"kind": "same", "id": self._seen[id(value)][0]}
        number = len(self._seen)
        self._seen[id(value)] = number, value  # kept, so that no other object gets its id
        return {"id": number, **self._object(value, path)}

    def _object(self, value, path):
        from sklearn_flipad.final_layer import FinalLayer
        from sklearn_flipad.reproduction import FeatureDistance
        from sklearn_flipad.reproduction.metric import LatentMetric

        name = name_of(ESTIMATORS, value)
        if _is_search(value) and (name is None or hasattr(value, "best_estimator_")):
            raise ValueError(
                f"{path} cannot be stored: of searches, only a GridSearchCV that is a part of a "
                "CombinedDetector or an OpenSetAttributor is. Put what it found, its "
                "best_estimator_, in its place"
            )
        if name:
            return self._estimator(name, value, path)
        if name := name_of(VALUES, value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return {"kind": "value", "class": name, **self._parts(fields, path)}
        if name := name_of(SPLITTERS, value):
            arguments = {key: getattr(value, key) for key in constructor_arguments(type(value))}
            return {"kind": "splitter", "class": name, **self._parts(arguments, path)}
        if type(value) is FinalLayer:
            return self._final_layer(value, path)
        if type(value) is LatentMetric:
            names = ("matrix", "scale", "_forward", "_backward")
            parts = {name: getattr(value, name) for name in names}
            return {"kind": "metric", **self._parts(parts, path)}
        if type(value) is FeatureDistance:
            extractor = self.value(value.extractor, f"{path}/extractor")
            return {"kind": "feature_distance", "extractor": extractor}
        if isinstance(value, nn.Module):
            return self.module(value, path)
        if isinstance(value, type) and issubclass(value, nn.Module):
            return self._network_class(value, path)
        if _skops.is_sklearn(value):
            return self._sklearn(value, path)
        if callable(value) and path.rpartition("/")[2] in _FUNCTIONS:
            name = self._name(value, f"the function of {path}")
            return {"kind": "object", "name": name, "is_class": False}
        raise ValueError(self._refusal(value, path))

    def _parts(self, values, path):
        return {"items": {key: self.value(v, f"{path}/{key}") for key, v in values.items()}}

    def _refusal(self, value, path):
        what = _networks.import_path(value)
        if hasattr(value, "get_params") or hasattr(value, "fit"):
            bases = [cls.__name__ for cls in type(value).__mro__[1:] if cls.__name__ in ESTIMATORS]
            kind = f"a subclass of {bases[0]}" if bases else "no estimator"
            return (
                f"{path} cannot be stored: {what} is {kind} of sklearn_flipad or scikit-learn that "
                "files may hold, and loading it would mean to run code from elsewhere. Use one of "
                "theirs in its place, or keep this attributor with joblib for yourself alone"
            )
        last = path.rpartition("/")[2]
        advice = f"Set {last} to a plain value before saving"
        if last == "cv":
            advice = "It is of use in fit alone: set cv to a fraction, as 0.2, before saving"
        return f"{path} cannot be stored: it is a {what}. {advice}"

    # Estimators; what is special of a class is done by the method of its name

    def _estimator(self, name, estimator, path):
        stored = ESTIMATORS[name]
        params = estimator.get_params(deep=False)
        attributes = {
            key: value
            for key, value in vars(estimator).items()
            if key not in params and key not in _TRANSIENT
        }
        known = {*stored.fitted, *stored.optional, "_sklearn_output_config"}
        unknown = sorted(set(attributes) - known)
        if unknown:
            raise ValueError(
                f"{path} cannot be stored: it has attributes {', '.join(unknown)} that a {name} "
                "does not have by itself. Remove them with delattr before saving"
            )
        missing = [key for key in stored.fitted if key not in attributes]
        if missing and len(missing) < len(stored.fitted):
            raise ValueError(
                f"{path} cannot be stored: it is fitted in part only, without {missing[0]}. Fit it"
            )
        node = {"kind": "estimator", "class": name}
        special = getattr(self, f"_{name}", None)
        if special is not None:
            params, attributes = special(estimator, params, attributes, node, path)
        kept = {key: value for key, value in params.items() if key not in LOCAL_PARAMETERS}
        encoded = {key: self.value(value, f"{path}/{key}") for key, value in kept.items()}
        fitted = {}
        for key, value in attributes.items():
            done = isinstance(value, _Done)
            fitted[key] = value.node if done else self.value(value, f"{path}/{key}")
        return {**node, "params": encoded, "fitted": fitted}

    def _CombinedDetector(self, estimator, params, attributes, node, path):  # noqa: N802
        """A search is stored as what it found."""
        if attributes:
            pairs = zip(estimator.estimators, estimator.estimators_, strict=True)
            found = [
                (name, clone(fitted.best_estimator_) if _is_search(part) else part)
                for (name, part), fitted in pairs
            ]
            parts = [p.best_estimator_ if _is_search(p) else p for p in estimator.estimators_]
            names = [name for name, _ in found]
            attributes["estimators_"] = parts
            attributes["named_estimators_"] = dict(zip(names, parts, strict=True))
            params = {**params, "estimators": found}
        return params, attributes

    _OpenSetAttributor = _CombinedDetector

    def _DeepSADDetector(self, estimator, params, attributes, node, path):  # noqa: N802
        if attributes:
            net, path = estimator.net_, f"{path}/net_"
            arguments = {
                key.removeprefix("module__"): value
                for key, value in vars(net).items()
                if key.startswith("module__")
            }
            attributes["net_"] = _Done(
                {
                    "kind": "net",
                    "module": self.value(net.module, f"{path}/module"),
                    "arguments": self.value(arguments, f"{path}/arguments"),
                    "state": self._state(net.module_, path),
                    "probe": self.put(probe_net(net, estimator._network_shape), f"{path}/probe"),
                }
            )
        return params, attributes

    def _LatentEncoder(self, estimator, params, attributes, node, path):  # noqa: N802
        if attributes:
            from sklearn_flipad.reproduction.encoder_networks import n_outputs_of

            default = None
            if estimator.module is None:
                n_features = int(np.prod(estimator.latent_shape_))
                n_outputs = n_outputs_of(n_features, estimator.n_conditions_)
                default = [list(estimator.sample_shape_), n_outputs]
            module = self.module(estimator.module_, f"{path}/module_", default)
            attributes["module_"] = _Done(module)
        return params, attributes

    def _ReconstructionDetector(self, estimator, params, attributes, node, path):  # noqa: N802
        if estimator.distance == "inception":
            raise ValueError(
                f"{path} cannot be stored: distance='inception' takes its weights from a file of "
                "this machine. Pass distance=FeatureDistance(network), whose weights are stored"
            )
        params = {**params, "generator": unwrap(estimator.generator)}
        probes = probe_search(estimator)
        node["probe"] = self.value(probes, f"{path}/probe")
        return params, attributes

    def _ResidualTransformer(self, estimator, params, attributes, node, path):  # noqa: N802
        params = {**params, "autoencoder": unwrap(estimator.autoencoder)}
        if attributes:
            node["probe"] = self.value(probe_autoencoder(estimator), f"{path}/probe")
        return params, attributes

    # Others

    def _final_layer(self, layer, path):
        arrays, description = layer.to_parts()
        names = {key: self.put(array, f"{path}/{key}") for key, array in arrays.items()}
        return {"kind": "final_layer", "arrays": names, "description": description}

    def module(self, module, path, default=None):
        """A torch module: its weights, and how to build it."""
        training = [name for name, part in module.named_modules() if part.training]
        built = _networks.describe(
            module, lambda module: self._name(module, f"the torch module of {path}"), default
        )
        state = self._state(module, path)
        return {"kind": "module", "build": built, "state": state, "training": training}

    def _state(self, module, path):
        try:
            state = _networks.state_of(module)
        except ValueError as error:
            raise ValueError(f"{path} cannot be stored: {error}") from error
        return {key: self.put(array, f"{path}/{key}") for key, array in state.items()}

    def _network_class(self, cls, path):
        if cls.__module__ == "sklearn_flipad.detectors.networks":
            return {"kind": "network_class", "class": cls.__name__}
        name = self._name(cls, f"the class of {path}")
        return {"kind": "object", "name": name, "is_class": True}

    def _sklearn(self, estimator, path):
        try:
            content = _skops.to_bytes(estimator)
        except ValueError as error:
            raise ValueError(f"{path} cannot be stored: {error}") from error
        array = self.put(np.frombuffer(content, np.uint8), path)
        return {"kind": "sklearn", "class": _skops.full_name(estimator), "array": array}

    def _name(self, thing, what):
        """The name under which the user is asked for an object.

        Modules of one class share it where their weights have the same shapes.
        """
        signature = id(thing)
        if isinstance(thing, nn.Module):
            signature = repr([(k, tuple(v.shape)) for k, v in thing.state_dict().items()])
        path = name = _networks.import_path(thing)
        number = 1
        while self._signatures.setdefault(name, signature) != signature:
            number += 1
            name = f"{path}#{number}"
        self.needs.setdefault(name, {"what": what, "write": _networks.how_to_write(thing)})
        return name


@dataclasses.dataclass(frozen=True)
class _Done:
    """A value that is JSON already."""

    node: dict


def _is_search(value):
    return isinstance(value, BaseSearchCV)
