"""What ``flipad fit`` does."""

import os
import shlex
from pathlib import Path

from sklearn_flipad import inspect_attributor, save_attributor
from sklearn_flipad.cli._generators import latent_shape_of, load_generator
from sklearn_flipad.cli._imports import import_object
from sklearn_flipad.cli._methods import WINDOWED, check_sizes, fit
from sklearn_flipad.cli._samples import (
    compressed,
    default_n_samples,
    draw,
    make_decoder,
    read_samples_of,
    shape_of_own,
)
from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.scoring.runs.formats import LOSSY, counted, negatives_warning
from sklearn_flipad.storage.files import file_digest, printable

__all__ = ["fit_attributor"]


def fit_attributor(request, run):
    """Make an attributor, fit it and save it.

    Parameters
    ----------
    request : Request
        What is wanted.
    run : Session
        Is told what goes on.

    Returns
    -------
    dict
        JSON values.
    """
    _check_out(request)
    run.step(f"generator {request.generator}")
    generator = load_generator(
        request.generator,
        weights=request.weights,
        weights_key=request.weights_key,
        arguments=request.arguments,
    )
    if request.method == "residual":
        latents, shape = {}, shape_of_own(generator, request)
    else:
        latents = _latents(generator, request, run)
        shape = _sample_shape(generator, latents, request)
    request = request._replace(latents=latents, verbose=run.verbose)
    decoder = make_decoder(
        shape, size=request.size, rate=request.rate, any_size=request.windows is not None
    )
    if request.jpeg is not None and len(shape) != 3:
        raise ValueError("--jpeg is for images, and the generator makes signals.")
    negatives, of_negatives = _negatives(request, decoder, shape, run)
    own, n_own, of_own = _own(request, generator, decoder, shape, run)
    check_sizes(n_own, 0 if negatives is None else len(negatives), request)
    if negatives is None:
        run.warn(
            "Without --negatives there is no population to compare with, and nothing is called "
            "'own': verdicts are 'not own' or 'undecided'."
        )
    elif message := negatives_warning(of_own, of_negatives):
        run.warn(message)
    reference = None if negatives is None else request.reference or _name_of(request.negatives)
    run.step(f"fitting {request.method} to {n_own:,} samples of {'x'.join(map(str, shape))}")
    attributor, n_own = fit(generator, own, negatives, reference, request)
    calibrator = attributor["detect"]
    notes = {
        "generator": _shown(request.generator),
        "weights": None if request.weights is None else request.weights.name,
        "weights_sha256": None if request.weights is None else file_digest(request.weights),
        "own_samples": n_own,
        "own_samples_from": "files" if request.own else f"latents of seed {request.seed}",
        "own_formats": sorted(of_own),
        "negatives": 0 if negatives is None else len(negatives),
        "negative_formats": of_negatives,
        "rate": request.rate,
        "bits": request.bits if len(shape) == 2 and not request.own else None,
        "jpeg": request.jpeg,
        "size": request.size,
        "seed": request.seed,
    }
    notes = {name: value for name, value in notes.items() if value not in (None, {})}
    request.out.parent.mkdir(parents=True, exist_ok=True)
    save_attributor(attributor, request.out, notes=notes)
    return {
        "out": str(request.out),
        "sha256": file_digest(request.out),
        "method": request.method,
        "sample_shape": list(shape),
        "windows": request.windows,
        "n_own": n_own,
        "n_calibration": len(calibrator.calibration_scores_),
        "n_negatives": 0 if negatives is None else len(negatives),
        "n_reference": 0 if negatives is None else len(calibrator.reference_scores_),
        "reference": reference,
        "fnr": request.fnr,
        "notes": notes,
        "next": _next(request),
    }


def _check_out(request):
    if os.path.lexists(request.out) and not request.overwrite:
        raise FileExistsError(f"{request.out} exists: choose another --out, or pass --overwrite.")
    if request.windows is not None and request.method not in WINDOWED:
        raise ValueError(
            f"--windows is for {', '.join(WINDOWED)}: {request.method} takes files of the "
            "generator's size."
        )
    if request.own and request.jpeg:
        raise ValueError("--own are files as they are: leave out --jpeg, and save them as JPEG.")
    if request.own and request.samples:
        raise ValueError(
            "--samples is the number of samples that are drawn: leave it out with --own."
        )
    if request.reference and not request.negatives:
        raise ValueError("--reference says what the negatives are: pass --negatives.")
    if request.method == "residual":
        _check_residual(request)


def _check_residual(request):
    """What draws samples is not known; what reconstructs them is."""
    if not request.own:
        raise ValueError(
            "--method residual takes a module that maps samples to reconstructions, from which no "
            "samples can be drawn: pass --own, files of what the model made."
        )
    if request.latent_shape is not None or request.sampler is not None:
        raise ValueError(
            "--method residual runs on samples: leave out --latent-shape and --sampler."
        )
    if request.rate is None and request.output_range is None:
        raise ValueError(
            "--method residual needs --output-range, the values of black and white that the module "
            "takes and returns, as 0,1; or --rate, for sounds."
        )


def _latents(generator, request, run):
    """``latent_shape`` or ``sampler``, where the generator does not say them."""
    if request.sampler is not None:
        if request.latent_shape is not None:
            raise ValueError("Pass --latent-shape or --sampler, not both.")
        return {"sampler": import_object(request.sampler, "--sampler")}
    if request.latent_shape is not None:
        return {"latent_shape": request.latent_shape}
    shape = latent_shape_of(generator)
    if shape is None:
        return {}
    run.step(f"latents {'x'.join(map(str, shape))}, normal (from its first layer)")
    return {"latent_shape": shape}


def _sample_shape(generator, latents, request):
    """The shape of what the generator makes, if it can be run."""
    try:
        return sample(generator, 2, dtype="float32", random_state=0, **latents).shape[1:]
    except RuntimeError as error:  # what torch raises where shapes do not fit
        inputs = f"what {request.sampler} returns"
        if request.sampler is None:
            shape = latents.get("latent_shape", getattr(generator, "latent_shape", None))
            inputs = f"latents of shape {shape}"
        raise ValueError(
            f"{request.generator} fails with {inputs}: {error}. Pass the --latent-shape that it "
            "was trained with, or --sampler, where its inputs are not normal."
        ) from error


def _negatives(request, decoder, shape, run):
    """Negatives, compressed like own samples, and their formats."""
    if not request.negatives:
        return None, {}
    X, formats, lossy = read_samples_of(
        request.negatives, decoder, shape, "negatives", run, window=request.windows
    )
    run.step(f"negatives: {counted(formats)}")
    if request.jpeg is not None and not lossy.all():
        if isinstance(X, list):
            X = [
                x if done else compressed(x[None], request.jpeg)[0]
                for x, done in zip(X, lossy, strict=True)
            ]
        else:
            X = X.copy()
            X[~lossy] = compressed(X[~lossy], request.jpeg)
        kept = {name: n for name, n in formats.items() if name in LOSSY}
        formats = {**kept, "JPEG": kept.get("JPEG", 0) + int((~lossy).sum())}
    return X, formats


def _own(request, generator, decoder, shape, run):
    """What returns own samples, how many it will return, and their formats."""
    if request.own:
        X, formats, _ = read_samples_of(
            request.own, decoder, shape, "own samples", run, window=request.windows
        )
        run.step(f"own samples: {counted(formats)}")
        return (lambda layer: X), len(X), formats
    n = request.samples or default_n_samples(request.method, shape)
    name = "WAV" if len(shape) == 2 else "PNG" if request.jpeg is None else "JPEG"
    return draw(generator, n, shape, request), n, {name: n}


def _name_of(paths):
    return printable("files of " + ", ".join(Path(path).resolve().name for path in paths))


def _shown(generator):
    """The name of a generator without the folder of its file."""
    file, _, name = generator.rpartition(":")
    return f"{Path(file).name}:{name}" if file.endswith(".py") else generator


def _next(request):
    """The command that scores a folder as this attributor needs it."""
    words = ["flipad", "score", str(request.out), "FOLDER", "--out", "verdicts.csv"]
    if request.negatives and request.fpr != 0.05:
        words += ["--fpr", f"{request.fpr:g}"]
    if request.size is not None:
        words += ["--size", str(request.size)]
    if inspect_attributor(request.out).needs:
        words += ["--code", request.generator]
    return shlex.join(words)
