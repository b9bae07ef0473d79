"""The classes whose instances a file may hold, by name.

A class is stored by its parameters, as its constructor takes them, and by the attributes that
are listed here. An instance with any other attribute is refused, so that nothing is left out
without a word: an attribute that a class gains has to be added here.
"""

import inspect
from dataclasses import dataclass
from importlib import import_module

__all__ = [
    "ESTIMATORS",
    "LOCAL_PARAMETERS",
    "MAX_DEPTH",
    "SPLITTERS",
    "VALUES",
    "Stored",
    "constructor_arguments",
    "import_class",
    "name_of",
]


@dataclass(frozen=True)
class Stored:
    """Where a class is, and what its fitted instances have.

    Parameters
    ----------
    module : str
        The module that it is imported from.
    fitted : tuple of str
        Attributes that every fitted instance has; one that has none of them is not fitted.
    optional : tuple of str
        Attributes that an instance may have.
    """

    module: str
    fitted: tuple = ()
    optional: tuple = ()


#: What fit records of the samples, see :func:`~sklearn_flipad.base.samples.record_samples`.
_RECORDED = ("n_features_in_", "_saw_levels", "_saw_whole_numbers")
_NAMES = ("feature_names_in_",)
_WINDOWS = ("calibration_windows_", "reference_windows_")
_LAYOUT = ("_sample_shape", *_NAMES)
_STATELESS = (*_RECORDED, *_LAYOUT)


def _of_samples(module, *fitted, optional=()):
    return Stored(module, (*fitted, *_RECORDED), (*optional, *_LAYOUT))


_PERTURBATION = Stored("sklearn_flipad.evaluation.perturbations", optional=_STATELESS)

ESTIMATORS = {
    "Pipeline": Stored("sklearn.pipeline"),
    "FrozenEstimator": Stored("sklearn.frozen"),
    "GridSearchCV": Stored("sklearn.model_selection"),
    "AttributionPipeline": Stored("sklearn_flipad.pipelines"),
    "FNRThresholdCalibrator": Stored(
        "sklearn_flipad.calibration",
        ("estimator_", "calibration_scores_", "threshold_", "offset_", "classes_"),
        ("n_features_in_", "reference_scores_", "reference_name_", "_seen", *_WINDOWS, *_NAMES),
    ),
    "CombinedDetector": Stored(
        "sklearn_flipad.detectors",
        ("estimators_", "named_estimators_", "thresholds_", "scales_", "offset_"),
        ("n_features_in_", *_NAMES),
    ),
    "OpenSetAttributor": Stored(
        "sklearn_flipad.calibration",
        ("estimators_", "named_estimators_", "models_", "classes_"),
        ("n_features_in_", *_NAMES),
    ),
    "DeepSADDetector": _of_samples(
        "sklearn_flipad.detectors", "net_", "center_", "history_", "offset_", "_network_shape"
    ),
    "ExternalDetector": _of_samples("sklearn_flipad.detectors", "estimator_", "offset_"),
    "WindowedDetector": Stored("sklearn_flipad.detectors", ("estimator_", "window_shape_"), ()),
    "FingerprintDetector": _of_samples(
        "sklearn_flipad.detectors", "fingerprint_", "n_samples_seen_", "offset_", "_image_shape"
    ),
    "ReproductionDetector": Stored(
        "sklearn_flipad.reproduction",
        optional=("encoder_", "metric_", "bounds_", "offset_", *_STATELESS),
    ),
    "SMInvDetector": Stored("sklearn_flipad.reproduction", optional=("offset_", *_STATELESS)),
    "LatentEncoder": Stored(
        "sklearn_flipad.reproduction",
        (
            *("module_", "metric_", "history_", "_statistics", "_output_range"),
            *("sample_shape_", "latent_shape_", "n_conditions_", "processing_"),
        ),
    ),
    "FinalLayerInverter": Stored("sklearn_flipad.features", optional=_STATELESS),
    "PreactivationTransformer": Stored("sklearn_flipad.features", optional=_STATELESS),
    "DCTTransformer": Stored("sklearn_flipad.features", optional=("_n_features_out", *_STATELESS)),
    "RawTransformer": Stored("sklearn_flipad.features", optional=("_n_features_out", *_STATELESS)),
    "SpectrogramTransformer": Stored(
        "sklearn_flipad.features", optional=("_n_features_out", *_STATELESS)
    ),
    "ResidualTransformer": Stored(
        "sklearn_flipad.features", optional=("_n_features_out", *_STATELESS)
    ),
    "InlierScaler": _of_samples("sklearn_flipad.features", "mean_", "scale_"),
    "InlierWhitener": _of_samples(
        "sklearn_flipad.features",
        *("mean_", "variances_", "components_", "scale_", "block_size_", "n_inliers_"),
    ),
    "ChannelSelector": _of_samples("sklearn_flipad.features", "scores_", "_channel_shape"),
    "TablePreparer": Stored("sklearn_flipad.tabular", ("columns_", "n_features_in_", *_NAMES)),
    "CenterCropResize": _PERTURBATION,
    "Downscale": _PERTURBATION,
    "GaussianBlur": _PERTURBATION,
    "GaussianNoise": _PERTURBATION,
    "JPEGCompression": _PERTURBATION,
    "WebPCompression": _PERTURBATION,
}

#: Immutable dataclasses, stored by their fields.
VALUES = {
    "Conformal": Stored("sklearn_flipad.calibration"),
    "PAC": Stored("sklearn_flipad.calibration"),
    "Quantile": Stored("sklearn_flipad.calibration"),
    "OutputActivation": Stored("sklearn_flipad.generators"),
    "ColumnActivations": Stored("sklearn_flipad.final_layer"),
    "NumberColumn": Stored("sklearn_flipad.tabular._columns"),
    "DateColumn": Stored("sklearn_flipad.tabular._columns"),
    "CategoryColumn": Stored("sklearn_flipad.tabular._columns"),
    "SearchOptions": Stored("sklearn_flipad.reproduction"),
    "DouglasRachford": Stored("sklearn_flipad.solvers"),
    "FISTA": Stored("sklearn_flipad.solvers"),
}

#: Splitters, stored by the arguments of their constructors.
SPLITTERS = {
    name: Stored("sklearn.model_selection")
    for name in (
        *("GroupKFold", "GroupShuffleSplit", "KFold", "PredefinedSplit"),
        *("ShuffleSplit", "StratifiedKFold", "StratifiedShuffleSplit"),
    )
}

#: How deep values may lie in each other.
MAX_DEPTH = 100

#: Parameters of the machine and the session, which are not stored.
LOCAL_PARAMETERS = ("cache_dir", "checkpoint", "device", "memory", "verbose")


def import_class(table, name):
    """The class of a name in one of the tables; ValueError if there is none."""
    if name not in table:
        raise ValueError(f"{str(name)[:100]!r} is not a class that files may hold")
    return getattr(import_module(table[name].module), name)


def name_of(table, value):
    """The name of an object's class in a table; None for subclasses and all others."""
    cls = type(value)
    known = cls.__name__ in table and import_class(table, cls.__name__) is cls
    return cls.__name__ if known else None


def constructor_arguments(cls):
    """Names of the arguments of a constructor."""
    return [name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs")]
