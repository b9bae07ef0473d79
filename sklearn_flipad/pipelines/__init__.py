"""The paper's attributors, and others, as plain scikit-learn pipelines."""

from sklearn_flipad.pipelines._assembly import assemble, calibrated
from sklearn_flipad.pipelines.attribution import AttributionPipeline
from sklearn_flipad.pipelines.baselines import make_posterior, make_smf, make_sminv
from sklearn_flipad.pipelines.combined import make_combined
from sklearn_flipad.pipelines.detection import (
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_spectral,
    make_whitened,
)
from sklearn_flipad.pipelines.methods import METHODS, Method, TargetModel, method_of
from sklearn_flipad.pipelines.reproduction import make_reproduction
from sklearn_flipad.pipelines.residual import make_residual
from sklearn_flipad.pipelines.seeded import make_seeded

__all__ = [
    "METHODS",
    "AttributionPipeline",
    "Method",
    "TargetModel",
    "assemble",
    "calibrated",
    "make_combined",
    "make_dctpad",
    "make_flipad",
    "make_posterior",
    "make_rawpad",
    "make_reproduction",
    "make_residual",
    "make_seeded",
    "make_smf",
    "make_sminv",
    "make_spectral",
    "make_whitened",
    "method_of",
]
