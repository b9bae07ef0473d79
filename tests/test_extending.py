"""The recipes of the page on extending do what the page says, from Python and by the command."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    FinalLayerInverter,
    inspect_attributor,
    load_attributor,
    make_rawpad,
    save_attributor,
)
from sklearn_flipad.detectors import MLP
from sklearn_flipad.operators.links.kinds import LINK_KINDS
from sklearn_flipad.pipelines import METHODS, method_of
from sklearn_flipad.scoring import score_files
from sklearn_flipad.solvers import LassoProblem
from tests.test_docs import ROOT, shown_code


@pytest.fixture(scope="module")
def page():
    """Names that the page defines; the tables are restored afterwards."""
    kinds, methods, names = dict(LINK_KINDS), dict(METHODS), {"__name__": "page"}
    exec(compile(shown_code("docs/extending.rst"), "extending", "exec"), names)
    yield names
    for table, before in ((LINK_KINDS, kinds), (METHODS, methods)):
        table.clear()
        table.update(before)


class Mirrored(nn.Module):
    latent_shape = (4,)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(4, 72), nn.Conv2d(2, 1, 3)

    def forward(self, z):
        h = torch.relu(self.first(z)).reshape(-1, 2, 6, 6)
        return torch.tanh(self.last(h).flip(3))


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    own = np.clip(rng.normal(100, 10, (120, 1, 6, 6)), 0, 255).astype(np.uint8)
    return own, rng.integers(0, 256, (40, 1, 6, 6), dtype=np.uint8)


def test_a_kind_of_link(page, tmp_path):
    generator = Mirrored()
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    assert [link.kind for link in layer.links] == ["conv", "flip"]
    operator = layer.operator(dtype=torch.float64)
    z, r = torch.randn(2, 3, *operator.input_shape), torch.randn(2, 3, *operator.output_shape)
    z, r = z[0].double(), r[0].double()
    forward, adjoint = (operator.forward(z) * r).sum(), (z * operator.adjoint(r)).sum()
    torch.testing.assert_close(forward, adjoint)
    layer.save(tmp_path / "layer.safetensors")
    assert FinalLayer.load(tmp_path / "layer.safetensors") == layer
    X = layer.sample(generator, 3, dtype="float32", random_state=0)
    inverter = FinalLayerInverter(layer, tol=1e-4)
    back = inverter.inverse_transform(inverter.fit_transform(X))
    assert np.abs(back - X).max() < 0.05
    with pytest.raises(ValueError, match="A flip has the argument axes"):
        page["Link"]("flip", None, {"axes": (-1,)})


def test_a_solver(page):
    torch.manual_seed(0)
    layer = FinalLayer.from_module(nn.Linear(8, 4), input_shape=(8,))
    problem = LassoProblem(layer.operator(), torch.randn(5, 4), 0.1)
    found, expected = page["ISTA"]().solve(problem, tol=1e-5, max_iter=200_000), None
    for name in ("douglas-rachford", "fista"):
        expected = (
            FinalLayerInverter(layer, solver=name)
            ._solver()
            .solve(problem, tol=1e-6, max_iter=100_000)
        )
        torch.testing.assert_close(found.objective, expected.objective, rtol=1e-4, atol=0)
    assert found.converged.all()
    limits = {"tol": 1e-5, "max_iter": 200_000}
    for k in range(5):
        alone = page["ISTA"]().solve(problem.select(slice(k, k + 1)), **limits)
        assert torch.equal(alone.z[0], found.z[k])
    inverter = FinalLayerInverter(layer, solver=page["ISTA"](), max_iter=50_000)
    assert inverter.fit_transform(np.zeros((2, 4), np.float32)).shape == (2, 8)


def test_a_detector_and_a_rule(page, samples):
    own, others = samples
    X, y = np.concatenate([own, others]), np.repeat([1, -1], [len(own), len(others)])
    detector, rule = page["NearestInlierDetector"](), page["SampleQuantile"]()
    attributor = make_rawpad(detector=detector, rule=rule, fnr=0.1, random_state=0).fit(X, y)
    assert (attributor.predict(others) == -1).all()
    scores = -attributor["detect"].calibration_scores_
    assert np.mean(scores > attributor["detect"].threshold_) <= 0.1
    with pytest.raises(ValueError, match="fnr must lie"):
        rule.min_size(0)


def test_a_method(page, samples, tmp_path):
    own, others = samples
    X, y = np.concatenate([own, others]), np.repeat([1, -1], [len(own), len(others)])
    detector = DeepSADDetector(module=MLP, module_params={"hidden": (8,)}, max_epochs=2)
    attributor = page["make_edges"](detector=detector, fnr=0.1, random_state=0).fit(X, y)
    save_attributor(attributor, tmp_path / "edges.flipad")
    assert inspect_attributor(tmp_path / "edges.flipad").method == "edges"
    loaded = load_attributor(tmp_path / "edges.flipad")
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))
    assert method_of(attributor["edges"]).title == "differences of neighboring pixels"


def test_a_method_of_a_detector(page, samples, tmp_path):
    own, others = samples
    X, y = np.concatenate([own, others]), np.repeat([1, -1], [len(own), len(others)])
    attributor = page["make_mean"](fnr=0.1, random_state=0).fit(X, y)
    assert (attributor.predict(others) == -1).all()
    save_attributor(attributor, tmp_path / "mean.flipad")
    found = inspect_attributor(tmp_path / "mean.flipad")
    assert (found.method, found.sample_shape) == ("mean", (1, 6, 6))
    loaded = load_attributor(tmp_path / "mean.flipad")
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))


def test_a_method_whose_files_tell_no_shape_is_refused_before_work(page, tmp_path):
    pytest.importorskip("typer")
    from sklearn_flipad.cli.fit import fit_attributor
    from sklearn_flipad.cli.options import FitOptions

    METHODS["mean"] = replace(METHODS["mean"], estimator=page["NearestInlierDetector"])
    options = FitOptions("none", tmp_path / "m", method="mean")
    with pytest.raises(ValueError, match=r"NearestInlierDetector declare _stored as Stored\.with"):
        fit_attributor(options, None)
    METHODS["mean"] = replace(METHODS["mean"], estimator=page["MeanDistanceDetector"])
    # The advice leads on to the generator.
    with pytest.raises(AttributeError, match="step"):
        fit_attributor(options, None)


def test_a_file_format(page, samples, tmp_path):
    own, others = samples
    X, y = np.concatenate([own, others]), np.repeat([1, -1], [len(own), len(others)])
    detector = page["NearestInlierDetector"]()
    attributor = make_rawpad(detector=detector, fnr=0.1, random_state=0).fit(X, y)
    (tmp_path / "files").mkdir()
    for k, image in enumerate(own[:3]):
        np.save(tmp_path / "files" / f"{k}.npy", image)
    np.save(tmp_path / "files" / "3.npy", np.zeros(4))
    out = tmp_path / "scores.csv"
    summary = score_files(attributor, tmp_path / "files", out, decoder=page["ArrayDecoder"]())
    assert (summary.n_files, summary.n_scored, summary.formats) == (4, 3, {"NPY": 3})
    table = pd.read_csv(out)
    np.testing.assert_allclose(table["score"][:3], attributor.score_samples(own[:3]))
    assert "no image" in table["reason"][3]


STUDIO = """
if __name__ == "__main__":
    import json
    import sys

    from sklearn_flipad.cli import main

    for arguments in json.loads(sys.argv.pop()):
        sys.argv[1:] = arguments
        try:
            main()
        except SystemExit as stopped:
            assert not stopped.code
"""
MODEL = """
import torch
from torch import nn


def trained():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
"""


def test_a_method_by_the_command(samples, tmp_path):
    """Fitted, inspected, scored and reported, as a stranger's program does it."""
    pytest.importorskip("typer")
    pytest.importorskip("jinja2")
    (tmp_path / "studio.py").write_text(shown_code("docs/extending.rst") + textwrap.dedent(STUDIO))
    (tmp_path / "model.py").write_text(MODEL)
    rng = np.random.default_rng(0)
    for folder, n in (("photos", 100), ("suspects", 6)):
        (tmp_path / folder).mkdir()
        for k, image in enumerate(rng.integers(0, 256, (n, 8, 8), dtype=np.uint8)):
            Image.fromarray(image).save(tmp_path / folder / f"{k:03d}.png")

    def flipad(*commands):
        """Run commands one after the other in a new process; what they print."""
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "studio.py", json.dumps(commands)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""  # they are quiet, and so are the processes that they start
        return map(json.loads, done.stdout.splitlines())

    fit = ["fit", "model.py:trained", "--method", "edges", "--negatives", "photos", "--out", "m"]
    fit += ["--samples", "120", "--fnr", "0.05", "--epochs", "2", "--quiet"]
    score = ["score", "m", "suspects", "--json", "--quiet", "--out"]
    fitted, inspected, scored = flipad(
        [*fit, "--json"], ["inspect", "m", "--json"], [*score, "v.csv", "--report", "r.html"]
    )
    assert fitted["method"] == inspected["method"] == "edges"
    (by_two,) = flipad([*score, "w.csv", "--jobs", "2"])
    assert scored["n_scored"] == by_two["n_scored"] == 6
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "v.csv"), pd.read_csv(tmp_path / "w.csv"))
    page = (tmp_path / "r.html").read_text()
    assert "EdgeTransformer" in page
    assert "005.png" in page
