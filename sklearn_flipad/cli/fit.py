"""The work of ``flipad fit``."""

import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from sklearn_flipad import DeepSADDetector, inspect_attributor, save_attributor
from sklearn_flipad.cli.estimate import estimated_seconds, shown_estimate
from sklearn_flipad.cli.fit_checks import check_arguments, check_sizes
from sklearn_flipad.cli.generators import latent_shape_of, load_generator
from sklearn_flipad.cli.imports import import_object
from sklearn_flipad.cli.options import FitOptions, numbers
from sklearn_flipad.cli.samples import (
    compressed,
    decoding_of_drawn,
    drawn_samples,
    make_decoder,
    processed_at_random,
    read_samples_of,
    shape_of_own,
)
from sklearn_flipad.cli.seeds import candidates_of
from sklearn_flipad.cli.strata import check_levels, sizes_of_strata, strata_of_files
from sklearn_flipad.datasets.files.facts import count_facts, facts_of
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import FileFormat, UnknownGeometry
from sklearn_flipad.evaluation.perturbations import JPEGCompression
from sklearn_flipad.generators import sample
from sklearn_flipad.pipelines.methods import METHODS, TargetModel
from sklearn_flipad.scoring.runs.formats import counted, is_lossy, negatives_warning
from sklearn_flipad.storage.files import file_digest, printable

__all__ = ["fit_attributor"]

#: Default false-negative rates. Of the 500 own samples of a generator of 32x32 colors whose
#: processing was searched, 7 failed; one of these would set the threshold of the first.
_FNR, _FNR_SEARCHED = 0.005, 0.05
#: Those of all presets; that of a small WebP file is found up to six too low.
_QUALITIES = (50, 95)


def fit_attributor(options, run):
    """Make an attributor, fit it and save it; JSON values that say what came out."""
    method = METHODS[options.method]
    options = _with_rate(options, method)
    check_arguments(options, method)
    seeds = candidates_of(options)
    run.step(f"generator {options.generator}")
    module = load_generator(
        options.generator,
        weights=options.weights,
        weights_key=options.weights_key,
        arguments=options.arguments,
        tell=run.step,
    )
    model = TargetModel(
        module,
        output_range=numbers(options.output_range, float, "--output-range"),
        rate=options.rate,
        random_state=options.seed,
        verbose=run.verbose,
    )
    if method.holds == "autoencoder":
        shape = shape_of_own(module, options)
    else:
        model = replace(model, latents=_latents(module, options, run))
        shape = _sample_shape(model, options)
    decoder = make_decoder(
        shape, size=options.size, rate=options.rate, any_size=options.windows is not None
    )
    if (options.jpeg or options.processing or options.strata) and len(shape) != 3:
        option = "--strata" if options.strata else "--processing"
        option = "--jpeg" if options.jpeg else option
        raise ValueError(f"{option} is for images, and the generator makes signals.")
    negatives, of_negatives = _negatives(options, decoder, shape, run)
    n_negatives = 0 if negatives is None else len(negatives)
    X, of_own = _own_files(options, decoder, shape, run)
    n_own = (options.samples or method.default_n_samples(shape)) if X is None else len(X)
    if X is None:
        of_own = [decoding_of_drawn(shape, options, options.jpeg)] * n_own
    check_sizes(n_own, n_negatives, options, method)
    if negatives is None:
        run.warn(
            "Without --negatives there is no population to compare with, and nothing is called "
            "'own': verdicts are 'not own' or 'undecided'."
        )
    # Both are processed alike.
    elif not options.processing and (
        message := negatives_warning(_facts(of_own), _facts(of_negatives))
    ):
        run.warn(message)
    reference = None if negatives is None else options.reference or _name_of(options.negatives)
    run.step(f"fitting {method.name} to {n_own:,} samples of {'x'.join(map(str, shape))}")
    seconds = seeds is None and estimated_seconds(
        lambda model: _attributor(method, model, reference, options, seeds),
        model,
        X,
        negatives,
        n_own,
        traces=method.needs in ("activation", "final layer"),
    )
    if seconds:
        run.step(shown_estimate(seconds, options.device))
    attributor = _attributor(method, model, reference, options, seeds)
    if X is None:
        layer = vars(model).get("final_layer")
        draw = getattr(attributor["detect"].estimator, "sample", None)
        X, of_own = drawn_samples(model, n_own, shape, layer, options, draw)
    attributor.set_params(detect__file_facts=_facts(of_own))
    _fit(attributor, X, negatives, [*of_own, *of_negatives], options)
    calibrator = attributor["detect"]
    check_levels(calibrator, options)
    bits = _bits(options) if len(shape) == 2 and not options.own else None
    notes = {
        "generator": _shown(options.generator),
        "weights": None if options.weights is None else options.weights.name,
        "weights_sha256": None if options.weights is None else file_digest(options.weights),
        "own_samples": n_own,
        "own_samples_from": _origin(options, seeds),
        "own_formats": sorted(_formats(of_own)),
        "negatives": n_negatives,
        "negative_formats": _formats(of_negatives),
        "rate": options.rate,
        "bits": bits,
        "rounding": None if not bits else str(options.rounding),
        "jpeg": options.jpeg,
        "processing": options.processing,
        "strata": options.strata,
        "size": options.size,
        "seed": options.seed,
    }
    notes = {name: value for name, value in notes.items() if value not in (None, {})}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_attributor(attributor, options.out, notes=notes)
    return {
        "out": str(options.out),
        "sha256": file_digest(options.out),
        "method": method.name,
        "sample_shape": list(shape),
        "windows": options.windows,
        "n_own": n_own,
        "n_calibration": len(calibrator.calibration_scores_),
        "n_negatives": n_negatives,
        "n_reference": 0 if negatives is None else len(calibrator.reference_scores_),
        "reference": reference,
        "lr_bounds": _ratio_bounds(calibrator),
        "fnr": options.fnr,
        "strata": sizes_of_strata(calibrator),
        "notes": notes,
        "next": _next(options),
    }


def _with_rate(options, method):
    """The options with the default of --fnr."""
    if options.fnr is not None:
        return options
    is_searched = options.processing is not None and (
        method.searches_processing or method.follows_files
    )
    return replace(options, fnr=_FNR_SEARCHED if is_searched else _FNR)


# The model and the attributor


def _latents(module, options, run):
    """``latent_shape`` or ``sampler``, where the generator does not say them."""
    latent_shape = numbers(options.latent_shape, int, "--latent-shape")
    if options.sampler is not None:
        if latent_shape is not None:
            raise ValueError("Pass --latent-shape or --sampler, not both.")
        return {"sampler": import_object(options.sampler, "--sampler")}
    if latent_shape is not None:
        return {"latent_shape": latent_shape}
    shape = latent_shape_of(module)
    if shape is None:
        return {}
    run.step(f"latents {'x'.join(map(str, shape))}, normal (from its first layer)")
    return {"latent_shape": shape}


def _sample_shape(model, options):
    """Shape of one sample of the generator, if it can be run."""
    try:
        return sample(model.module, 2, dtype="float32", random_state=0, **model.latents).shape[1:]
    except RuntimeError as error:  # what torch raises where shapes do not fit
        inputs = f"what {options.sampler} returns"
        if options.sampler is None:
            shape = model.latents.get("latent_shape", getattr(model.module, "latent_shape", None))
            inputs = f"latents of shape {shape}"
        raise ValueError(
            f"{options.generator} fails with {inputs}: {error}. Pass the --latent-shape that it "
            "was trained with, or --sampler, where its inputs are not normal."
        ) from error


def _attributor(method, model, reference, options, seeds):
    """Attributor that is not fitted."""
    given = {} if seeds is None else {"seeds": seeds}
    network = {"module": MLP, "module_params": {"hidden": (256,)}}
    detector = DeepSADDetector(
        max_epochs=options.epochs,
        device=options.device,
        verbose=model.verbose,
        **(network if options.network == "mlp" else {}),
        **method.detector,
    )
    return method.attributor(
        model,
        detector=detector,
        strata=strata_of_files(options),
        fnr=options.fnr,
        rule=options.rule,
        reference=reference,
        lr=options.lr,
        windows=options.windows,
        processing=_processing(options, seeds),
        device=options.device,
        random_state=options.seed,
        verbose=model.verbose,
        **given,
    )


def _processing(options, seeds):
    """Processing that searches are told of; with seeds, what is made again is compressed."""
    if options.processing is not None:
        unknown = [UnknownGeometry(), FileFormat(qualities=_QUALITIES)]
        return unknown if seeds is None else FileFormat(random_state=options.seed)
    return None if seeds is None or options.jpeg is None else JPEGCompression(options.jpeg)


def _fit(attributor, X, negatives, decodings, options):
    """Fit an attributor to own samples, and to negatives if there are any.

    `decodings` are the steps of decoding each of them.
    """
    stratum_of, strata = strata_of_files(options), {}
    if stratum_of is not None:
        strata["strata"] = [stratum_of(facts_of(decoding)) for decoding in decodings]
    if options.windows is not None and not options.own:
        # Larger suspects have as many windows as the samples that are drawn, all of one size.
        (count,) = attributor["detect"].estimator.n_windows(X[:1])
        attributor.set_params(detect__estimator__max_windows=int(count))
    if negatives is None:
        attributor.fit(X, **strata)
        return
    y = np.repeat([1, -1], [len(X), len(negatives)])
    is_list = isinstance(X, list) or isinstance(negatives, list)
    X = [*X, *negatives] if is_list else np.concatenate([X, negatives])
    attributor.fit(X, y, **strata)


def _ratio_bounds(calibrator):
    """Logarithms of the smallest and the largest likelihood ratio, None without ratios."""
    if not hasattr(calibrator, "lr_"):
        return None
    scores = calibrator.calibration_scores_, calibrator.reference_scores_
    return calibrator.lr_.weigh(*scores, scores[0][:1]).bounds


# Samples


def _negatives(options, decoder, shape, run):
    """Negatives, compressed like own samples, and how they were decoded."""
    if not options.negatives:
        return None, []
    X, decodings = read_samples_of(
        options.negatives, decoder, shape, "negatives", run, window=options.windows
    )
    run.step(f"negatives: {counted(_formats(decodings.tolist()))}")
    lossy = np.array([is_lossy(decoding) for decoding in decodings])
    if options.processing is not None:
        return processed_at_random(X, options)
    if options.jpeg is not None and not lossy.all():
        if isinstance(X, list):
            X = [
                x if done else compressed(x[None], options.jpeg)[0]
                for x, done in zip(X, lossy, strict=True)
            ]
        else:
            X = X.copy()
            X[~lossy] = compressed(X[~lossy], options.jpeg)
        decodings = np.where(lossy, decodings, decoding_of_drawn(shape, options, options.jpeg))
    return X, decodings.tolist()


def _own_files(options, decoder, shape, run):
    """Own samples from files, and how they were decoded; None if samples are drawn."""
    if not options.own:
        return None, []
    X, decodings = read_samples_of(
        options.own, decoder, shape, "own samples", run, window=options.windows
    )
    run.step(f"own samples: {counted(_formats(decodings.tolist()))}")
    return X, decodings.tolist()


def _formats(decodings):
    """Numbers of files by format."""
    return dict(Counter(decoding.split()[0] for decoding in decodings))


def _facts(decodings):
    """Numbers of files by fact and by its value."""
    return count_facts(Counter(decodings))


def _bits(options):
    """Bits of a sample of a WAV file; 0 for floats."""
    return 0 if options.bits == "float" else int(options.bits)


# Names


def _name_of(paths):
    return printable("files of " + ", ".join(Path(path).resolve().name for path in paths))


def _origin(options, seeds):
    if options.own:
        return "files"
    return f"{'latents' if seeds is None else 'candidates'} of seed {options.seed}"


def _shown(generator):
    """The name of a generator without the folder of its file."""
    file, _, name = generator.rpartition(":")
    return f"{Path(file).name}:{name}" if file.endswith(".py") else generator


def _next(options):
    """The command that scores a folder as this attributor needs it."""
    words = ["flipad", "score", str(options.out), "FOLDER", "--out", "verdicts.csv"]
    if options.negatives and options.fpr != FitOptions.fpr:
        words += ["--fpr", f"{options.fpr:g}"]
    if options.size is not None:
        words += ["--size", str(options.size)]
    if inspect_attributor(options.out).needs:
        words += ["--code", options.generator]
    return shlex.join(words)
