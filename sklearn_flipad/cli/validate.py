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
    table = table or out.with_name(f"{out.stem}.verdicts.csv")
    _check_files(attributor, labels, out, table, overwrite)
    score_paths(attributor, paths, table, run, code=code, **options)
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
    return {**asdict(result), "table": str(table), "reference": found.reference_name}


def _check_files(attributor, labels, out, table, overwrite):
    """Raise an error before files are scored if one would be replaced, or is missing."""
    if not labels.is_file():
        raise FileNotFoundError(f"--labels {printable(labels)}: there is no such file.")
    for option, path in (("--out", out), ("--table", table)):
        if path.resolve() in (attributor.resolve(), labels.resolve()):
            raise ValueError(f"{option} {printable(path)} would replace a file that is read.")
    if os.path.lexists(out) and not overwrite:
        raise FileExistsError(
            f"{printable(out)} exists: choose another --out, or pass --overwrite."
        )
