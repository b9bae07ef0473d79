"""What the ``make_*`` functions have in common.

The steps before the last treat each sample alone. What is fitted to samples, the scaler
and the detector, is inside the calibrator: the samples that calibrate the threshold must
be as new to it as suspects will be, or the false-negative rate does not hold.
"""

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags

from sklearn_flipad.calibration import FNRThresholdCalibrator
from sklearn_flipad.detectors import DeepSADDetector, ExternalDetector
from sklearn_flipad.pipelines.attribution import AttributionPipeline

__all__ = ["assemble", "prepared", "scaled"]


def prepared(detector, device, random_state, verbose):
    """The default detector, or a copy of a given one that is seeded and takes any samples."""
    if detector is None:
        return DeepSADDetector(device=device, random_state=random_state, verbose=verbose)
    detector = clone(detector)
    if random_state is not None and hasattr(detector, "get_params"):
        unset = [
            name
            for name, value in sorted(detector.get_params().items())
            if value is None and name.rpartition("__")[2] == "random_state"
        ]
        rng = check_random_state(random_state)
        detector.set_params(**{name: int(rng.randint(2**31 - 1)) for name in unset})
    if isinstance(detector, Pipeline | FrozenEstimator) or _takes_images(detector):
        return detector
    return ExternalDetector(detector)


def _takes_images(detector):
    """Whether a detector takes samples of any shape and scores them."""
    try:
        return get_tags(detector).input_tags.three_d_array and hasattr(detector, "score_samples")
    except (AttributeError, TypeError):  # PyOD's detectors have no tags
        return False


def scaled(scaler, default, detector):
    """A detector behind a copy of a scaler, or the default one; fitted together."""
    scaler = default if scaler is None else clone(scaler, safe=False)
    return Pipeline([("scale", scaler), ("detector", detector)])


def assemble(features, detector, *, memory=None, **calibration):
    """Features in front of the calibrated detector."""
    calibrator = FNRThresholdCalibrator(detector, **calibration)
    return AttributionPipeline([*features, ("detect", calibrator)], memory=memory)
