"""Estimators of the library, and those of scikit-learn that hold others."""

from sklearn.model_selection._search import BaseSearchCV

from sklearn_flipad.base.stored import Stored
from sklearn_flipad.persistence.kinds.classes import (
    ESTIMATORS,
    constructor_arguments,
    import_class,
    name_of,
)
from sklearn_flipad.persistence.kinds.deep_sad import DeepSAD
from sklearn_flipad.persistence.kinds.kind import Kind, refusing
from sklearn_flipad.persistence.kinds.reproduction import Search, Seeds
from sklearn_flipad.persistence.kinds.special import Denoisers, Residuals, Searches, Special

__all__ = ["KINDS"]

_SPECIAL = {
    "CombinedDetector": Searches(),
    "DeepSADDetector": DeepSAD(),
    "DenoiserTransformer": Denoisers(),
    "OpenSetAttributor": Searches(),
    "ReproductionDetector": Search(),
    "ResidualTransformer": Residuals(),
    "SMInvDetector": Search(),
    "SeedDetector": Seeds(),
}
_PLAIN = Special()
#: Parameters of a machine or a session, which are not stored.
_LOCAL = {"cache_dir", "checkpoint", "device", "memory", "verbose"}
#: Attributes that mean nothing outside of a process or in fit alone, and one of every estimator.
_TRANSIENT = {"_metadata_request", "_sklearn_version"}
_OF_ALL = ("_sklearn_output_config",)


def _holds(value, path):
    return name_of(ESTIMATORS, value) is not None or isinstance(value, BaseSearchCV)


def _take_apart(estimator, path, writer):
    name = name_of(ESTIMATORS, estimator)
    if name is None or hasattr(estimator, "best_estimator_"):
        raise ValueError(
            f"{path} cannot be stored: of searches, only a GridSearchCV that is a part of a "
            "CombinedDetector or an OpenSetAttributor is. Put what it found, its "
            "best_estimator_, in its place"
        )
    params = estimator.get_params(deep=False)
    others = set(vars(estimator)) - set(params) - _TRANSIENT
    fitted = {key: value for key, value in vars(estimator).items() if key in others}
    unknown, missing = _odd(type(estimator), fitted)
    if unknown:
        raise ValueError(
            f"{path} cannot be stored: it has attributes {', '.join(unknown)} that a {name} "
            "does not have by itself. Remove them with delattr before saving"
        )
    if missing:
        raise ValueError(
            f"{path} cannot be stored: it is fitted in part only, without {missing[0]}. Fit it"
        )
    special = _SPECIAL.get(name, _PLAIN)
    with refusing(path):
        params, fitted = special.to_store(estimator, params, fitted)
    probe = special.probe(estimator)
    probes = {} if probe is None else {"probe": writer.value(probe, f"{path}/probe")}
    params = {key: value for key, value in params.items() if key not in _LOCAL}
    return {
        "class": name,
        **probes,
        "params": writer.named(params, path),
        "fitted": writer.named(fitted, path),
    }


def _put_together(node, reader):
    name = node["class"]
    cls = import_class(ESTIMATORS, name)
    special = _SPECIAL.get(name, _PLAIN)
    accepted = set(constructor_arguments(cls))
    params = reader.named(node["params"])
    _check_known(name, set(params) - accepted | set(params) & _LOCAL)
    estimator = cls(**params)
    if reader.device is not None and "device" in accepted:
        estimator.device = reader.device
    if hasattr(cls, "_parameter_constraints"):
        estimator._validate_params()
    fitted = reader.named(node["fitted"])
    unknown, missing = _odd(cls, fitted)
    _check_known(name, unknown)
    if missing:
        raise ValueError(f"{name} is without {', '.join(sorted(missing))}")
    vars(estimator).update(fitted)
    special.complete(estimator)
    if "probe" in node:
        special.check(estimator, reader.value(node["probe"]))
    return estimator


def _odd(cls, fitted):
    """Attributes that a class does not declare, and those that a fitted instance lacks."""
    stored = getattr(cls, "_stored", Stored())
    unknown = sorted(set(fitted) - {*stored.fitted, *stored.optional, *_OF_ALL})
    missing = [key for key in stored.fitted if key not in fitted]
    return unknown, missing if len(missing) < len(stored.fitted) else []


def _check_known(name, unknown):
    if unknown:
        raise ValueError(
            f"nothing is known of {', '.join(sorted(unknown))[:200]} of {name}. The file was "
            "written by another version of the library"
        )


KINDS = (Kind("estimator", _holds, _take_apart, _put_together),)
