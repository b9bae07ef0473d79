"""Checks of the arguments of ``flipad fit``, before anything is computed."""

import os
from math import ceil

from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration.rules import as_rule
from sklearn_flipad.cli.options import COMMAND_METHODS, FILES
from sklearn_flipad.cli.seeds import check_seeds
from sklearn_flipad.cli.strata import strata_of_files
from sklearn_flipad.pipelines.methods import METHODS
from sklearn_flipad.storage.files import writable_path

__all__ = ["check_arguments", "check_sizes"]

#: Fitted attributes by which files tell the shape of samples.
_LAYOUT = {"_sample_shape", "_image_shape"}


def check_arguments(options, method):
    """Raise an error if arguments do not go together."""
    if os.path.lexists(options.out) and not options.overwrite:
        raise FileExistsError(f"{options.out} exists: choose another --out, or pass --overwrite.")
    if os.path.lexists(options.out):
        writable_path(options.out)  # before an hour of work
    if method.holds != "final_layer" and not _LAYOUT & _stored_names(method.estimator):
        raise ValueError(
            f"The file would not say what samples of {method.name} look like, and score could not "
            f"read any. Let {method.estimator.__name__} declare _stored as Stored.with_samples or "
            "Stored.stateless makes it, and fit call record_samples."
        )
    if options.windows is not None and "any size" not in method.judges:
        windowed = [name for name in COMMAND_METHODS if "any size" in METHODS[name].judges]
        raise ValueError(
            f"--windows is for {', '.join(windowed)}: {method.name} takes files of the "
            "generator's size."
        )
    if options.own and options.jpeg:
        raise ValueError("--own are files as they are: leave out --jpeg, and save them as JPEG.")
    _check_processing(options, method)
    if options.own and options.samples:
        raise ValueError(
            "--samples is the number of samples that are drawn: leave it out with --own."
        )
    if options.reference and not options.negatives:
        raise ValueError("--reference says what the negatives are: pass --negatives.")
    if options.lr and options.strata:
        raise ValueError("--lr takes all samples together: leave out --strata, or --lr.")
    strata_of_files(options)  # before anything is computed
    if options.lr and not options.negatives:
        raise ValueError("--lr compares the generator with the negatives: pass --negatives.")
    if method.holds == "autoencoder":
        _check_autoencoder(options)
    check_seeds(options, method)


def _check_processing(options, method):
    if options.processing is None:
        return
    if options.own:
        raise ValueError(
            "--own are files as they are: leave out --processing, and pass files that were "
            "processed as suspects are."
        )
    if options.jpeg:
        raise ValueError("--processing compresses as well: leave out --jpeg.")
    if method.follows_files and options.processing == FILES:
        return
    if not _takes_processing(method):
        others = [name for name in COMMAND_METHODS if _takes_processing(METHODS[name])]
        or_files = f", or --processing {FILES}" if method.follows_files else ""
        raise ValueError(
            f"{method.name} searches samples whose processing is known{or_files}. For unknown "
            f"processing, choose --method {', '.join(others)}."
        )


def _takes_processing(method):
    return method.searches_processing or not method.is_distance


def _stored_names(cls):
    """Names of the fitted attributes that files hold of a class."""
    stored = getattr(cls, "_stored", Stored())
    return {*stored.fitted, *stored.optional}


def _check_autoencoder(options):
    """Raise an error if arguments are for drawing samples, which no autoencoder does."""
    method = f"--method {options.method}"
    if not options.own:
        raise ValueError(
            f"{method} takes a module that maps samples to reconstructions, from which no "
            "samples can be drawn: pass --own, files of what the model made."
        )
    if options.latent_shape is not None or options.sampler is not None:
        raise ValueError(f"{method} runs on samples: leave out --latent-shape and --sampler.")
    if options.rate is None and options.output_range is None:
        raise ValueError(
            f"{method} needs --output-range, the values of black and white that the module "
            "takes and returns, as 0,1; or --rate, for sounds."
        )


def check_sizes(n_own, n_negatives, options, method):
    """Raise an error if too few samples are held out for the levels."""
    if options.rule == "quantile":
        return
    held_out, rule = method.held_out, as_rule(options.rule)
    option = "--own" if options.own else "--samples"
    checks = [("fnr", options.fnr, n_own, "own samples", option)]
    if n_negatives:
        checks.append(("fpr", options.fpr, n_negatives, "negatives", "--negatives"))
    for name, level, n, what, option in checks:
        needed = rule.min_size(level)
        if ceil(held_out * n) < needed:
            raise ValueError(
                f"--{name} {level:g} needs at least {ceil(needed / held_out)} {what}, of which "
                f"{held_out:.0%} are held out to calibrate; there are {n}. Provide more "
                f"({option}), or raise --{name}."
            )
