"""The commands, their arguments and what they print."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import sklearn_flipad
from sklearn_flipad.cli._session import NOTHING_SCORED, session
from sklearn_flipad.scoring.runs.formats import counted

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Did this generator make these files? fit an attributor, score files, report, inspect.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no file could be scored, 130 "
    "interrupted. Messages go to standard error, results to standard output.",
)

#: Set by the options before the command.
_state = {"traceback": False}


class Method(StrEnum):
    """What decides."""

    FLIPAD = "flipad"
    WHITENED = "whitened"
    REPRODUCTION = "reproduction"
    RAWPAD = "rawpad"
    DCTPAD = "dctpad"
    SPECTRAL = "spectral"
    RESIDUAL = "residual"
    SMF = "smf"
    SMINV = "sminv"


class Rule(StrEnum):
    """How thresholds are placed."""

    CONFORMAL = "conformal"
    PAC = "pac"
    QUANTILE = "quantile"


class Network(StrEnum):
    """The detector's network."""

    MLP = "mlp"
    LENET = "lenet"


class Bits(StrEnum):
    """Bits of a sample of a WAV file."""

    EIGHT = "8"
    SIXTEEN = "16"
    TWENTY_FOUR = "24"
    THIRTY_TWO = "32"
    FLOAT = "float"


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no steps and no progress.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file, if there is one.")]
Model = Annotated[
    str | None, typer.Option(help="What the report calls the generator, as 'our face generator'.")
]
Code = Annotated[
    list[str] | None,
    typer.Option(
        help="Code that the attributor needs and does not hold, as package.module:Generator; "
        "'flipad inspect' lists it. Of several, as NAME=package.module:Generator.",
    ),
]


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
def fit(
    generator: Annotated[
        str,
        typer.Argument(
            help="The generator: where its class or a function that returns it is, as "
            "package.module:Generator or model.py:Generator; or the name of a shipped one, as "
            "fashion/dcgan-0.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The attributor to write.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="Weights: .safetensors, or .pt, .pth and others of tensors alone."),
    ] = None,
    weights_key: Annotated[
        str | None, typer.Option(help="Which of several state dicts in the file.")
    ] = None,
    arguments: Annotated[
        str | None, typer.Option(help="Keyword arguments of the generator's class, as JSON.")
    ] = None,
    latent_shape: Annotated[
        str | None,
        typer.Option(help="Shape of one normal latent, as 100,1,1. By default found if it can be."),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="Other inputs: a function of (n, rng) that returns them, as package.module:draw."
        ),
    ] = None,
    output_range: Annotated[
        str | None,
        typer.Option(help="Values of black and white, as 0,1. By default found if they can be."),
    ] = None,
    method: Annotated[Method, typer.Option(help="What decides.")] = Method.FLIPAD,
    samples: Annotated[
        int | None, typer.Option(min=2, help="Own samples that are drawn. Depends on the method.")
    ] = None,
    own: Annotated[
        list[Path] | None,
        typer.Option(help="Files or folders of own samples, in place of drawing them."),
    ] = None,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(help="Files or folders of other samples, such as real images."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="What the negatives are, as 'camera photographs'.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Resize and crop image files to this side.")
    ] = None,
    windows: Annotated[
        int | None,
        typer.Option(min=1, help="For files of any size: the side of windows that are judged."),
    ] = None,
    jpeg: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="For suspects that are JPEG files: the quality."),
    ] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Samples a second, of sounds.")] = None,
    bits: Annotated[Bits, typer.Option(help="Bits of a sample, of sounds.")] = Bits.SIXTEEN,
    fnr: Annotated[
        float, typer.Option(help="False-negative rate: own samples that may be called 'not own'.")
    ] = 0.005,
    fpr: Annotated[
        float,
        typer.Option(
            help="Samples like the negatives that may be called 'own'. Here it is checked whether "
            "there are enough negatives for it; it is set when scoring."
        ),
    ] = 0.05,
    rule: Annotated[Rule, typer.Option(help="How thresholds are placed.")] = Rule.CONFORMAL,
    network: Annotated[Network, typer.Option(help="Network of the detector.")] = Network.MLP,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the detector.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    device: Annotated[str | None, typer.Option(help="Where to compute, as cuda.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
):
    """Make an attributor of a generator and write it to a file."""
    with session(as_json, quiet, traceback=_state["traceback"]) as run:
        from sklearn_flipad.cli._fit import fit_attributor
        from sklearn_flipad.cli._methods import Request

        request = Request(
            generator=generator,
            out=out,
            weights=weights,
            weights_key=weights_key,
            arguments=arguments,
            latent_shape=_numbers(latent_shape, int, "--latent-shape"),
            sampler=sampler,
            output_range=_numbers(output_range, float, "--output-range"),
            method=method.value,
            samples=samples,
            own=own or (),
            negatives=negatives or (),
            reference=reference,
            size=size,
            jpeg=jpeg,
            rate=rate,
            bits=0 if bits is Bits.FLOAT else int(bits.value),
            fnr=fnr,
            fpr=fpr,
            rule=rule.value,
            network=network.value,
            epochs=epochs,
            seed=seed,
            device=device,
            overwrite=overwrite,
            windows=windows,
        )
        found = fit_attributor(request, run)
        rows = [
            ("attributor", found["out"]),
            ("SHA-256", found["sha256"]),
            ("method", found["method"]),
            ("own samples", f"{found['n_own']:,}, of which {found['n_calibration']:,} calibrate"),
            ("negatives", _negatives(found)),
            ("next", found["next"]),
        ]
        run.finish(found, rows)


@app.command()
def score(
    attributor: Annotated[Path, typer.Argument(help="What 'flipad fit' wrote.")],
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of suspects.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table: .csv, .jsonl or .parquet.")],
    report: Annotated[Path | None, typer.Option(help="Also write a report, an .html file.")] = None,
    model: Model = None,
    fnr: Annotated[
        float | None, typer.Option(help="Level of 'not own'; the attributor's by default.")
    ] = None,
    fpr: Annotated[float | None, typer.Option(help="Level of 'own'; 0.05 by default.")] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Resize and crop image files to this side.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(min=1, help="Samples a second, of sounds; as in fit by default.")
    ] = None,
    n_jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1: all cores.")] = 1,
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
        from sklearn_flipad.cli._score import score_paths

        if report is not None:
            _check_report(report)
        elif model is not None:
            raise ValueError("--model is what the report says: pass --report.")
        found = score_paths(
            attributor,
            paths,
            out,
            run,
            fnr=fnr,
            fpr=fpr,
            size=size,
            rate=rate,
            n_jobs=n_jobs,
            resume=not restart,
            code=code or (),
        )
        if report is not None:
            found["report"] = _write_report(
                out, attributor, report, code, run, overwrite=True, model=model
            )
        run.finish(found, _verdicts(found))
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
    model: Model = None,
    overwrite: Overwrite = False,
    code: Code = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
):
    """Write a report of a table of verdicts, one page that can be printed."""
    with session(as_json, quiet, traceback=_state["traceback"]) as run:
        _check_report(out)
        found = _write_report(
            verdicts, attributor, out, code, run, overwrite=overwrite, title=title, model=model
        )
        run.finish({"report": found}, [("report", found)])


@app.command()
def inspect(
    attributor: Annotated[Path, typer.Argument(help="What 'flipad fit' wrote.")],
    as_json: AsJson = False,
):
    """Say what an attributor is, without loading it or any code."""
    with session(as_json, traceback=_state["traceback"]) as run:
        from sklearn_flipad import inspect_attributor

        found = inspect_attributor(attributor)
        rows = [
            ("file", found.path),
            ("SHA-256", found.sha256),
            ("size", f"{found.n_bytes:,} bytes, protocol {found.protocol}"),
            ("method", found.method),
            ("sample shape", _shape(found)),
            *_calibration(found),
            ("generator", ", ".join(found.generators) or "not in the file"),
            ("needs", ", ".join(found.needs) or "nothing"),
            ("versions", ", ".join(f"{name} {v}" for name, v in found.versions.items())),
            *((f"note: {name}", value) for name, value in found.notes.items()),
            *((f"step: {name}", value) for name, value in found.steps.items()),
            *found.parameters.items(),
        ]
        run.finish(asdict(found), rows)


def _shape(found):
    """The shape of samples, or of their windows."""
    if found.window_shape is not None:
        return f"any, in windows of {'x'.join(map(str, found.window_shape))}"
    return "x".join(map(str, found.sample_shape or ())) or "unknown"


def _verdicts(found):
    """Rows of counts."""
    counts = found["verdicts"]
    rows = [("own", counts["own"]), ("not own", counts["not own"])]
    if found["reference"] is None:
        rows.append(("undecided", counts["undecided"]))
    else:
        neither = found["n_rejected"] - counts["not own"]
        rows.append(("undecided: fits neither", neither))
        rows.append(("undecided: fits both", counts["undecided"] - neither))
    rows.append(("could not be scored", found["n_files"] - found["n_scored"]))
    rows = [(name, f"{n:,}") for name, n in rows]
    rows += [("formats", counted(found["formats"])), ("table", found["out"])]
    return rows + [(name, found[name]) for name in ("report",) if name in found]


def _calibration(found):
    """Rows that say what the attributor, or that of each model, was calibrated on."""
    if not found.models:
        rate = f"{found.fnr:g}, {found.n_calibration:,} calibration samples"
        return [("false-negative rate", rate), ("reference", _reference(found))]
    return [
        (
            f"model: {name}",
            f"{model.method}, false-negative rate {model.fnr:g}, "
            f"{model.n_calibration:,} calibration samples",
        )
        for name, model in found.models.items()
    ]


def _reference(found):
    if found.reference_name is None:
        return "none, so that nothing is called 'own'"
    return f"{found.reference_name}, {found.n_reference:,} samples"


def _negatives(found):
    if not found["n_negatives"]:
        return "none, so that nothing is called 'own'"
    return f"{found['n_negatives']:,}, of which {found['n_reference']:,} are the reference"


def _numbers(text, kind, option):
    """Numbers between commas."""
    if text is None:
        return None
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"{option} must be numbers with commas between them, got {text!r}."
        ) from None


def _check_report(out):
    """Refuse what cannot be written, before files are scored."""
    if out.suffix != ".html":
        raise ValueError(f"A report must end in .html, got {out.name!r}.")
    from sklearn_flipad.base.optional import import_report_tools

    import_report_tools()


def _write_report(verdicts, attributor, out, code, run, **options):
    from sklearn_flipad.cli._score import inspected, loaded, notes_of
    from sklearn_flipad.report import write_report

    found, code = inspected(attributor), code or ()
    attributor = loaded(attributor, found.needs, code)
    run.step(f"writing {out}")
    options = {name: value for name, value in options.items() if value is not None}
    return str(write_report(verdicts, attributor, out, notes=notes_of(found, code), **options))
