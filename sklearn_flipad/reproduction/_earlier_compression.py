"""A warning of suspects that were compressed before their files were saved."""

import warnings

__all__ = ["warn_if_compressed_before"]


def warn_if_compressed_before(file_format, X, n, advice, stacklevel):
    """Warn if some of `n` samples, X, which know their files, were compressed more strongly before.

    In `advice`, the processing to name, ``{}`` stands for their quality.
    """
    qualities = [q for x in X if (q := file_format.earlier_quality(x)) is not None]
    if not qualities:
        return
    quality = qualities[0]
    warnings.warn(
        f"{len(qualities)} of {n} samples were compressed as JPEG before their files were saved, "
        f"one of them by quality {quality}, which the files do not tell: own samples are called "
        "foreign then. Judge them by an attributor whose processing= names each compression, as in "
        f"{advice.format(quality)}.",
        UserWarning,
        stacklevel=stacklevel,
    )
