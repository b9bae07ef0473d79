"""Averages of features over samples of each source, as the figures of the paper show them."""

import base64
from pathlib import Path

import numpy as np

from benchmarks.paper.attribution import ALPHA
from benchmarks.paper.sources import others
from sklearn_flipad import DCTTransformer, FinalLayer, FinalLayerInverter
from sklearn_flipad.datasets import load_fashion_sample

__all__ = ["decode_map", "measure", "measure_decoders"]

#: Channels of a map that are kept, those in which own and real samples differ most.
N_CHANNELS = 3


def measure(cell, samples, scale, options):
    """Average maps by source, and their distances from the average of the owner.

    The setting is ``"pixels"``, ``"DCT"``, or ``"alpha 0.0005"`` for reconstructed activations,
    whose first map is the mean activation.
    """
    n, kinds = scale.n_test, others(cell.owner, scale)[0]
    # The same samples that are judged in the first run, whose features are kept.
    _, _, sources = samples.part(0, scale.n_tr, scale.n_val, n, kinds)
    kind, _, alpha = cell.setting.partition(" ")
    reference = None
    if kind == "pixels":
        means = {name: X.astype(float).mean(axis=0) for name, X in sources.items()}
    elif kind == "DCT":
        means = {
            name: DCTTransformer().fit_transform(X).mean(axis=0) for name, X in sources.items()
        }
    else:
        inverter = FinalLayerInverter(
            samples.layer, lam=2 * float(alpha or ALPHA), cache_dir=Path(options.work) / "features"
        )
        means = {name: inverter.fit_transform(X).mean(axis=0) for name, X in sources.items()}
        reference = samples.layer.mean_activation.reshape(means["real"].shape)
    own = means[cell.owner] if reference is None else reference
    apart = np.square(means[cell.owner] - means["real"]).reshape(len(own), -1).sum(axis=1)
    channels = np.argsort(-apart, kind="stable")[:N_CHANNELS]
    maps = means if reference is None else {"mean activation": reference, **means}
    return {
        "n": n,
        "channels": channels.tolist(),
        "distances": {
            name: round(float(np.linalg.norm(mean - own) / np.linalg.norm(own)), 5)
            for name, mean in means.items()
        },
        "maps": {name: _encode_map(mean[channels]) for name, mean in maps.items()},
    }


def measure_decoders(cell, samples, scale, options):
    """Mean activations of the decoders of autoencoders, and their distances from the first one."""
    from benchmarks.data.autoencoders import TUNED, autoencoder, encoded

    X, means = load_fashion_sample(), {}
    for name in ("0", TUNED, "1", "2"):
        vae = autoencoder(name, options.work, X, **scale.decoders)
        layer = FinalLayer.from_diffusers(vae, latents=encoded(vae, X[: scale.n_mean], seed=0))
        means[name] = layer.mean_activation.reshape(layer.input_shape)
    first = means["0"]
    channels = np.argsort(-first.reshape(len(first), -1).std(axis=1), kind="stable")[:N_CHANNELS]
    return {
        "n": min(scale.n_mean, len(X)),
        "channels": channels.tolist(),
        "distances": {
            name: round(float(np.linalg.norm(mean - first) / np.linalg.norm(first)), 5)
            for name, mean in means.items()
        },
        "maps": {name: _encode_map(mean[channels]) for name, mean in means.items()},
    }


def _encode_map(values):
    """Levels of maps in base64, with their range and shape."""
    low, high = float(values.min()), float(values.max())
    levels = np.rint(255 * (values - low) / max(high - low, 1e-12)).astype(np.uint8)
    text = base64.b64encode(levels.tobytes()).decode()
    return {"range": [low, high], "shape": list(values.shape), "levels": text}


def decode_map(row):
    """Maps of a row, as they were but for 256 levels."""
    low, high = row["range"]
    levels = np.frombuffer(base64.b64decode(row["levels"]), np.uint8).reshape(row["shape"])
    return low + (high - low) * levels / 255
