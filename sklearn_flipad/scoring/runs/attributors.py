"""An attributor as it is given, and what it is worth in another process."""

import os
from typing import Any, NamedTuple

from sklearn_flipad.scoring.columns import check_attributor
from sklearn_flipad.scoring.runs.fingerprint import fingerprint
from sklearn_flipad.storage.files import file_digest

__all__ = ["Source", "load_checked", "source_of"]


class Source(NamedTuple):
    """Where an attributor comes from.

    Attributes
    ----------
    given : estimator or str
        The attributor itself, or the path of one.
    digest : str
        Of the estimator, or of the file.
    levels : dict of str to float
        ``fnr`` and ``fpr``, where they are not to be those of the estimator.
    """

    given: Any
    digest: str
    levels: dict


def source_of(attributor, fnr=None, fpr=None):
    """Describe an attributor that is given as an object or as a path.

    Parameters
    ----------
    attributor : estimator or path-like
        What the user passed.
    fnr, fpr : float, default=None
        Levels of the verdicts; those of the attributor by default.

    Returns
    -------
    Source

    Raises
    ------
    TypeError, ValueError, NotFittedError, OSError
        If it is no fitted attributor, or cannot be loaded.
    """
    levels = {name: level for name, level in (("fnr", fnr), ("fpr", fpr)) if level is not None}
    if isinstance(attributor, str | os.PathLike):
        path = os.path.abspath(attributor)
        return Source(path, file_digest(path), levels)
    check_attributor(attributor, levels)
    return Source(attributor, fingerprint(attributor), levels)


def load_checked(source):
    """The attributor itself.

    Parameters
    ----------
    source : Source
        See :func:`source_of`.

    Returns
    -------
    estimator

    Raises
    ------
    RuntimeError
        If the file is another one than when the run began.
    TypeError, ValueError, NotFittedError, OSError
        If it cannot be loaded, or is no attributor.
    """
    if not isinstance(source.given, str):
        return source.given
    from sklearn_flipad.persistence.attributors import load_attributor

    attributor = load_attributor(source.given)
    if file_digest(source.given) != source.digest:
        raise RuntimeError(
            f"{source.given} is another file here than where the run began, or was changed since. "
            "All processes must find the same attributor: copy it, and run again."
        )
    check_attributor(attributor, source.levels)
    return attributor
