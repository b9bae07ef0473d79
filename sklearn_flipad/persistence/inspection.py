"""What a file says of an attributor, of which nothing is built."""

import hashlib
from dataclasses import dataclass

from sklearn_flipad.final_layer import FinalLayer
from sklearn_flipad.persistence._protocol import INVALID, read_description, reason
from sklearn_flipad.storage.files import printable

__all__ = ["AttributorDescription", "ModelDescription", "inspect_attributor"]

#: The ``make_*`` function of each first step.
_METHODS = {
    "FinalLayerInverter": "flipad",
    "RawTransformer": "rawpad",
    "DCTTransformer": "dctpad",
    "SpectrogramTransformer": "spectral",
    "PreactivationTransformer": "whitened",
    "ResidualTransformer": "residual",
    "FingerprintDetector": "smf",
    "ReconstructionDetector": "sminv",
    "CombinedDetector": "combined",
}
_SEVERAL = "OpenSetAttributor"


@dataclass(frozen=True)
class ModelDescription:
    """What a file says of the attributor of one of several models.

    Attributes
    ----------
    method, steps, parameters, fnr, n_calibration, reference_name, n_reference, sample_shape, \
window_shape, generators
        As in :class:`AttributorDescription`. Names of steps and parameters are those of this
        attributor, without the name of the model.
    """

    method: str
    steps: dict
    parameters: dict
    fnr: float
    n_calibration: int
    reference_name: str | None
    n_reference: int
    sample_shape: tuple | None
    window_shape: tuple | None
    generators: tuple


@dataclass(frozen=True)
class AttributorDescription:
    """What :func:`~sklearn_flipad.inspect_attributor` finds in a file.

    Attributes
    ----------
    path : str
        The file.
    sha256 : str
        SHA-256 of the file, as ``sha256sum`` prints it.
    n_bytes : int
        Its size.
    protocol : int
        Number of the format.
    versions : dict of str to str
        Of this library and of others that wrote it.
    method : str
        The ``make_*`` function that makes such an attributor, as "flipad"; "other" if there is
        none. Of several models "OpenSetAttributor".
    steps : dict of str to str
        Estimators by their names in ``set_params``, as ``{"invert": "FinalLayerInverter"}``.
    parameters : dict of str to object
        Their parameters, as ``{"invert__lam": 0.001}``: numbers, strings and lists as they are,
        and texts that name all else.
    fnr : float or None
        False-negative rate. None of several models, each of which has its own.
    n_calibration : int or None
        Number of own samples that calibrate it. None of several models.
    reference_name : str or None
        What the reference population is, if there is one.
    n_reference : int
        Number of its samples.
    sample_shape : tuple of int or None
        Shape of one sample, where the file says it and all have the same.
    window_shape : tuple of int or None
        Shape ``(channels, *sides)`` of the windows that samples of any size are cut into; None
        without windows.
    generators : tuple of str
        Import paths of the generators that it holds, as ``"package.module:Generator"``.
    needs : dict of str to str
        Code that :func:`~sklearn_flipad.load_attributor` asks for, and what it is.
    notes : dict
        What the writer noted.
    models : dict of str to ModelDescription
        The attributor of each model of an :class:`~sklearn_flipad.OpenSetAttributor`, by the name
        of the model; else empty.
    """

    path: str
    sha256: str
    n_bytes: int
    protocol: int
    versions: dict
    method: str
    steps: dict
    parameters: dict
    fnr: float | None
    n_calibration: int | None
    reference_name: str | None
    n_reference: int
    sample_shape: tuple | None
    window_shape: tuple | None
    generators: tuple
    needs: dict
    notes: dict
    models: dict


def inspect_attributor(path, *, max_bytes=2**33):
    """Describe a file of :func:`~sklearn_flipad.save_attributor` without building anything.

    The checksum and the arrays are checked as in :func:`~sklearn_flipad.load_attributor`. No
    code is needed that the file does not hold.

    Parameters
    ----------
    path : path-like
        File to read.
    max_bytes : int, default=2**33
        Largest file that is read.

    Returns
    -------
    AttributorDescription

    Raises
    ------
    ValueError
        If the file is damaged, incomplete, too large or none of an attributor, or was written by
        a later version.
    FileNotFoundError
        If there is none.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_flipad import inspect_attributor, make_whitened, save_attributor
    >>> X = np.random.default_rng(0).uniform(-0.5, 0.5, (200, 4))
    >>> attributor = make_whitened("tanh", fnr=0.1).fit(X, np.repeat([1, -1], 100))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_attributor(attributor, f"{folder}/model.flipad", notes={"owner": "studio"})
    ...     found = inspect_attributor(f"{folder}/model.flipad")
    >>> found.method, found.n_calibration, found.sample_shape, found.notes
    ('whitened', 20, (4,), {'owner': 'studio'})
    """
    arrays, description, content = read_description(path, max_bytes)
    try:
        found = _described(description, arrays)
    except INVALID as error:
        raise ValueError(f"{printable(path)} cannot be read: {reason(error)}.") from error
    digest = hashlib.sha256(content).hexdigest()
    return AttributorDescription(printable(path), digest, len(content), **found)


def _described(description, arrays):
    """The attributes, but for those of the file."""
    tree = description["attributor"]
    nodes = dict(_shared(tree))
    models = {}
    if tree["class"] == _SEVERAL:
        parts = _Description(arrays, nodes).parts(tree)
        models = {name: ModelDescription(**found) for name, found in parts}
        found = _of_all(_Description(arrays, nodes).outline(tree), models.values())
    else:
        found = _Description(arrays, nodes).of(tree)
    return {
        "protocol": int(description["protocol"]),
        "versions": {printable(k): printable(v) for k, v in description["versions"].items()},
        **found,
        "needs": {printable(k): printable(v["what"]) for k, v in description["needs"].items()},
        "notes": _printable(dict(description.get("notes", {}))),
        "models": models,
    }


def _of_all(outline, models):
    """What is said of several models together."""
    # All are given the same suspects.
    shapes = {model.sample_shape for model in models}
    windows = {model.window_shape for model in models}
    return {
        **outline,
        "method": _SEVERAL,
        "fnr": None,
        "n_calibration": None,
        "reference_name": None,
        "n_reference": 0,
        "sample_shape": shapes.pop() if len(shapes) == 1 else None,
        "window_shape": windows.pop() if len(windows) == 1 else None,
        "generators": tuple(dict.fromkeys(name for model in models for name in model.generators)),
    }


def _shared(node):
    """Pairs of number and node, of the nodes that others may refer to."""
    if isinstance(node, dict):
        if "id" in node and node.get("kind") != "same":
            yield node["id"], node
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _shared(part)


class _Description:
    """Walks through what :class:`Writer` wrote."""

    def __init__(self, arrays, nodes):
        self.arrays, self.nodes = arrays, nodes
        self.steps, self.parameters, self.generators = {}, {}, {}
        self._texts = {}

    def outline(self, tree):
        """Steps and parameters."""
        self._walk(tree, "")
        return {"steps": self.steps, "parameters": self.parameters}

    def of(self, tree):
        """What is said of the attributor of one model."""
        outline = self.outline(tree)
        calibrator = self._last(tree)
        first, window_shape = self._first(tree), None
        if first["class"] == "WindowedDetector":
            window_shape = tuple(int(side) for side in first["fitted"]["window_shape_"]["items"])
            first = self._first(first["fitted"]["estimator_"])
        fitted = calibrator["fitted"]
        reference = fitted.get("reference_name_")
        return {
            **outline,
            "method": _METHODS.get(first["class"], "other"),
            "fnr": float(calibrator["params"]["fnr"]),
            "n_calibration": self._size(fitted["calibration_scores_"]),
            "reference_name": None if reference is None else printable(reference),
            "n_reference": 0 if reference is None else self._size(fitted["reference_scores_"]),
            "sample_shape": None if window_shape else self._sample_shape(first),
            "window_shape": window_shape,
            "generators": tuple(self.generators),
        }

    def parts(self, tree):
        """Names of several models, and what is said of the attributor of each."""
        fitted = tree["fitted"]
        for name, part in zip(fitted["models_"]["items"], fitted["estimators_"], strict=True):
            part = self._resolved(part)
            while part["class"] == "FrozenEstimator":
                part = self._resolved(part["params"]["estimator"])
            yield printable(name), _Description(self.arrays, self.nodes).of(part)

    def _resolved(self, node):
        """A node, where it stands elsewhere that one."""
        is_same = isinstance(node, dict) and node.get("kind") == "same"
        return self.nodes[node["id"]] if is_same else node

    def _last(self, node):
        """The calibrator."""
        node = self._resolved(node)
        return self._last(node["params"]["steps"][-1]["items"][1]) if _has_steps(node) else node

    def _first(self, node):
        """The estimator that samples come to."""
        node = self._resolved(node)
        if _has_steps(node):
            return self._first(node["params"]["steps"][0]["items"][1])
        if node["class"] in ("FNRThresholdCalibrator", "FrozenEstimator"):
            return self._first(node["fitted"].get("estimator_", node["params"]["estimator"]))
        return node

    def _sample_shape(self, node):
        """The shape of the samples of an estimator."""
        fitted, params = node.get("fitted", {}), node.get("params", {})
        for place in (fitted.get("_sample_shape"), fitted.get("_image_shape")):
            if place is not None:
                return tuple(int(side) for side in place["items"])
        if (layer := self._resolved(params.get("final_layer"))) is not None:
            return tuple(int(side) for side in layer["description"]["output_shape"])
        if "estimators_" in fitted:
            return self._sample_shape(self._first(fitted["estimators_"][0]))
        if "n_features_in_" in fitted:
            return (int(fitted["n_features_in_"]),)
        return None

    def _size(self, node):
        return len(self.arrays[node["array"]])

    def _walk(self, node, prefix):
        """Collect an estimator's parameters, and those of the estimators in it."""
        for name, value in node.get("params", {}).items():
            name = prefix + printable(name)
            parts = _named_parts(value) if name.endswith(("steps", "estimators")) else None
            if parts is not None:
                for part, estimator in parts:
                    self._estimator(estimator, prefix + printable(part))
            elif _is_estimator(self._resolved(value)):
                self._estimator(value, name)
            else:
                self.parameters[name] = self._shown(value)
                if name.endswith(("generator", "autoencoder")):
                    self.generators[self.parameters[name]] = None

    def _estimator(self, node, name):
        node = self._resolved(node)
        if not _is_estimator(node):
            self.steps[name] = str(self._shown(node))
            return
        self.steps[name] = self._shown(node)
        self._walk(node, f"{name}__")

    def _shown(self, node):
        """A value, or a text that names it."""
        if isinstance(node, list):
            return [self._shown(item) for item in node]
        if not isinstance(node, dict):
            return _printable(node)
        text = self._text(node)
        if "id" in node and node["kind"] != "same":
            self._texts[node["id"]] = text
        return text

    def _text(self, node):
        match node:
            case {"kind": "same", "id": number}:
                return (
                    self._texts[number]
                    if number in self._texts
                    else self._shown(self.nodes[number])
                )
            case {"kind": "tuple", "items": list(items)}:
                return [self._shown(item) for item in items]
            case {"kind": "dict", "items": dict(items)}:
                return {printable(key): self._shown(item) for key, item in items.items()}
            case {"kind": "float", "value": str(value)}:
                return printable(value)
            case {"kind": "array" | "scalar", "array": name}:
                array = self.arrays[name]
                return array[()].item() if array.ndim == 0 else f"array of shape {array.shape}"
            case {"kind": "value" | "splitter", "class": str(name), "items": dict(items)}:
                arguments = (f"{key}={self._shown(item)}" for key, item in items.items())
                return printable(f"{name}({', '.join(arguments)})")
            case {"kind": "final_layer", "arrays": dict(names), "description": layer}:
                arrays = {key: self.arrays[name] for key, name in names.items()}
                return printable(FinalLayer.summarize_parts(arrays, layer))
            case {"kind": "module", "build": build}:
                return self._module(build)
            case {"kind": "object", "name": str(name)}:
                return printable(name)
            case {"class": str(name)}:
                return printable(name)
        return printable(str(node["kind"]))

    @staticmethod
    def _module(build):
        if "zoo" in build:
            return printable(f"sklearn_flipad.zoo:{build['zoo']}")
        return printable(str(build.get("object", "a network of the library")))


def _is_estimator(node):
    return isinstance(node, dict) and node.get("kind") == "estimator"


def _named_parts(value):
    """Steps of a pipeline, or named estimators; None for anything else."""
    if not isinstance(value, list):
        return None
    parts = [item["items"] for item in value if isinstance(item, dict) and "items" in item]
    return parts if len(parts) == len(value) else None


def _has_steps(node):
    return "steps" in node.get("params", {})


def _printable(value):
    """JSON values whose texts any terminal takes."""
    if isinstance(value, dict):
        return {printable(key): _printable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_printable(part) for part in value]
    return printable(value) if isinstance(value, str) else value
