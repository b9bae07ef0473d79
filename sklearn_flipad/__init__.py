"""Did this generative model make this sample? Single-model attribution in the open world."""

from sklearn_flipad.base.threads import wait_passively

wait_passively()  # before torch is loaded

# ruff: noqa: E402
from sklearn_flipad.base.version import __version__ as __version__
from sklearn_flipad.calibration import Evidence, FNRThresholdCalibrator, OpenSetAttributor
from sklearn_flipad.detectors import CombinedDetector, DeepSADDetector, FingerprintDetector
from sklearn_flipad.features import (
    ChannelSelector,
    DCTTransformer,
    DenoiserTransformer,
    FinalLayerInverter,
    InlierScaler,
    InlierWhitener,
    InversionResult,
    PreactivationTransformer,
    RawTransformer,
    ResidualTransformer,
    SpectrogramTransformer,
)
from sklearn_flipad.final_layer import FinalLayer
from sklearn_flipad.generators import OutputActivation
from sklearn_flipad.persistence.attributors import load_attributor, save_attributor
from sklearn_flipad.persistence.inspection import (
    AttributorDescription,
    ModelDescription,
    inspect_attributor,
)
from sklearn_flipad.pipelines import (
    AttributionPipeline,
    make_combined,
    make_dctpad,
    make_flipad,
    make_posterior,
    make_rawpad,
    make_reproduction,
    make_residual,
    make_seeded,
    make_smf,
    make_sminv,
    make_spectral,
    make_whitened,
)
from sklearn_flipad.reproduction import (
    LatentEncoder,
    ReconstructionResult,
    ReproductionDetector,
    SeedDetector,
    SMInvDetector,
)

__all__ = [
    "AttributionPipeline",
    "AttributorDescription",
    "ChannelSelector",
    "CombinedDetector",
    "DCTTransformer",
    "DeepSADDetector",
    "DenoiserTransformer",
    "Evidence",
    "FNRThresholdCalibrator",
    "FinalLayer",
    "FinalLayerInverter",
    "FingerprintDetector",
    "InlierScaler",
    "InlierWhitener",
    "InversionResult",
    "LatentEncoder",
    "ModelDescription",
    "OpenSetAttributor",
    "OutputActivation",
    "PreactivationTransformer",
    "RawTransformer",
    "ReconstructionResult",
    "ReproductionDetector",
    "ResidualTransformer",
    "SMInvDetector",
    "SeedDetector",
    "SpectrogramTransformer",
    "inspect_attributor",
    "load_attributor",
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
    "save_attributor",
]
