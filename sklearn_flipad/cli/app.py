"""The commands, their arguments and what they print."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import sklearn_flipad
from sklearn_flipad.base.optional import import_report_tools
from sklearn_flipad.cli.options import (
    AsJson,
    Code,
    Evaluative,
    FitOptions,
    Fnr,
    Fpr,
    Jobs,
    Model,
    Overwrite,
    Quiet,
    Rate,
    Size,
    Stability,
    with_options,
)
from sklearn_flipad.cli.rows import fit_rows, inspection_rows, score_rows, validation_rows
from sklearn_flipad.cli.session import NOTHING_SCORED, session

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Did this generator make these files? fit an attributor, validate it, score "
    "files, report, inspect.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no file could be scored, 130 "
    "interrupted. Messages go to standard error, results to standard output.",
)

#: Set by the options before the command.
_state = {"traceback": False}


def _print_version(value):
    if value:
        print(sklearn_flipad.__version__)
        raise typer.Exit


@app.callback()
def options(
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error comes from.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
):
    """Options of all commands."""
    _state["traceback"] = traceback


@app.command()
@with_options(FitOptions)
def fit(options: FitOptions, as_json: AsJson = False, quiet: Quiet = False):
    """Make an attributor of a generator and write it to a file."""
    with session(as_json, quiet, traceback=_state["traceback"]) as run:
        from sklearn_flipad.cli.fit import fit_attributor

        found = fit_attributor(options, run)
        run.finish(found, fit_rows(found))


@app.command()
def score(
    attributor: Annotated[Path, typer.Argument(help="What 'flipad fit' wrote.")],
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of suspects.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table: .csv, .jsonl or .parquet.")],
    report: Annotated[Path | None, typer.Option(help="Also write a report, an .html file.")] = None,
    evaluative: Evaluative = False,
    model: Model = None,
    fnr: Fnr = None,
    fpr: Fpr = None,
    size: Size = None,
    rate: Rate = None,
    stability: Stability = False,
    n_jobs: Jobs = 1,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard an unfinished run, or replace a table.")
    ] = False,
    code: Code = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
):
    """Decide for each file, and write a table of verdicts.

    The same command completes a run that was interrupted.
    """
    with session(as_json, quiet, traceback=_state["traceback"]) as run:
        from sklearn_flipad.cli.score import inspected, score_paths

        if report is not None:
            _check_report(report)
            if evaluative and inspected(attributor).lr is None:
                raise ValueError(
                    "--evaluative states likelihood ratios, and this attributor has none: fit it "
                    "with --lr logistic and --negatives."
                )
        elif model is not None or evaluative:
            option = "--evaluative" if model is None else "--model"
            raise ValueError(f"{option} applies to the report: pass --report.")
        found = score_paths(
            attributor,
            paths,
            out,
            run,
            fnr=fnr,
            fpr=fpr,
            size=size,
            rate=rate,
            stability=stability,
            n_jobs=n_jobs,
            resume=not restart,
            code=code or (),
        )
        if report is not None:
            options = {"model": model, "evaluative": evaluative, "overwrite": True}
            found["report"] = _write_report(out, attributor, report, code, run, **options)
        run.finish(found, score_rows(found))
        if not found["n_scored"]:
            raise typer.Exit(NOTHING_SCORED)


@app.command()
def report(
    verdicts: Annotated[Path, typer.Argument(help="The table that 'flipad score' wrote.")],
    attributor: Annotated[
        Path, typer.Option("--attributor", "-a", help="The attributor that it is of.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The report: .html.")],
    title: Annotated[str | None, typer.Option(help="Its title.")] = None,
    evaluative: Evaluative = False,
    model: Model = None,
    stability: Stability = False,
    overwrite: Overwrite = False,
    code: Code = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
):
    """Write a report of a table of verdicts, one page that can be printed."""
    with session(as_json, quiet, traceback=_state["traceback"]) as run:
        _check_report(out)
        options = {"title": title, "model": model, "evaluative": evaluative}
        options |= {"stability": stability, "overwrite": overwrite}
        found = _write_report(verdicts, attributor, out, code, run, **options)
        run.finish({"report": found}, [("report", found)])


@app.command()
def validate(
    attributor: Annotated[Path, typer.Argument(help="What 'flipad fit' wrote.")],
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of known origin.")],
    labels: Annotated[
        Path,
        typer.Option(
            help="CSV file with the columns path and label, own or other; source and stratum if "
            "results are wanted by them."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The validation: .html.")],
    table: Annotated[
        Path | None,
        typer.Option(help="The table of verdicts; by default NAME.verdicts.csv beside --out."),
    ] = None,
    model: Model = None,
    fnr: Fnr = None,
    fpr: Fpr = None,
    size: Size = None,
    rate: Rate = None,
    n_jobs: Jobs = 1,
    overwrite: Overwrite = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard an unfinished table, or replace one.")
    ] = False,
    code: Code = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
):
    """Measure error rates on files of known origin that were not used before."""
    with session(as_json, quiet, traceback=_state["traceback"]) as run:
        from sklearn_flipad.cli.validate import validate_paths

        _check_report(out)
        found = validate_paths(
            attributor,
            paths,
            labels,
            out,
            run,
            table=table,
            model=model,
            overwrite=overwrite,
            fnr=fnr,
            fpr=fpr,
            size=size,
            rate=rate,
            n_jobs=n_jobs,
            resume=not restart,
            code=code or (),
        )
        run.finish(found, validation_rows(found))


@app.command()
def inspect(
    attributor: Annotated[Path, typer.Argument(help="What 'flipad fit' wrote.")],
    as_json: AsJson = False,
):
    """Say what an attributor is, without loading it or any code."""
    with session(as_json, traceback=_state["traceback"]) as run:
        from sklearn_flipad import inspect_attributor

        found = inspect_attributor(attributor)
        run.finish(asdict(found), inspection_rows(found))


def _check_report(out):
    """Refuse what cannot be written, before files are scored."""
    if out.suffix != ".html":
        raise ValueError(f"A report must end in .html, got {out.name!r}.")
    import_report_tools()


def _write_report(verdicts, attributor, out, code, run, **options):
    from sklearn_flipad.cli.score import inspected, loaded, notes_of
    from sklearn_flipad.report import write_report

    found, code = inspected(attributor), code or ()
    attributor = loaded(attributor, found.needs, code)
    run.step(f"writing {out}")
    options = {name: value for name, value in options.items() if value is not None}
    options["verbose"] = run.verbose
    return str(write_report(verdicts, attributor, out, notes=notes_of(found, code), **options))
