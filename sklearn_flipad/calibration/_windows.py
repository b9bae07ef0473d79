"""Numbers of windows for which a calibration holds."""

import warnings

import numpy as np
from scipy.stats import fisher_exact

from sklearn_flipad.base.estimators import window_counts

__all__ = ["check_windows", "warn_of_sizes", "window_range"]

#: Level of the test whether samples of few windows are missed more or less often than others.
_LEVEL = 0.05

#: By attribute of a calibrator: the samples, and the rate that holds only within their range.
_RANGES = {
    "calibration_windows_": ("the own samples that calibrate", "the false-negative rate"),
    "reference_windows_": ("the samples of the reference population", "the false-positive rate"),
}


def window_range(counts):
    """Smallest and largest number of windows, shape (2,); None without windows."""
    return None if counts is None else np.array([counts.min(), counts.max()])


def warn_of_sizes(counts, missed):
    """Warn if own samples of few windows are `missed` more or less often than those of many."""
    if counts is None or counts.min() == counts.max():
        return
    # The larger half would be empty where most samples have the largest number.
    most = min(np.median(counts), np.unique(counts)[-2])
    few = counts <= most
    table = [[int(missed[rows].sum()), int((~missed[rows]).sum())] for rows in (few, ~few)]
    if fisher_exact(table).pvalue < _LEVEL:
        (of_few, *_), (of_many, *_) = table
        warnings.warn(
            "The false-negative rate depends on the size of a sample: of the own samples that "
            f"calibrate, {of_few} of {few.sum()} with up to {int(most)} windows are beyond the "
            f"threshold, and {of_many} of {(~few).sum()} with more. Only its average is the one "
            "that was chosen. Fit one attributor per size, with own samples of that size.",
            stacklevel=3,
        )


def check_windows(calibrator, X):
    """Warn of samples with more or fewer windows than those that the calibrator was fitted to.

    The mean over many windows varies less than that over few, so they need other thresholds.
    """
    ranges = {name: getattr(calibrator, name, None) for name in _RANGES}
    if all(found is None for found in ranges.values()):
        return
    counts = window_counts(calibrator.estimator_, X)
    for name, found in ranges.items():
        if found is None:
            continue
        low, high = found
        odd = (counts < low) | (counts > high)
        if odd.any():
            whose, what = _RANGES[name]
            first = int(odd.argmax())
            warnings.warn(
                f"{odd.sum()} of {len(counts)} samples have more or fewer windows than {whose} "
                f"({low} to {high}); the first is sample {first}, with {counts[first]}. For them "
                f"{what} is not the one that was chosen: calibrate with samples of their size, or "
                "set max_windows, so that all have the same number.",
                UserWarning,
                stacklevel=4,
            )
