"""Assembly of attributors.

The steps before the last treat each sample alone. The scaler and the detector, which are fitted to
samples, are inside the calibrator: the samples that calibrate the threshold must be as new to them
as suspects will be, or the false-negative rate does not hold.
"""

from inspect import signature

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags

from sklearn_flipad.calibration import FNRThresholdCalibrator
from sklearn_flipad.detectors import DeepSADDetector, ExternalDetector, WindowedDetector
from sklearn_flipad.pipelines.attribution import AttributionPipeline

__all__ = ["assemble", "calibrated", "window_parameters"]


def assemble(
    step,
    scaler,
    detector,
    *,
    windows,
    device,
    memory,
    random_state,
    verbose,
    defaults=None,
    **calibration,
):
    """Make an attributor of a transformer, a scaler and a detector, in windows if wanted.

    The scaler and the detector are inside the calibrator, whose samples are as new to them as
    suspects are. With windows, the transformer is, too: a sample is judged by its windows together.

    Parameters
    ----------
    step : tuple of str and transformer
        Name and transformer of the first step, which treats each sample alone.
    scaler : transformer
        What is fitted to features, before the detector.
    detector : estimator or None
        Outlier detector; None is :class:`~sklearn_flipad.DeepSADDetector` with `defaults`.
    windows : int, dict or None
        Size of the windows, or parameters of
        :class:`~sklearn_flipad.detectors.WindowedDetector`; None for whole samples.
    device
        Of DeepSAD, where it is the default.
    memory
        Of the pipeline, see :class:`sklearn.pipeline.Pipeline`.
    random_state : int or None
        Of the hold-out, and of parts of the detector that have none.
    verbose
        Of DeepSAD, where it is the default.
    defaults : dict, default=None
        Parameters of DeepSAD, where it is the default.
    **calibration
        Parameters of :class:`~sklearn_flipad.FNRThresholdCalibrator`.

    Returns
    -------
    AttributionPipeline
        Not fitted.

    Raises
    ------
    ValueError
        If `windows` has no size, or unknown parameters.
    """
    windows = window_parameters(windows)
    if detector is None:
        options = {"device": device, "random_state": random_state, "verbose": verbose}
        detector = DeepSADDetector(**options, **(defaults or {}))
    else:
        detector = _prepared(detector, random_state)
    fitted = [("scale", clone(scaler, safe=False)), ("detector", detector)]
    if windows is None:
        return calibrated(
            Pipeline(fitted), [step], memory=memory, random_state=random_state, **calibration
        )
    inside = Pipeline([step, *fitted], memory=memory)
    detector = WindowedDetector(inside, **windows)
    return calibrated(detector, random_state=random_state, **calibration)


def calibrated(detector, steps=(), *, memory=None, **calibration):
    """Make an attributor of a detector that takes samples, or what steps make of them.

    Parameters
    ----------
    detector : estimator
        Outlier detector, which is fitted inside the calibrator.
    steps : sequence of (str, transformer), default=()
        Names and transformers before it, which treat each sample alone.
    memory
        Of the pipeline, see :class:`sklearn.pipeline.Pipeline`.
    **calibration
        Parameters of :class:`~sklearn_flipad.FNRThresholdCalibrator`.

    Returns
    -------
    AttributionPipeline
        Not fitted; its last step is ``detect``.
    """
    calibrator = FNRThresholdCalibrator(detector, **calibration)
    return AttributionPipeline([*steps, ("detect", calibrator)], memory=memory)


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
            f"windows has {', '.join(map(repr, unknown))}, no parameter of WindowedDetector; its "
            f"parameters are {', '.join(sorted(known))}."
        )
    return windows


def _prepared(detector, random_state):
    """Copy of a detector that is seeded and takes samples of any shape."""
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
    """Return whether a detector takes samples of any shape and scores them."""
    try:
        return get_tags(detector).input_tags.three_d_array and hasattr(detector, "score_samples")
    except (AttributeError, TypeError):  # PyOD's detectors have no tags
        return False
