"""The shipped diffusion model is written with its card and its samples."""

import json

import pytest

from benchmarks.data import diffusion as data
from benchmarks.zoo import diffusion_model
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.zoo import diffusion as shipped
from sklearn_flipad.zoo import load_diffusion

pytest.importorskip("diffusers")


def test_what_is_written_is_what_is_loaded(tmp_path, monkeypatch, shipped_images):
    monkeypatch.setattr(
        diffusion_model, "load_fashion_mnist", lambda split: load_fashion_sample(50)
    )
    monkeypatch.setattr(diffusion_model, "N_STEPS_SAMPLED", 2)
    out, work = tmp_path / "model", tmp_path / "work"
    sizes = ["--n-steps", "2", "--n-samples", "20"]
    diffusion_model.main(["--out", str(out), "--work", str(work), *sizes])
    monkeypatch.setattr(shipped, "FOLDER", out)
    pipeline = load_diffusion()
    trained = data.diffusion_network("0", work, n_steps=2, n_steps_on=1)
    for one, other in zip(trained.parameters(), pipeline.unet.parameters(), strict=True):
        assert (one == other).all()
        assert not other.requires_grad
    assert json.loads((out / "card.json").read_text())["frechet_distance"]["n_samples"] == 20
    assert (out / "samples.png").exists()
    texts = [path.read_text() for path in out.rglob("*.json")]
    assert not any(str(tmp_path) in text for text in texts)
