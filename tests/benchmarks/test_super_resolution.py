"""The benchmark of super-resolution networks, and one of them from its package to a verdict."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.attribution import super_resolution
from benchmarks.data import super_resolution as data
from sklearn_flipad import DeepSADDetector, FinalLayer, make_flipad
from sklearn_flipad.detectors import MLP
from sklearn_flipad.final_layer._tracing import trace_final_layer
from sklearn_flipad.generators import sample


@pytest.fixture
def interpolating(monkeypatch):
    """Networks that interpolate between pixels."""

    def interpolate(scale, folder, low):
        made = torch.nn.Upsample(scale_factor=scale, mode="bilinear")
        made.latent_shape = low.shape[1:]
        return made

    monkeypatch.setattr(super_resolution, "network", interpolate)


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder of three gray photographs, the last two of which are for tests."""
    monkeypatch.setattr(data, "debian_files", lambda package, files, folder: tmp_path)
    for gray, name in enumerate(("Aqua.jpg", "Dune.jpg", "Wood.jpg")):
        Image.new("RGB", (200, 160), (gray * 120,) * 3).save(tmp_path / name)


@pytest.fixture
def folder(pytestconfig):
    """Folder that keeps a package from run to run."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    return pytestconfig.cache.mkdir("packages")


def test_weights_have_their_channels_first(tmp_path):
    kernel = np.arange(3 * 3 * 2 * 4, dtype="<f4").reshape(3, 3, 2, 4)
    bias = np.arange(4, dtype="<f4") - 7
    (tmp_path / "w.bin").write_bytes(kernel.tobytes() + bias.tobytes())
    weights = [{"name": "A/kernel", "shape": [3, 3, 2, 4]}, {"name": "A/bias", "shape": [4]}]
    manifest = {"weightsManifest": [{"paths": ["w.bin"], "weights": weights}]}
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    state = data._weights(tmp_path)
    assert state["A.weight"].shape == (4, 2, 3, 3)
    assert state["A.weight"][3, 1, 0, 2] == kernel[0, 2, 1, 3]
    np.testing.assert_array_equal(state["A.bias"], bias)


def test_test_photographs_are_others(photographs):
    seen, unseen = (data.tiles(6, None, test=test) for test in (False, True))
    assert seen.shape == unseen.shape == (6, 3, 64, 64)
    assert np.unique(seen).tolist() == [32]
    assert np.unique(unseen).tolist() == [round(32 + 191 * g / 255) for g in (120, 240)]


@pytest.mark.parametrize("source", ["2", "3", "8", "bicubic", "real"])
def test_sources_have_the_same_content_and_size(interpolating, source):
    rows, columns = np.indices((72, 72)) * 3
    photographs = np.stack([rows, columns, (rows + columns) // 2])[None].repeat(2, axis=0)
    made = super_resolution.images(source, photographs.astype(np.uint8), None)
    assert made.dtype == np.uint8
    assert made.shape == (2, 3, 64, 64)
    assert np.abs(made.astype(float) - photographs[..., :64, :64]).mean() < 12


@pytest.mark.filterwarnings("ignore:.*too few to whiten", "ignore:.*not reproduced")
def test_small(run_small, interpolating, photographs, tmp_path):
    rng = np.random.default_rng(0)
    for path in tmp_path.glob("*.jpg"):
        Image.fromarray(rng.integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(path)
    rows = run_small("super_resolution")
    assert {row["method"] for row in rows} == {*super_resolution.OPTIONS[0].small}
    assert {row["source"] for row in rows} == {"3", "4", "8", "bicubic", "real"}
    assert all(0 <= row["accuracy"] <= 1 for row in rows)


@pytest.mark.filterwarnings("ignore:.*too few to whiten")
def test_small_content(run_small, interpolating, photographs, tmp_path):
    rng = np.random.default_rng(0)
    for path in tmp_path.glob("*.jpg"):
        Image.fromarray(rng.integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(path)
    rows = run_small("content")
    assert [row["suspects"] for row in rows] == ["own", "half own"] * 2
    for row in rows:
        assert all(
            row[name][1] <= row[name][0] <= row[name][2] for name in ("unweighted", "weighted")
        )
        assert 0 < row["effective_size"] <= row["n_calibration"]


@pytest.mark.network
def test_from_a_package_to_a_verdict(folder):
    gray = np.random.default_rng(0).normal(128, 30, size=(700, 3, 4, 4)).clip(0, 255)
    low = np.rint(gray).astype(np.uint8).repeat(2, axis=2).repeat(2, axis=3)
    try:
        owner, sibling = (data.network(scale, folder, low) for scale in (2, 4))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the package cannot be had here: {error}")
    options = {"n_samples": 200, "random_state": 0}
    layer = FinalLayer.from_generator(owner, output_range=(0, 255), **options)
    trace = trace_final_layer(owner, **options)
    torch.testing.assert_close(layer.decode(trace.inputs), trace.samples, rtol=1e-5, atol=1e-3)

    own = layer.sample(owner, 600, random_state=1)
    others = sample(sibling, 200, output_range=(0, 255), random_state=2)[..., :16, :16]
    X, y = np.concatenate([own[:500], others[:100]]), np.repeat([1, -1], [500, 100])
    detector = DeepSADDetector(module=MLP, max_epochs=10, random_state=0)
    flipad = make_flipad(layer, lam=0.1, fnr=0.05, detector=detector, random_state=0).fit(X, y)
    assert (flipad.predict(own[500:]) == 1).mean() > 0.85
    assert (flipad.predict(others[100:]) == -1).mean() > 0.9
