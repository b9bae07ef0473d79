"""The work of ``flipad validate``."""

import os
from dataclasses import asdict

from sklearn_flipad.cli.score import inspected, loaded, notes_of, score_paths
from sklearn_flipad.report import write_validation
from sklearn_flipad.storage.files import printable

__all__ = ["validate_paths"]


def validate_paths(
    attributor, paths, labels, out, run, *, table, model, overwrite, code, **options
):
    """Score files of known origin and write a validation; JSON values of the results."""
    for path in (out, table):
        if path is not None and os.path.lexists(path) and not overwrite:
            raise FileExistsError(f"{printable(path)} exists: choose another, or pass --overwrite.")
    table = table or out.with_suffix(".csv")
    score_paths(attributor, paths, table, run, code=code, resume=not overwrite, **options)
    found = inspected(attributor)
    run.step(f"writing {out}")
    result = write_validation(
        table,
        loaded(attributor, found.needs, code),
        labels,
        out,
        notes=notes_of(found, code),
        overwrite=overwrite,
        **({} if model is None else {"model": model}),
    )
    for finding in result.findings:
        run.warn(finding)
    return {**asdict(result), "table": str(table)}
