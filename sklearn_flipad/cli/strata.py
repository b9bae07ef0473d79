"""Strata of files, of ``flipad fit --strata``."""

from sklearn_flipad.calibration import FileStrata
from sklearn_flipad.cli.options import numbers

__all__ = ["sizes_of_strata", "strata_of_files", "warn_of_levels"]


def strata_of_files(options):
    """The strata of files, None without --strata."""
    if options.strata is None:
        return None
    return FileStrata(qualities=numbers(options.strata, int, "--strata"))


def warn_of_levels(calibrator, options, run):
    """Warn if there are too few negatives of a stratum for --fpr."""
    if options.rule != "quantile" and hasattr(calibrator, "strata_"):
        try:
            calibrator.weigh([0.0], fpr=options.fpr, strata=list(calibrator.strata_)[:1])
        except ValueError as error:
            run.warn(str(error))


def sizes_of_strata(calibrator):
    """Numbers of calibration samples by group of strata, empty without strata."""
    return {
        group: len(calibrator.in_stratum(stratum).calibration_scores_)
        for stratum, group in getattr(calibrator, "strata_", {}).items()
    }
