"""What the ``make_*`` functions have in common.

The steps before the last treat each sample alone. What is fitted to samples, the scaler
and the detector, is inside the calibrator: the samples that calibrate the threshold must
be as new to it as suspects will be, or the false-negative rate does not hold.
"""

from inspect import signature

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags

from sklearn_flipad.calibration import FNRThresholdCalibrator
from sklearn_flipad.detectors import DeepSADDetector, ExternalDetector, WindowedDetector
from sklearn_flipad.pipelines.attribution import AttributionPipeline

__all__ = ["assemble", "prepared", "scaled", "window_parameters"]


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


def window_parameters(windows):
    """Parameters of a WindowedDetector, from a size or a dict of them; None without windows."""
    if windows is None:
        return None
    windows = windows if isinstance(windows, dict) else {"size": windows}
    if "size" not in windows:
        raise ValueError("windows must have a 'size', which is None for whole samples.")
    known = set(signature(WindowedDetector).parameters) - {"estimator"}
    unknown = sorted(set(windows) - known)
    if unknown:
        raise ValueError(
            f"windows has {', '.join(map(repr, unknown))}, no parameter of WindowedDetector, which "
            f"are {', '.join(sorted(known))}."
        )
    return windows


def scaled(scaler, default, detector):
    """A detector behind a copy of a scaler, or the default one; fitted together."""
    scaler = default if scaler is None else clone(scaler, safe=False)
    return Pipeline([("scale", scaler), ("detector", detector)])


def assemble(features, detector, *, memory=None, windows=None, **calibration):
    """Features in front of the calibrated detector, or in it, where they are of windows."""
    if windows is not None:
        inside = Pipeline([*features, *detector.steps], memory=memory)
        features, memory = [], None
        detector = WindowedDetector(inside, **windows)
    calibrator = FNRThresholdCalibrator(detector, **calibration)
    return AttributionPipeline([*features, ("detect", calibrator)], memory=memory)
