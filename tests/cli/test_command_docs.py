"""The commands that the documentation shows run as they stand."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.io import wavfile

pytest.importorskip("typer")
pytest.importorskip("jinja2")
from typer.testing import CliRunner

from sklearn_flipad import LatentEncoder
from sklearn_flipad.cli.app import app
from sklearn_flipad.generators import sample

ROOT = Path(__file__).parents[2]
BLOCK = {
    ".md": r"```{}\n(.*?)```",
    ".rst": r"\.\. code-block:: {}\n\n((?:    [^\n]*\n|\n)+)",
}
VOCODER = """
import torch
from torch import nn

class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose1d(8, 4, 16), nn.LeakyReLU(), nn.ConvTranspose1d(4, 1, 4, 4), nn.Tanh()
        )

    def forward(self, z):
        return self.layers(z)
"""

AUTOENCODER = """
from torch import nn

def load():
    return nn.Sequential(nn.AvgPool2d(2), nn.Upsample(scale_factor=2))
"""

DIFFUSION = """
from tests.diffusion_models import flow_sampler

def sampler():
    return flow_sampler(16, n_steps=3)
"""


def blocks(name, language):
    """Code that a page shows in a language."""
    path = ROOT / name
    found = re.findall(BLOCK[path.suffix].format(language), path.read_text(), re.DOTALL)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def commands(name):
    lines = "".join(blocks(name, "sh")).replace("\\\n", "").splitlines()
    return [line.partition(" ")[2] for line in lines if line.startswith("flipad ")]


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """A folder with all that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    for module in ("model", "vocoder", "autoencoder", "diffusion"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    (tmp_path / "model.py").write_text(blocks("docs/command.rst", "python")[0])
    (tmp_path / "vocoder.py").write_text(VOCODER)
    (tmp_path / "autoencoder.py").write_text(AUTOENCODER)
    (tmp_path / "diffusion.py").write_text(DIFFUSION)
    requests = pd.DataFrame({"seed": range(300), "class_labels": np.arange(300) % 2, "user": 7})
    requests.to_csv("requests.csv", index=False)
    rng = np.random.default_rng(0)
    for folder in ("photos", "suspects", "published", "speech", "clips", "known"):
        (tmp_path / folder).mkdir()
    for code, weights in (("model.py", "generator.pt"), ("vocoder.py", "vocoder.pt")):
        torch.manual_seed(0)
        names = {}
        exec((tmp_path / code).read_text(), names)
        generator = names["Generator"]()
        torch.save(generator.state_dict(), weights)
        if code == "model.py":
            images = sample(generator, 540, latent_shape=(64, 1, 1), random_state=3)
        else:
            sounds = sample(generator, 20, dtype="float32", latent_shape=(8, 1), random_state=3)
    noise = rng.integers(0, 256, (160, 16, 16), dtype=np.uint8)
    labels = ["path,label"]
    for k, image in enumerate([*images[520:, 0], *noise[140:]]):
        Image.fromarray(image).save(tmp_path / "known" / f"{k:02d}.png")
        labels.append(f"known/{k:02d}.png,{'own' if k < 20 else 'other'}")
    (tmp_path / "known.csv").write_text("\n".join(labels))
    for k, image in enumerate(images[:500, 0]):
        Image.fromarray(image).save(tmp_path / "published" / f"{k:04d}.png")
    for k, image in enumerate(noise[:120]):
        Image.fromarray(image).save(tmp_path / "photos" / f"{k:03d}.png")
    for k, image in enumerate([*images[500:520, 0], *noise[120:140]]):
        Image.fromarray(image).save(tmp_path / "suspects" / f"{k:02d}.png")
    for k, signal in enumerate(rng.normal(0, 0.3, (120, 64))):
        values = np.rint(signal.clip(-0.99, 0.99) * 2**15).astype("int16")
        wavfile.write(tmp_path / "speech" / f"{k:03d}.wav", 16000, values)
    for k, signal in enumerate(sounds[:, 0]):
        values = np.rint(signal * 2**15).clip(-(2**15), 2**15 - 1).astype("int16")
        wavfile.write(tmp_path / "clips" / f"{k:02d}.wav", 16000, values)
    short = lambda **options: LatentEncoder(max_steps=150, **options)  # noqa: E731
    monkeypatch.setattr("sklearn_flipad.pipelines.reproduction.LatentEncoder", short)
    yield tmp_path
    for module in ("model", "vocoder", "autoencoder", "diffusion"):
        sys.modules.pop(module, None)


def run(command):
    arguments = shlex.split(command)
    if arguments[0] == "fit":  # what only makes it slow
        arguments += ["--epochs", "3", "--fnr", "0.02"]
        n_own = "100" if "seeded" in arguments else "500"
        arguments += [] if "--own" in arguments else ["--samples", n_own]
        arguments = ["0:1000" if value == "0:1000000" else value for value in arguments]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, f"{command}\n{done.stderr}"
    return done


def test_every_command_of_the_page(studio):
    found = commands("docs/command.rst")
    assert len(found) > 10
    for command in found:
        run(command)
    for name in ("verdicts.csv", "verdicts.jsonl", "proof.csv", "clips.csv"):
        assert (studio / name).stat().st_size
    for name in ("report.html", "again.html", "evaluative.html", "validation.html"):
        assert "<html" in (studio / name).read_text()
    for name in ("verdicts.csv", "clips.csv"):
        table = pd.read_csv(studio / name)
        assert (table["status"] == "scored").all()
        assert (table["verdict"][:20] == "own").sum() >= 18
    assert set(pd.read_csv(studio / "seeds.csv")["verdict"]) == {"not own"}
    verdicts = pd.read_csv(studio / "verdicts.csv")
    assert (verdicts["prediction"][20:] == -1).all()


@pytest.mark.parametrize("page", ["README.md", "docs/index.rst"])
def test_other_pages_show_the_same_commands(page):
    found = commands(page)
    assert len(found) == 2
    assert set(found) <= set(commands("docs/command.rst"))
