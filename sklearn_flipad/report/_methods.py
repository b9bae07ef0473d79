"""The parts of attributors that see samples, and what a report says and shows of each."""

from collections.abc import Callable
from dataclasses import dataclass

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from sklearn_flipad.detectors import CombinedDetector
from sklearn_flipad.final_layer import LatentDecoder
from sklearn_flipad.pipelines import method_of
from sklearn_flipad.report._views import activation_views, reproduction_views, seed_views
from sklearn_flipad.report.fingerprints import weights_digest

__all__ = ["fingerprints", "limits", "measures_distances", "methods_of", "views"]


@dataclass(frozen=True)
class _Contents:
    """Contents of a report that depend on the part of the model that a method holds."""

    #: Name and SHA-256 of that part, of an instance.
    fingerprint: Callable
    #: View of each sample of (instance, X); None if the features mean nothing to the eye.
    views: Callable | None = None
    #: Conclusions that it does not allow, as the subject of a sentence and the rest.
    limit: tuple | None = None


def _of_generator(detector):
    generator = detector.generator
    return f"weights of the generator {type(generator).__name__}", weights_digest(generator)


def _of_autoencoder(transformer):
    autoencoder = transformer.autoencoder
    return f"weights of the autoencoder {type(autoencoder).__name__}", weights_digest(autoencoder)


def _of_final_layer(inverter):
    layer = inverter.final_layer
    shapes = (layer.input_shape, layer.output_shape)
    shapes = " to ".join("x".join(map(str, shape)) for shape in shapes)
    kinds = " > ".join(link.kind for link in layer.links)
    return f"final layer, {kinds} from {shapes}", layer.fingerprint


#: Limit of models that decode any input of somebody else's.
_DECODED = (
    "“Made by the model”",
    "means decoded by the model, not invented by it: a picture or sound of any origin that "
    "somebody encoded and decoded with it is its work in every value.",
)

#: By the parameter that holds a part of the model; "search" if its latents are searched too, and
#: "seeds" if they are those of candidates.
_CONTENTS = {
    "search": _Contents(
        _of_generator,
        reproduction_views,
        (
            "Reproduction",
            "compares a file with what the model can make. A generator that shares all weights "
            "with the model makes the same samples, and so may a copy of lower precision. If the "
            "latents are as large as a sample, nearly everything can be reproduced, and that says "
            "little.",
        ),
    ),
    "seeds": _Contents(
        _of_generator,
        seed_views,
        (
            "Seeds",
            "are looked for among the candidates alone. A file that the model made with another "
            "seed, with other settings, or from noise that was drawn in another way is “not own”, "
            "as is one that was resized or cropped since. A copy of the model whose weights differ "
            "finds the seed, too; the difference between the file and the sample made again tells "
            "it.",
        ),
    ),
    "final_layer": _Contents(
        _of_final_layer,
        activation_views,
        (
            "The final layer",
            "is all that the method knows of the model. Models that share it, or share a decoder, "
            "cannot be told apart by it; near-copies hardly can.",
        ),
    ),
    "autoencoder": _Contents(_of_autoencoder, limit=_DECODED),
    "generator": _Contents(_of_generator),
}
#: Limit of attributors that have none of the others.
_OF_FEATURES = (
    "Features",
    "of samples are all that the method knows of the model. Near-copies of the model, and models "
    "that share a decoder with it, can hardly be told from it.",
)


def methods_of(estimator):
    """Yield the parts of a fitted attributor that are given the samples themselves."""
    if isinstance(estimator, FrozenEstimator):
        yield from methods_of(estimator.estimator)
    elif isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        if steps:
            yield from methods_of(steps[0])
    elif isinstance(estimator, BaseSearchCV):
        yield from methods_of(estimator.best_estimator_)
    elif isinstance(estimator, CombinedDetector):
        for part in estimator.estimators_:
            yield from methods_of(part)
    elif hasattr(estimator, "calibration_scores_"):
        yield from methods_of(estimator.estimator_)
    else:
        yield estimator


def _contents_of(estimator):
    """Contents for the method of an estimator, or None."""
    method = method_of(estimator)
    if method is None:
        return None
    if hasattr(estimator, "seeds"):
        return _CONTENTS["seeds"]
    searches = hasattr(estimator, "reconstruct") and hasattr(estimator, "distance")
    return _CONTENTS.get("search" if searches else method.holds)


def fingerprints(attributor):
    """Names and SHA-256 of the parts of the model that a fitted attributor holds."""
    parts = [(part, _contents_of(part)) for part in methods_of(attributor)]
    return list(dict.fromkeys(known.fingerprint(part) for part, known in parts if known))


def views(attributor, X):
    """A list of views of X, shape (n, *sample_shape), for each part that can show what it sees."""
    parts = [(part, _contents_of(part)) for part in methods_of(attributor)]
    return [known.views(part, X) for part, known in parts if known and known.views]


def limits(attributor):
    """Limits of the methods of an attributor, as pairs of subject and rest of a sentence."""
    parts = list(methods_of(attributor))
    known = {_contents_of(part) for part in parts}
    found = [part.limit for part in _CONTENTS.values() if part in known and part.limit]
    decodes = any(isinstance(getattr(part, "generator", None), LatentDecoder) for part in parts)
    if decodes and _DECODED not in found:
        found.append(_DECODED)
    return found or [_OF_FEATURES]


def measures_distances(detector):
    """Return whether the scores of a detector are minus a distance."""
    method = method_of(detector)
    return method is not None and method.is_distance
