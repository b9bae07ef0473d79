"""The data of the medical benchmark: slices of a head of known radii, generators of one epoch."""

import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.attribution import medical
from benchmarks.data import medical as data
from sklearn_flipad import zoo

#: Half axes in voxels of one millimeter: of the first, second and third axis.
RADII = np.array([30, 60, 45])
SIZES = SimpleNamespace(**{option.name: option.small for option in data.SIZES})


@pytest.fixture(autouse=True)
def head(monkeypatch):
    """An ellipsoid in place of the volume."""
    grid = np.indices((120, 160, 140)) - np.array([60, 80, 70])[:, None, None, None]
    head = ((grid / RADII[:, None, None, None]) ** 2).sum(axis=0) <= 1
    files = SimpleNamespace(load=lambda path: SimpleNamespace(dataobj=200.0 * head))
    monkeypatch.setitem(sys.modules, "nibabel", files)
    monkeypatch.setattr(data, "debian_files", lambda package, files, folder: folder)


def test_slices_are_those_of_their_views(tmp_path, monkeypatch):
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


def test_slices_depend_on_their_seed(tmp_path):
    first, again, other = (data.slices(2, tmp_path, seed=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", data.NAMES)
def test_a_generator_is_trained_once(work, monkeypatch, name):
    made = data.generator(name, work, SIZES)
    assert made.output_shape == (1, 128, 128)
    assert isinstance(made, zoo.ConditionalDCGANGenerator) == (name == "c-dcgan")
    monkeypatch.setattr(data, "train_gan", partial(pytest.fail, "it is there already"))
    again = data.generator(name, work, SIZES)
    for key, value in made.state_dict().items():
        assert value.equal(again.state_dict()[key])


@pytest.mark.filterwarnings("ignore:.*not reproduced")
def test_small(run_small):
    rows = run_small("medical")
    assert {row["source"] for row in rows} == {"wgan-gp", "c-dcgan", "real"}
    assert {row["method"] for row in rows} == {*medical.OPTIONS[0].small}
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
