"""Files of every kind that an earlier version wrote are read, and score the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from sklearn_flipad import (
    LatentEncoder,
    inspect_attributor,
    load_attributor,
    save_attributor,
)
from tests.bits import assert_same_bits

FOLDER = Path(__file__).parents[1] / "data" / "version_0"
#: Layers, which have tests of their own in ``tests/final_layer``.
LAYERS = ("branches", "chain", "columns", "conv_transpose")


class Autoencoder(nn.Module):
    """Network that its owner calls studio.models.Autoencoder."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Conv2d(1, 4, 3, 2, 1), nn.ConvTranspose2d(4, 1, 4, 2, 1)

    def forward(self, x):
        return torch.tanh(self.decode(torch.tanh(self.encode(x))))


def uniform_latents(n, rng):
    return rng.uniform(-1, 1, (n, 4)).astype(np.float32)


def dense_generator():
    return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))


#: Attributors, by the method that a description names.
METHODS = {
    "combined": "combined",
    "flipad": "flipad",
    "openset": "OpenSetAttributor",
    "rawpad": "rawpad",
    "reproduction": "reproduction",
    "residual": "residual",
    "sampler": "sminv",
    "sminv": "sminv",
    "smf": "smf",
    "table": "other",
    "whitened": "whitened",
    "windows": "flipad",
}
#: Code that files ask for, by the last part of its name.
CODE = {
    "Autoencoder": Autoencoder,
    "Sequential": dense_generator,
    "uniform_latents": uniform_latents,
}


def load(path):
    needs = inspect_attributor(path).needs
    return load_attributor(path, objects={name: CODE[name.split(":")[1]] for name in needs})


def samples_and_scores(name):
    with np.load(FOLDER / f"{name}.npz") as file:
        expected = file["scores"]
        if name != "table":
            return file["X"], expected
    # Values half way between two decimals fall to the side that their last bit says, and the
    # parser of pandas 2 is off by that bit.
    table = pd.read_csv(FOLDER / "table.csv", dtype=str)
    return table.astype(dict.fromkeys(table.columns.drop("grade"), float)), expected


def scores(attributor, X):
    if hasattr(attributor, "score_samples"):
        return attributor.score_samples(X)
    return attributor.evidence(X).anomaly_scores


def test_there_is_no_other_file():
    stems = {*METHODS, "encoder", *(f"layer_{name}" for name in LAYERS)}
    assert {path.stem for path in FOLDER.iterdir()} == stems


@pytest.mark.parametrize("name", METHODS)
def test_attributors(name, tmp_path):
    X, expected = samples_and_scores(name)
    attributor = load(FOLDER / f"{name}.flipad")
    assert_same_bits(scores(attributor, X), expected)
    save_attributor(attributor, tmp_path / "again")
    assert_same_bits(scores(load(tmp_path / "again"), X), expected)


@pytest.mark.parametrize("name", METHODS)
def test_descriptions(name):
    found = inspect_attributor(FOLDER / f"{name}.flipad")
    assert found.method == METHODS[name]
    needs = {
        "residual": {"studio.models:Autoencoder"},
        "sampler": {"studio.models:uniform_latents", "torch.nn.modules.container:Sequential"},
    }
    assert set(found.needs) == needs.get(name, set())
    assert found.notes == {"owner": "studio"}
    assert found.fnr == (None if name == "openset" else 0.1)
    shapes = {"sampler": None, "sminv": None, "table": (6,), "windows": None}
    assert found.sample_shape == shapes.get(name, (1, 8, 8))
    assert found.window_shape == ((1, 4, 4) if name == "windows" else None)
    if name == "flipad":
        assert "8x4x4 to 1x8x8, tanh" in found.parameters["invert__final_layer"]


def test_encoders():
    with np.load(FOLDER / "encoder.npz") as file:
        encoder = LatentEncoder.load(FOLDER / "encoder.safetensors")
        assert_same_bits(encoder.encode(file["X"]), file["latents"])
