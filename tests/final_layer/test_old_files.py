"""Layers in the files of earlier versions are read, and are the layers that they were."""

import copy
from pathlib import Path

import numpy as np
import pytest

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.final_layer import Link
from sklearn_flipad.final_layer._migration import migrated
from sklearn_flipad.storage.arrays import load_arrays, save_arrays

FOLDER = Path(__file__).parents[1] / "data" / "version_0"
KINDS = {
    "conv_transpose": ["conv_transpose"],
    "chain": ["resize", "conv"],
    "columns": ["linear"],
    "branches": ["branches"],
}
FORMAT = "sklearn_flipad.FinalLayer/1"


@pytest.mark.parametrize("name", KINDS)
def test_layers_of_format_1_are_read(name, tmp_path):
    path = FOLDER / f"layer_{name}.safetensors"
    layer = FinalLayer.load(path)
    assert [link.kind for link in layer.links] == KINDS[name]
    with np.load(FOLDER / f"layer_{name}.npz") as data:
        X, expected = data["X"], data["activations"]
    found = FinalLayerInverter(layer).transform(X)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    layer.save(tmp_path / "layer")
    _, description = load_arrays(tmp_path / "layer", "sklearn_flipad.FinalLayer/2")
    again = FinalLayer.load(tmp_path / "layer")
    assert again == layer
    assert np.array_equal(FinalLayerInverter(again).transform(X), found)
    assert "kind" not in description
    arrays, old = load_arrays(path, FORMAT)
    assert FinalLayer.summarize_parts(arrays, old) == FinalLayer.summarize_parts(*layer.to_parts())
    assert FinalLayer.summarize_parts(arrays, old).endswith(f"map {layer.map_fingerprint[:12]}")


def test_migration_changes_nothing_that_it_is_given():
    arrays, description = load_arrays(FOLDER / "layer_columns.safetensors", FORMAT)
    before = dict(arrays), copy.deepcopy(description)
    found, _ = migrated(arrays, description)
    assert arrays == before[0]
    assert description == before[1]
    assert found["weight.0"] is arrays["weight"]
    assert migrated(*migrated(arrays, description)) == migrated(arrays, description)


@pytest.mark.parametrize("name", ["columns", "chain"])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda a, d: d.update(clamp=[0, 1]), "unknown, left out or written"),
        (lambda a, d: d.update(output_shape=None), "unknown, left out or written"),
        (lambda a, d: d["arguments"].update(scale=2), "no arguments|Unknown arguments"),
        (lambda a, d: d.update(kind="scale"), "kind must be linear, conv"),
        (lambda a, d: d.pop("kind"), "not a complete description"),
        (lambda a, d: a.update(other=a["mean_activation"]), "'other' of type float64 is not one"),
    ],
)
def test_unknown_parts_of_old_files_are_refused(name, change, match, tmp_path):
    arrays, description = load_arrays(FOLDER / f"layer_{name}.safetensors", FORMAT)
    change(arrays, description)
    save_arrays(tmp_path / "layer", arrays, description)
    with pytest.raises(ValueError, match=match):
        FinalLayer.load(tmp_path / "layer")


def test_links_of_one_layer_are_refused():
    arrays, description = load_arrays(FOLDER / "layer_chain.safetensors", FORMAT)
    single, of_single = load_arrays(FOLDER / "layer_columns.safetensors", FORMAT)
    with pytest.raises(ValueError, match="no weight of its own"):
        FinalLayer.from_parts(arrays | {"weight": single["weight"]}, description)
    with pytest.raises(ValueError, match="no weight of its own"):
        FinalLayer.from_parts(single, of_single | {"links": description["links"]})


def test_formats_to_come_are_refused():
    arrays, description = load_arrays(FOLDER / "layer_chain.safetensors", FORMAT)
    description["format"] = "sklearn_flipad.FinalLayer/3"
    with pytest.raises(ValueError, match=r"The format is .sklearn_flipad\.FinalLayer/3."):
        FinalLayer.from_parts(arrays, description)


def test_a_bias_along_the_first_axis_of_a_chain_stays_there():
    """A chain of one linear layer had its bias along the first axis, not the last."""
    weight, bias = np.arange(12).reshape(3, 4), np.array([1.0, 2.0])
    layer = FinalLayer([Link("linear", weight)], input_shape=(2, 4))
    arrays, description = layer.to_parts()
    description |= {"format": FORMAT, "kind": "chain", "arguments": {}}
    found = FinalLayer.from_parts(arrays | {"bias": bias.astype(np.float32)}, description)
    spread = np.broadcast_to(bias[:, None], (2, 3))
    assert found == FinalLayer([Link("linear", weight)], input_shape=(2, 4), bias=spread)
