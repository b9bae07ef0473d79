"""What a verdict rests on: the model, the attributor, the seeds and the versions."""

import json
import platform

import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.base.version import __version__
from sklearn_flipad.features import FinalLayerInverter, ResidualTransformer
from sklearn_flipad.report._text import visible
from sklearn_flipad.report._views import methods_of
from sklearn_flipad.report.fingerprints import weights_digest
from sklearn_flipad.reproduction import ReproductionDetector, SMInvDetector

__all__ = ["model_fingerprints", "noted", "provenance"]

#: Notes that are listed.
_MAX_NOTES = 50


def model_fingerprints(attributor):
    """What names the model in an attributor, where it holds a part of the model.

    Parameters
    ----------
    attributor : estimator
        Fitted.

    Returns
    -------
    list of (str, str)
        What is named, and its SHA-256.
    """
    found = []
    for method in methods_of(attributor):
        if isinstance(method, ReproductionDetector | SMInvDetector):
            generator = method.generator
            name = f"weights of the generator {type(generator).__name__}"
            found.append((name, weights_digest(generator)))
        elif isinstance(method, ResidualTransformer):
            name = f"weights of the autoencoder {type(method.autoencoder).__name__}"
            found.append((name, weights_digest(method.autoencoder)))
        elif isinstance(method, FinalLayerInverter):
            layer = method.final_layer
            shapes = (layer.input_shape, layer.output_shape)
            shapes = " to ".join("x".join(map(str, shape)) for shape in shapes)
            kinds = " > ".join(link.kind for link in layer.links)
            found.append((f"final layer, {kinds} from {shapes}", layer.fingerprint))
    return list(dict.fromkeys(found))


def provenance(run, evidence):
    """Facts about a run, as they are listed.

    Parameters
    ----------
    run : Run
        The run.
    evidence : Evidence or None
        Its evidence.

    Returns
    -------
    list of (str, str)
        Name and value.
    """
    description, last = run.description, last_step(run.attributor)
    threshold = float(last.offset_) if evidence is None else -float(evidence.threshold)
    calibrated = getattr(last, "calibration_scores_", ())
    facts = [
        ("attributor, SHA-256", description["attributor"]),
        *((f"{name}, SHA-256", digest) for name, digest in model_fingerprints(run.attributor)),
        ("table of verdicts, SHA-256", description["sha256"]),
        ("list of files, SHA-256", description.get("listing")),
        ("method", " → ".join(_steps(run.attributor))),
        *(("known processing of the files", found) for found in _processing(run.attributor)),
        ("threshold of the score", repr(threshold)),
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
                ("its samples", f"{evidence.n_reference:,}"),
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


def noted(notes):
    """What was noted of an attributor, as it is listed.

    Parameters
    ----------
    notes : dict of str to object
        JSON values.

    Returns
    -------
    list of (str, str)
        Name and value.
    """
    facts = [
        (f"noted: {visible(name, 100)}", visible(_plain(value), 1200))
        for name, value in list(notes.items())[:_MAX_NOTES]
    ]
    if len(notes) > _MAX_NOTES:
        facts.append(("noted", f"{len(notes) - _MAX_NOTES} more, not listed"))
    return facts


def _plain(value):
    """A JSON value without more punctuation than it needs."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value)


def _steps(estimator):
    """Names of the classes, from the sample to the verdict."""
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
