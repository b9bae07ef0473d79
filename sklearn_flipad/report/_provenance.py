"""Provenance of verdicts: model, attributor, levels, seeds and versions."""

import json
import platform

import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.base.version import __version__
from sklearn_flipad.report._methods import fingerprints, methods_of
from sklearn_flipad.report._text import visible

__all__ = ["noted", "provenance"]

#: Notes that are listed.
_MAX_NOTES = 50


def provenance(run, evidence):
    """Facts about a run, as pairs of name and value."""
    description, last = run.description, last_step(run.attributor)
    calibrated = getattr(last, "calibration_scores_", ())
    facts = [
        ("attributor, SHA-256", description["attributor"]),
        *((f"{name}, SHA-256", digest) for name, digest in fingerprints(run.attributor)),
        ("table of verdicts, SHA-256", description["sha256"]),
        ("list of files, SHA-256", description.get("listing")),
        ("method", " → ".join(_steps(run.attributor))),
        *(("processing of the files, as assumed", found) for found in _processing(run.attributor)),
        *_thresholds(last, evidence),
        ("own samples held out for calibration", f"{len(calibrated):,}"),
    ]
    if evidence is not None:
        facts += [
            ("rule of the levels", repr(evidence.rule)),
            ("level for the model (fnr)", repr(evidence.fnr)),
        ]
        if evidence.p_reference is not None:
            facts += [
                ("reference population", evidence.reference_name),
                ("its samples", f"{len(last.reference_scores_):,}"),
                ("level for the reference (fpr)", repr(evidence.fpr)),
            ]
    facts += [
        ("seeds", _seeds(run.attributor)),
        ("decoder of the files", description.get("decoder") or "one of the user's own"),
        ("decoder, SHA-256", description.get("decoder_digest")),
        ("scored with", _versions(dict(description["versions"]))),
        ("report written with", _versions(_present())),
    ]
    return [(name, visible(value, 1200)) for name, value in facts if value is not None]


def _thresholds(last, evidence):
    """Yield the name and the value of the threshold, or of those of all strata."""
    for stratum, group in getattr(last, "strata_", {None: None}).items():
        part, name = last, "threshold of the score"
        if stratum is not None:
            part = last.in_stratum(stratum)
            merged = "" if stratum == group else f", merged: {group}"
            own = f"{len(part.calibration_scores_):,} own samples"
            name = f"{name}, stratum {visible(stratum, 100)} ({own}{visible(merged, 200)})"
        threshold = float(part.offset_)
        if evidence is not None:
            levels = {"fnr": evidence.fnr, "fpr": evidence.fpr}
            threshold = -float(part.weigh([0.0], **levels).threshold)
        yield name, repr(threshold)


def noted(notes):
    """Notes in an attributor's file, as pairs of name and value."""
    facts = [
        (f"noted: {visible(name, 100)}", visible(_plain(value), 1200))
        for name, value in list(notes.items())[:_MAX_NOTES]
    ]
    if len(notes) > _MAX_NOTES:
        facts.append(("noted", f"{len(notes) - _MAX_NOTES} more, not listed"))
    return facts


def _plain(value):
    """A JSON value with little punctuation."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value)


def _steps(estimator):
    """Yield the names of the classes, from the sample to the verdict."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            yield from _steps(step)
    elif estimator not in (None, "passthrough"):
        inner = getattr(estimator, "estimator_", None)
        if isinstance(inner, BaseEstimator):
            yield from _steps(inner)
        yield type(estimator).__name__


def _processing(attributor):
    for method in methods_of(attributor):
        if getattr(method, "processing", None) is not None:
            yield repr(method.processing)


def _seeds(estimator):
    params = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    seeds = {
        name: value for name, value in params.items() if name.split("__")[-1] == "random_state"
    }
    return ", ".join(f"{name}={value!r:.40}" for name, value in sorted(seeds.items())) or "none"


def _versions(versions):
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _present():
    return {
        "sklearn_flipad": __version__,
        "torch": torch.__version__,
        "Python": platform.python_version(),
        "machine": platform.machine(),
    }
