"""Strata of files, of ``flipad fit --strata``."""

from sklearn_flipad.calibration import FileStrata
from sklearn_flipad.cli.options import numbers

__all__ = ["check_levels", "sizes_of_strata", "strata_of_files"]


def strata_of_files(options):
    """The strata of files, None without --strata."""
    if options.strata is None:
        return None
    return FileStrata(qualities=numbers(options.strata, int, "--strata"))


def check_levels(calibrator, options):
    """Raise ValueError if there are too few negatives of a stratum for --fpr."""
    if options.rule == "quantile" or not hasattr(calibrator, "reference_strata_"):
        return
    needed = calibrator.rule_.min_size(options.fpr)
    found = {
        group: len(calibrator.in_stratum(stratum).reference_scores_)
        for stratum, group in calibrator.strata_.items()
    }
    few = [f"{group!r} has {n}" for group, n in found.items() if n < needed]
    if few:
        raise ValueError(
            f"--fpr {options.fpr:g} needs {needed} held-out negatives of each stratum, and "
            f"{', '.join(few)}. Provide more (--negatives), raise --fpr, or choose fewer ranges "
            "in --strata."
        )


def sizes_of_strata(calibrator):
    """Numbers of calibration samples by group of strata, empty without strata."""
    return {
        group: len(calibrator.in_stratum(stratum).calibration_scores_)
        for stratum, group in getattr(calibrator, "strata_", {}).items()
    }
