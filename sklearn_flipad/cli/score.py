"""The work of ``flipad score``."""

from dataclasses import asdict

from sklearn_flipad import inspect_attributor, load_attributor
from sklearn_flipad.cli.imports import import_object
from sklearn_flipad.cli.samples import make_decoder
from sklearn_flipad.scoring import score_files

__all__ = ["inspected", "loaded", "notes_of", "score_paths"]

VERDICTS = ("own", "not own", "undecided")


def inspected(path):
    """Description of a file that holds the attributor of one model."""
    found = inspect_attributor(path)
    if found.models:
        raise ValueError(
            f"{found.path} holds the attributors of several models, {', '.join(found.models)}, and "
            "this command takes that of one. Save each in a file of its own, in Python: "
            "save_attributor(load_attributor(path).named_estimators_[name], name + '.flipad'), and "
            "score with each."
        )
    return found


def loaded(path, needs, code):
    """Attributor at a path, with the code that it needs; the path itself if it needs none."""
    if not needs and not code:
        return path
    objects = {}
    for text in code:
        name, equals, target = text.partition("=")
        if not equals:
            target = text
            name = text if text in needs or len(needs) != 1 else next(iter(needs))
        objects[name] = import_object(target, "--code")
    missing = [name for name in needs if name not in objects]
    if missing:
        options = " ".join(f"--code {name}" for name in needs)
        raise ValueError(
            f"The attributor needs code that it does not hold, {', '.join(missing)}. If you trust "
            f"it, pass {options}, or NAME=package.module:name, if it is elsewhere."
        )
    return load_attributor(path, objects=objects)


def notes_of(found, code):
    """Facts about an attributor's file that a report lists.

    With `code` the run knows an attributor and no file: the SHA-256 of the file comes first.
    """
    digest = {"SHA-256 of the attributor's file": found.sha256} if code else {}
    return {**digest, **found.notes}


def score_paths(attributor, paths, out, run, *, size, rate, code, resume, **options):
    """Score files; JSON values that say how many have each verdict."""
    found = inspected(attributor)
    shape = found.window_shape or found.sample_shape
    if shape is None:
        raise ValueError(
            f"{found.path} does not say what its samples look like: score files with "
            "sklearn_flipad.scoring.score_files."
        )
    if len(shape) == 2 and rate is None:
        rate = found.notes.get("rate")
    decoder = make_decoder(shape, size=size, rate=rate, any_size=found.window_shape is not None)
    if found.reference_name is None:
        run.warn(
            "The attributor has no reference population, so that no file is called 'own'. Fit it "
            "with --negatives for that."
        )
    run.step(f"scoring with {found.method}, {found.sha256[:16]}")
    summary = score_files(
        loaded(attributor, found.needs, code),
        list(paths) if len(paths) > 1 else paths[0],
        out,
        decoder=decoder,
        resume=resume,
        verbose=run.verbose,
        **options,
    )
    counts = asdict(summary)
    counts["verdicts"] = {name: summary.verdicts.get(name, 0) for name in VERDICTS}
    return {
        **counts,
        "attributor_sha256": found.sha256,
        "reference": found.reference_name,
    }
