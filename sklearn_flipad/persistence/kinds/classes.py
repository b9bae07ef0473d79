"""The classes whose instances files may hold, and where each is imported from.

Nothing else that a file names is imported. An estimator of the library declares its fitted
attributes itself, as ``_stored``; so do the first estimators of methods, which are allowed too.
"""

import inspect
from importlib import import_module

from sklearn_flipad.pipelines import method_of

__all__ = [
    "ESTIMATORS",
    "SPLITTERS",
    "VALUES",
    "constructor_arguments",
    "import_class",
    "known_base",
    "name_of",
]

#: Stored by parameters and fitted attributes.
ESTIMATORS = {
    "Pipeline": "sklearn.pipeline",
    "FrozenEstimator": "sklearn.frozen",
    "GridSearchCV": "sklearn.model_selection",
    "AttributionPipeline": "sklearn_flipad.pipelines",
    "FNRThresholdCalibrator": "sklearn_flipad.calibration",
    "OpenSetAttributor": "sklearn_flipad.calibration",
    "DeepSADDetector": "sklearn_flipad.detectors",
    "ExternalDetector": "sklearn_flipad.detectors",
    "WindowedDetector": "sklearn_flipad.detectors",
    "LatentEncoder": "sklearn_flipad.reproduction",
    "ChannelSelector": "sklearn_flipad.features",
    "DenoiserTransformer": "sklearn_flipad.features",
    "InlierScaler": "sklearn_flipad.features",
    "InlierWhitener": "sklearn_flipad.features",
    "TablePreparer": "sklearn_flipad.tabular",
    "CenterCropResize": "sklearn_flipad.evaluation.perturbations",
    "Downscale": "sklearn_flipad.evaluation.perturbations",
    "GaussianBlur": "sklearn_flipad.evaluation.perturbations",
    "GaussianNoise": "sklearn_flipad.evaluation.perturbations",
    "JPEGCompression": "sklearn_flipad.evaluation.perturbations",
    "RandomProcessing": "sklearn_flipad.evaluation",
    "FileFormat": "sklearn_flipad.evaluation",
    "UnknownGeometry": "sklearn_flipad.evaluation",
    "UnknownProcessing": "sklearn_flipad.evaluation",
    "WebPCompression": "sklearn_flipad.evaluation.perturbations",
}

#: Immutable dataclasses, stored by their fields.
VALUES = {
    "Conformal": "sklearn_flipad.calibration",
    "PAC": "sklearn_flipad.calibration",
    "Quantile": "sklearn_flipad.calibration",
    "FileStrata": "sklearn_flipad.calibration",
    "LRSystem": "sklearn_flipad.calibration.likelihood_ratios",
    "LogisticLR": "sklearn_flipad.calibration.likelihood_ratios",
    "IsotonicLR": "sklearn_flipad.calibration.likelihood_ratios",
    "KernelDensityLR": "sklearn_flipad.calibration.likelihood_ratios",
    "GaussianLR": "sklearn_flipad.calibration.likelihood_ratios",
    "ELUB": "sklearn_flipad.calibration.likelihood_ratios",
    "CountBounds": "sklearn_flipad.calibration.likelihood_ratios",
    "OutputActivation": "sklearn_flipad.generators",
    "ColumnActivations": "sklearn_flipad.final_layer",
    "NumberColumn": "sklearn_flipad.tabular._columns",
    "DateColumn": "sklearn_flipad.tabular._columns",
    "CategoryColumn": "sklearn_flipad.tabular._columns",
    "SearchOptions": "sklearn_flipad.reproduction",
    "SeedCandidates": "sklearn_flipad.reproduction",
    "TorchNoise": "sklearn_flipad.generators",
    "DouglasRachford": "sklearn_flipad.solvers",
    "FISTA": "sklearn_flipad.solvers",
}

#: Splitters, stored by the arguments of their constructors.
SPLITTERS = {
    "GroupKFold": "sklearn.model_selection",
    "GroupShuffleSplit": "sklearn.model_selection",
    "KFold": "sklearn.model_selection",
    "PredefinedSplit": "sklearn.model_selection",
    "ShuffleSplit": "sklearn.model_selection",
    "StratifiedKFold": "sklearn.model_selection",
    "StratifiedShuffleSplit": "sklearn.model_selection",
}


def import_class(table, name):
    """The class of a name in one of the tables; ValueError if it is not there."""
    method = method_of(str(name)) if table is ESTIMATORS else None
    if method is not None and hasattr(method.estimator, "_stored"):
        return method.estimator
    if name not in table:
        raise ValueError(
            f"{str(name)[:100]!r} is not a class that files may hold. If a method of your own has "
            "it, import the module that registers the method first"
        )
    return getattr(import_module(table[name]), name)


def name_of(table, value):
    """The name in a table of exactly the class of a value; None if it is not there."""
    cls = type(value)
    return cls.__name__ if _is_known(table, cls) else None


def known_base(table, cls):
    """The name of the nearest base of a class that is in a table; None if there is none."""
    return next((base.__name__ for base in cls.__mro__[1:] if _is_known(table, base)), None)


def _is_known(table, cls):
    try:
        return import_class(table, cls.__name__) is cls
    except ValueError:
        return False


def constructor_arguments(cls):
    """Names of the arguments of a constructor."""
    return [name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs")]
