"""Descriptions of files of attributors, of which nothing is built."""

import hashlib
from dataclasses import dataclass

from sklearn_flipad.persistence._protocol import naming, read_description
from sklearn_flipad.persistence._view import View, as_printable
from sklearn_flipad.pipelines import method_of
from sklearn_flipad.storage.files import printable

__all__ = ["AttributorDescription", "ModelDescription", "inspect_attributor"]

_SEVERAL = "OpenSetAttributor"


@dataclass(frozen=True)
class ModelDescription:
    """Description of the attributor of one of several models in a file.

    Attributes
    ----------
    method, steps, parameters, fnr, n_calibration, reference_name, n_reference, lr, strata, \
sample_shape, window_shape, generators
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
    lr: str | None
    strata: dict
    sample_shape: tuple | None
    window_shape: tuple | None
    generators: tuple


@dataclass(frozen=True)
class AttributorDescription:
    """Description of an attributor in a file, from :func:`~sklearn_flipad.inspect_attributor`.

    Attributes
    ----------
    path : str
        The file.
    sha256 : str
        SHA-256 of the file, as ``sha256sum`` prints it.
    n_bytes : int
        Size of the file.
    protocol : int
        Number of the format.
    versions : dict of str to str
        Versions of this library and of others that wrote the file.
    method : str
        Name of the ``make_*`` function that makes such an attributor, as "flipad"; "other" if
        there is none; "OpenSetAttributor" for several models.
    steps : dict of str to str
        Classes of the estimators, by their names in ``set_params``, as
        ``{"invert": "FinalLayerInverter"}``.
    parameters : dict of str to object
        Parameters of the estimators, as ``{"invert__lam": 0.001}``: numbers, strings and lists
        as they are, and texts that name all else.
    fnr : float or None
        False-negative rate; None for several models, each of which has its own.
    n_calibration : int or None
        Number of the model's samples that calibrate the threshold; None for several models.
    reference_name : str or None
        Name of the reference population, if there is one.
    n_reference : int
        Number of samples of the reference population.
    lr : str or None
        How likelihood ratios are made, as "LRSystem(calibrator=LogisticLR(C=1.0), ...)"; None if
        they are not.
    strata : dict of str to str
        Name of the calibrated group of each stratum; empty without strata.
    sample_shape : tuple of int or None
        Shape of one sample, if the file tells it and all samples have the same.
    window_shape : tuple of int or None
        Shape ``(channels, *sides)`` of the windows that samples of any size are cut into; None
        without windows.
    generators : tuple of str
        Import paths of the generators in the file, as ``"package.module:Generator"``.
    needs : dict of str to str
        Code that :func:`~sklearn_flipad.load_attributor` asks for, by name, and what it is.
    notes : dict
        Notes that were passed to :func:`~sklearn_flipad.save_attributor`.
    models : dict of str to ModelDescription
        Descriptions of the attributors of an :class:`~sklearn_flipad.OpenSetAttributor`, by the
        name of the model; else empty.
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
    lr: str | None
    strata: dict
    sample_shape: tuple | None
    window_shape: tuple | None
    generators: tuple
    needs: dict
    notes: dict
    models: dict


def inspect_attributor(path, *, max_bytes=2**33):
    """Describe an attributor in a file without loading it.

    The file is checked as in :func:`~sklearn_flipad.load_attributor`. Nothing in it is built, so
    that no code from elsewhere is needed.

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
        If the file is damaged, incomplete, too large or of another kind, or was written by a
        later version.
    FileNotFoundError
        If there is no such file.

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
    with naming(path, "read"):
        found = _described(arrays, description)
    digest = hashlib.sha256(content).hexdigest()
    return AttributorDescription(printable(path), digest, len(content), **found)


def _described(arrays, description):
    """Values of an AttributorDescription, except those of the file."""
    tree = description["attributor"]
    view, models = View(arrays, tree), {}
    if tree["class"] == _SEVERAL:
        parts = _models(view, tree)
        models = {printable(name): ModelDescription(**_model(view, node)) for name, node in parts}
        found = _several(view, tree, models.values())
    else:
        found = _model(view, tree)
    return {
        "protocol": int(description["protocol"]),
        "versions": {printable(k): printable(v) for k, v in description["versions"].items()},
        **found,
        "needs": {printable(k): printable(v["what"]) for k, v in description["needs"].items()},
        "notes": as_printable(dict(description.get("notes", {}))),
        "models": models,
    }


def _model(view, tree):
    """Values of a ModelDescription."""
    steps, parameters, generators = view.outline(tree)
    calibrator = _last(view, tree)
    first, window_shape = _first(view, tree), None
    if first["class"] == "WindowedDetector":
        window_shape = tuple(int(side) for side in first["fitted"]["window_shape_"]["items"])
        first = _first(view, first["fitted"]["estimator_"])
    fitted = calibrator["fitted"]
    reference = fitted.get("reference_name_")
    method = method_of(first["class"])
    return {
        "method": "other" if method is None else method.name,
        "steps": steps,
        "parameters": parameters,
        "fnr": float(fitted["fnr_"]),
        "n_calibration": _size(view, fitted["calibration_scores_"]),
        "reference_name": None if reference is None else printable(reference),
        "n_reference": 0 if reference is None else _size(view, fitted["reference_scores_"]),
        "lr": view.show(fitted["lr_"]) if "lr_" in fitted else None,
        "strata": view.show(fitted["strata_"]) if "strata_" in fitted else {},
        "sample_shape": None if window_shape else _sample_shape(view, first),
        "window_shape": window_shape,
        "generators": generators,
    }


def _several(view, tree, models):
    """The same values for several models together."""
    steps, parameters, _ = view.outline(tree)
    # All are given the same suspects.
    shapes = {model.sample_shape for model in models}
    windows = {model.window_shape for model in models}
    return {
        "method": _SEVERAL,
        "steps": steps,
        "parameters": parameters,
        "fnr": None,
        "n_calibration": None,
        "reference_name": None,
        "n_reference": 0,
        "lr": None,
        "strata": {},
        "sample_shape": shapes.pop() if len(shapes) == 1 else None,
        "window_shape": windows.pop() if len(windows) == 1 else None,
        "generators": tuple(dict.fromkeys(name for model in models for name in model.generators)),
    }


def _models(view, tree):
    """Yield names of models, and the nodes of their attributors."""
    fitted = tree["fitted"]
    for name, node in zip(fitted["models_"]["items"], fitted["estimators_"], strict=True):
        node = view.node(node)
        while node["class"] == "FrozenEstimator":
            node = view.node(node["params"]["estimator"])
        yield name, node


def _last(view, node):
    """The node of the calibrator."""
    node = view.node(node)
    return _last(view, node["params"]["steps"][-1]["items"][1]) if _has_steps(node) else node


def _first(view, node):
    """The node of the estimator that samples come to."""
    node = view.node(node)
    if _has_steps(node):
        return _first(view, node["params"]["steps"][0]["items"][1])
    if node["class"] in ("FNRThresholdCalibrator", "FrozenEstimator"):
        return _first(view, node["fitted"].get("estimator_", node["params"]["estimator"]))
    return node


def _has_steps(node):
    return "steps" in node.get("params", {})


def _sample_shape(view, node):
    """The shape of the samples of an estimator; None if the node does not tell it."""
    fitted, params = node.get("fitted", {}), node.get("params", {})
    for place in (fitted.get("_sample_shape"), fitted.get("_image_shape")):
        if place is not None:
            return tuple(int(side) for side in place["items"])
    if (layer := view.node(params.get("final_layer"))) is not None:
        return tuple(int(side) for side in layer["description"]["output_shape"])
    if "estimators_" in fitted:
        return _sample_shape(view, _first(view, fitted["estimators_"][0]))
    if "n_features_in_" in fitted:
        return (int(fitted["n_features_in_"]),)
    return None


def _size(view, node):
    return len(view.arrays[node["array"]])
