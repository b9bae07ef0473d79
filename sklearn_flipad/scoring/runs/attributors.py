"""Attributors as picklable references for worker processes."""

import os
from typing import Any, NamedTuple

from sklearn_flipad.operators.links.kinds import LINK_KINDS
from sklearn_flipad.pipelines import METHODS
from sklearn_flipad.scoring.runs.columns import check_attributor
from sklearn_flipad.scoring.runs.fingerprint import fingerprint
from sklearn_flipad.storage.files import file_digest

__all__ = ["Source", "load_checked", "source_of"]


class Source(NamedTuple):
    """An attributor as it is given, in a form that worker processes can be sent.

    ``given`` is the estimator, or the absolute path of one; ``digest`` is that of the estimator
    or of the file; ``levels`` are the ``fnr`` and ``fpr`` that differ from the estimator's;
    ``stability`` says whether verdicts are tried on slightly changed files; ``methods`` and
    ``links`` are the rows that a user's program has registered, since workers do not run it.
    """

    given: Any
    digest: str
    levels: dict
    stability: bool
    methods: dict
    links: dict


def source_of(attributor, fnr=None, fpr=None, *, stability=False):
    """Source of an attributor that is given as an object or as a path.

    Raises the errors of :func:`~sklearn_flipad.scoring.runs.columns.check_attributor`.
    """
    levels = {name: level for name, level in (("fnr", fnr), ("fpr", fpr)) if level is not None}
    if isinstance(attributor, str | os.PathLike):
        path = os.path.abspath(attributor)
        return Source(path, file_digest(path), levels, stability, *_registered())
    check_attributor(attributor, levels)
    return Source(attributor, fingerprint(attributor), levels, stability, *_registered())


def _registered():
    """Methods and kinds of links that are not the package's own, two dicts by name."""
    methods = {name: row for name, row in METHODS.items() if not _is_own(row.estimator)}
    return methods, {name: row for name, row in LINK_KINDS.items() if not _is_own(row.build)}


def _is_own(code):
    return code.__module__.partition(".")[0] == "sklearn_flipad"


def load_checked(source):
    """The attributor itself, loaded and checked if the source is a path.

    RuntimeError if the file is another one than when the run began.
    """
    for table, rows in ((METHODS, source.methods), (LINK_KINDS, source.links)):
        for name, row in rows.items():
            table.setdefault(name, row)
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
