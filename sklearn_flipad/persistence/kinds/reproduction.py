"""Parts of the detectors that search latents."""

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from sklearn_flipad.base.modules import evaluating, run_generator, unwrap
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.persistence.kinds.kind import Kind
from sklearn_flipad.persistence.kinds.probes import check_output, on_cpu
from sklearn_flipad.persistence.kinds.special import Special
from sklearn_flipad.reproduction import FeatureDistance, LatentEncoder, SeedCandidates
from sklearn_flipad.reproduction.search.metric import LatentMetric

__all__ = ["KINDS", "Search", "Seeds"]


class Search(Special):
    """Outputs of generators, samplers, encoders and distances tell them from others."""

    def to_store(self, detector, params, fitted):
        if params.get("distance") == "inception":
            raise ValueError(
                "distance='inception' takes its weights from a file of this machine. Pass "
                "distance=FeatureDistance(network), whose weights are stored"
            )
        return params, fitted

    def probe(self, detector):
        inputs, again = _inputs(detector), _inputs(detector)
        output = _output(detector, inputs)
        return {
            "inputs": [part.numpy() for part in inputs],
            "reproducible": all(torch.equal(a, b) for a, b in zip(inputs, again, strict=True)),
            "output": output.detach().numpy(),
            "guess": _guess(detector, output),
            "distance": _distance(detector, output),
        }

    def check(self, detector, expected):
        stored = tuple(torch.from_numpy(np.array(part)) for part in expected["inputs"])
        inputs = _inputs(detector)
        shapes = [[(part.shape, part.dtype) for part in parts] for parts in (inputs, stored)]
        same = shapes[0] == shapes[1]
        if same and expected["reproducible"]:
            same = all(torch.allclose(a, b) for a, b in zip(inputs, stored, strict=True))
        if not same:
            raise ValueError(
                "the generator's inputs are drawn in another way than when it was stored. Pass the "
                "sampler, and a generator with the latent_shape or the sampler, that it had then"
            )
        check_output(
            _output(detector, stored).detach().numpy(), expected["output"], "the generator"
        )
        output = torch.from_numpy(np.array(expected["output"]))
        for name, found, wanted in (
            ("encoder", _guess(detector, output), expected["guess"]),
            ("distance", _distance(detector, output), expected["distance"]),
        ):
            if (found is None) != (wanted is None):
                raise ValueError(f"the {name} is not the one that was stored")
            if found is not None:
                check_output(found, wanted, f"the {name}")


class Seeds(Special):
    """SeedDetector: a sample of a candidate tells its generator and how noise is drawn."""

    def to_store(self, detector, params, fitted):
        seeds = params["seeds"]
        if not isinstance(seeds, range | np.ndarray):
            params = {**params, "seeds": SeedCandidates.of(seeds)}
        return params, fitted

    def probe(self, detector):
        with on_cpu(detector.generator):
            return clone(detector).set_params(verbose=0, device="cpu").sample(1, dtype="float32")

    def check(self, detector, expected):
        check_output(self.probe(detector), expected, "the SeedDetector's generator, or draw,")


def _inputs(detector):
    """Two inputs of the generator, drawn on the CPU as the detector draws them."""
    (inputs,) = latent_batches(
        unwrap(detector.generator),
        2,
        latent_shape=detector.latent_shape,
        sampler=detector.sampler,
        device=torch.device("cpu"),
        random_state=0,
    )
    return inputs


def _output(detector, inputs):
    generator = unwrap(detector.generator)
    with on_cpu(generator), seeded(0), evaluating(generator):
        return run_generator(generator, inputs)


def _guess(detector, output):
    """Latents that the encoder guesses; None without an encoder that is trained."""
    encoder = getattr(detector, "encoder_", getattr(detector, "encoder", None))
    if encoder is None:
        return None
    if not isinstance(encoder, LatentEncoder):
        with on_cpu(encoder), evaluating(encoder):
            return encoder(output).flatten(1).numpy()
    if not hasattr(encoder, "module_"):
        return None
    with on_cpu(encoder.module_):
        return encoder.guess(output)[0].cpu().numpy()


def _distance(detector, output):
    """The distance between two samples, shape (1,); None if it is not the user's code."""
    distance = getattr(detector, "distance", "l2")
    if isinstance(distance, str):
        return None
    parts = [part for part in vars(distance).values() if isinstance(part, nn.Module)]
    modules = [distance] if isinstance(distance, nn.Module) else parts
    with torch.no_grad(), on_cpu(*modules):
        found = distance(output[:1], output[1:])
    return found.detach().reshape(1).cpu().numpy()


def _metric(node, reader):
    values = reader.named(node["items"])
    metric = LatentMetric(None, values["scale"])
    # Not computed from the matrix again: other processors round differently.
    for name in vars(metric):
        setattr(metric, name, values[name])
    return metric


KINDS = (
    Kind(
        "metric",
        lambda value, path: type(value) is LatentMetric,
        lambda metric, path, writer: {"items": writer.named(vars(metric), path)},
        _metric,
    ),
    Kind(
        "feature_distance",
        lambda value, path: type(value) is FeatureDistance,
        lambda distance, path, writer: writer.named({"extractor": distance.extractor}, path),
        lambda node, reader: FeatureDistance(reader.value(node["extractor"])),
    ),
)
