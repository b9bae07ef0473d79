"""The benchmark of medical images, with a head of three radii and generators of one epoch."""

import importlib
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_flipad import zoo

#: Half axes in voxels of one millimeter: of the first, second and third axis.
RADII = np.array([30, 60, 45])


@pytest.fixture
def data(monkeypatch):
    """The script, and an ellipsoid in place of the volume."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    script = importlib.import_module("medical_data")
    grid = np.indices((120, 160, 140)) - np.array([60, 80, 70])[:, None, None, None]
    head = ((grid / RADII[:, None, None, None]) ** 2).sum(axis=0) <= 1
    files = SimpleNamespace(load=lambda path: SimpleNamespace(dataobj=200.0 * head))
    monkeypatch.setitem(sys.modules, "nibabel", files)
    monkeypatch.setattr(script, "debian_files", lambda package, files, folder: Path(folder))
    return script


def test_slices_are_those_of_their_views(data, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_DEPTH", 1.0)
    monkeypatch.setattr(data, "_DEGREES", 1.0)
    X, views = data.slices(12, tmp_path)
    assert X.dtype == np.uint8
    assert (X.min(), X.max()) == (32, 223)
    assert set(views) == {0, 1, 2}
    for x, view in zip(X, views, strict=True):
        across, up = np.delete(RADII, view) / data._PIXEL
        inside = x[0] > 128
        width, height = (np.ptp(np.flatnonzero(inside.any(axis=axis))) / 2 for axis in (0, 1))
        # Slices are larger or smaller by a tenth, and turned by a degree.
        np.testing.assert_allclose([width, height], [across, up], rtol=0.16)


def test_slices_depend_on_their_seed(data, tmp_path):
    first, again, other = (data.slices(2, tmp_path, seed=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ["dcgan", "wgan-gp", "c-dcgan"])
def test_a_generator_is_trained_once(data, tmp_path, monkeypatch, name):
    make, make_critic, objective, _ = data._RECIPES[name]
    monkeypatch.setattr(data, "_CHANNELS", (8, 8, 8, 8, 8))
    monkeypatch.setitem(data._CRITIC, "channels", (4, 4, 4, 4, 4))
    monkeypatch.setitem(data._RECIPES, name, (make, make_critic, objective, {"n_epochs": 1}))
    made = data.generator(name, tmp_path, n_images=32)
    assert made.output_shape == (1, 128, 128)
    assert isinstance(made, zoo.ConditionalDCGANGenerator) == (name == "c-dcgan")
    monkeypatch.setattr(data, "train_gan", partial(pytest.fail, "it is there already"))
    again = data.generator(name, tmp_path)
    for key, value in made.state_dict().items():
        assert value.equal(again.state_dict()[key])
