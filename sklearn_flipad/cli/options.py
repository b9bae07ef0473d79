"""The arguments of the commands, written once."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated

import typer

from sklearn_flipad.calibration.likelihood_ratios import LR_CALIBRATORS
from sklearn_flipad.calibration.rules import RULES
from sklearn_flipad.evaluation.random_processing import PRESETS
from sklearn_flipad.pipelines.methods import METHODS

__all__ = [
    "COMMAND_METHODS",
    "FILES",
    "AsJson",
    "Code",
    "Evaluative",
    "FitOptions",
    "Fnr",
    "Fpr",
    "Jobs",
    "Model",
    "Overwrite",
    "Quiet",
    "Rate",
    "Size",
    "Stability",
    "numbers",
    "with_options",
    "without_layer",
]

#: Methods that ``fit`` offers.
COMMAND_METHODS = [name for name, method in METHODS.items() if method.arguments is not None]
#: In place of a preset of RandomProcessing, the formats that FileFormat draws.
FILES = "files"
#: Bits of a sample of a WAV file.
_BITS = ("8", "16", "24", "32", "float")
#: Ways to round to them, see quantize_audio.
_ROUNDINGS = ("nearest", "truncate")


def without_layer():
    """Names of the methods that need neither the final layer nor the activation after it."""
    needs = ("activation", "final layer")
    return [name for name in COMMAND_METHODS if METHODS[name].needs not in needs]


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no steps and no progress.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file, if there is one.")]
Evaluative = Annotated[
    bool,
    typer.Option(
        "--evaluative",
        help="Propositions and likelihood ratios in place of verdicts, as courts ask for; for "
        "attributors that were fitted with --lr.",
    ),
]
Size = Annotated[int | None, typer.Option(min=1, help="Resize and crop image files to this side.")]
Rate = Annotated[
    int | None, typer.Option(min=1, help="Samples a second, of sounds; as in fit by default.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1: all cores.")]
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


def _choice(name, values, help, *, optional=False):
    """Annotation of an option that is one of some texts, as an enumeration of them."""
    kind = StrEnum(name, list(zip(values, values, strict=True)))
    return Annotated[kind | None if optional else kind, typer.Option(help=help)]


@dataclass(frozen=True)
class FitOptions:
    """The arguments of ``flipad fit``."""

    generator: Annotated[
        str,
        typer.Argument(
            help="The generator: where its class or a function that returns it is, as "
            "package.module:Generator or model.py:Generator; or the name of a shipped one, as "
            "fashion/dcgan-0.",
        ),
    ]
    out: Annotated[Path, typer.Option("--out", "-o", help="The attributor to write.")]
    weights: Annotated[
        Path | None,
        typer.Option(help="Weights: .safetensors, or .pt, .pth and others of tensors alone."),
    ] = None
    weights_key: Annotated[
        str | None, typer.Option(help="Which of several state dicts in the file.")
    ] = None
    arguments: Annotated[
        str | None, typer.Option(help="Keyword arguments of the generator's class, as JSON.")
    ] = None
    latent_shape: Annotated[
        str | None,
        typer.Option(help="Shape of one normal latent, as 100,1,1. By default found if it can be."),
    ] = None
    sampler: Annotated[
        str | None,
        typer.Option(
            help="Other inputs: a function of (n, rng) that returns them, as package.module:draw."
        ),
    ] = None
    output_range: Annotated[
        str | None,
        typer.Option(help="Values of black and white, as 0,1. By default found if they can be."),
    ] = None
    method: _choice("Method", COMMAND_METHODS, "What decides.") = "flipad"
    samples: Annotated[
        int | None, typer.Option(min=2, help="Own samples that are drawn. Depends on the method.")
    ] = None
    own: Annotated[
        list[Path] | None,
        typer.Option(help="Files or folders of own samples, in place of drawing them."),
    ] = None
    negatives: Annotated[
        list[Path] | None,
        typer.Option(help="Files or folders of other samples, such as real images."),
    ] = None
    reference: Annotated[
        str | None, typer.Option(help="What the negatives are, as 'camera photographs'.")
    ] = None
    seeds: Annotated[
        str | None,
        typer.Option(help="For --method seeded: candidates START:STOP, as 0:1000000."),
    ] = None
    log: Annotated[
        Path | None,
        typer.Option(
            help="For --method seeded: a table of requests, .csv or .parquet, with the column seed "
            "and settings: steps, size, and what else the model is called with."
        ),
    ] = None
    settings: Annotated[
        str | None,
        typer.Option(
            help="Columns of --log that are settings, as steps,class_labels, or '' for none; by "
            "default all but seed."
        ),
    ] = None
    size: Size = None
    windows: Annotated[
        int | None,
        typer.Option(min=1, help="For files of any size: the side of windows that are judged."),
    ] = None
    jpeg: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="For suspects that are JPEG files: the quality."),
    ] = None
    processing: _choice(
        "Processing",
        (*PRESETS, FILES),
        "For suspects that were processed in ways that nobody knows: own samples and negatives are "
        "processed at random, as there. With reproduction, files of any size are judged. "
        f"'{FILES}' stands for JPEG and lossless files of what is not processed otherwise, and for "
        "seeded for the format of each suspect's own file.",
        optional=True,
    ) = None
    strata: Annotated[
        str | None,
        typer.Option(
            help="Hold --fnr for each format and range of JPEG quality: the qualities at which the "
            "next range begins, as 70,80,90. Other files are refused when scoring."
        ),
    ] = None
    rate: Annotated[int | None, typer.Option(min=1, help="Samples a second, of sounds.")] = None
    bits: _choice("Bits", _BITS, "Bits of a sample, of sounds.") = "16"
    rounding: _choice(
        "Rounding",
        _ROUNDINGS,
        "How sounds are rounded to --bits; truncate for programs that drop the fraction, as "
        "astype('int16') does.",
    ) = "nearest"
    fnr: Annotated[
        float | None,
        typer.Option(
            help="False-negative rate: own samples that may be called 'not own'. By default 0.005; "
            "0.05 with --processing of reproduction and seeded, since some searches of own samples "
            "fail."
        ),
    ] = None
    fpr: Annotated[
        float,
        typer.Option(
            help="Samples like the negatives that may be called 'own'. Here it is checked whether "
            "there are enough negatives for it; it is set when scoring."
        ),
    ] = 0.05
    rule: _choice("Rule", RULES, "How thresholds are placed.") = "conformal"
    lr: _choice(
        "LR",
        LR_CALIBRATORS,
        "Also give likelihood ratios of the generator against the negatives, by this calibrator.",
        optional=True,
    ) = None
    network: _choice("Network", ("mlp", "lenet"), "Network of the detector.") = "mlp"
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the detector.")] = 20
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0
    device: Annotated[str | None, typer.Option(help="Where to compute, as cuda.")] = None
    overwrite: Overwrite = False


#: Of the commands that judge files.
Stability = Annotated[
    bool,
    typer.Option(
        "--stability",
        help="Say which verdicts flip if an image is compressed or resized a little; for the "
        "files of a table that lacks it, of those that the report shows.",
    ),
]
#: Levels of the commands that score.
Fnr = Annotated[float | None, typer.Option(help="Level of 'not own'; the attributor's by default.")]
Fpr = Annotated[float | None, typer.Option(help=f"Level of 'own'; {FitOptions.fpr:g} by default.")]


def with_options(options: type) -> Callable:
    """Decorator: a command that takes the fields of a dataclass, and further parameters."""

    def decorate(function):
        first, *others = _parameters(function)

        @wraps(function)
        def command(**values):
            taken = {field.name: _plain(values.pop(field.name)) for field in fields(options)}
            return function(**{first.name: options(**taken)}, **values)

        ours = [
            Parameter(
                field.name,
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if field.default is MISSING else field.default,
                annotation=field.type,
            )
            for field in fields(options)
        ]
        command.__signature__ = Signature([*ours, *others])
        return command

    return decorate


def _plain(value):
    """The text of an enumeration's member; anything else as it is."""
    return value.value if isinstance(value, StrEnum) else value


def _parameters(function):
    parameters = Signature.from_callable(function).parameters.values()
    first, *others = parameters
    return [first, *(part.replace(kind=Parameter.KEYWORD_ONLY) for part in others)]


def numbers(text, kind, option):
    """Numbers between commas as a tuple; None for None."""
    if text is None:
        return None
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"{option} must be numbers with commas between them, got {text!r}."
        ) from None
