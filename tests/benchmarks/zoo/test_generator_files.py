"""Generators that are written with their card and samples."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.zoo.generator_files import save_generator
from benchmarks.zoo.initialization import initialize_weights
from benchmarks.zoo.sample_files import save_grid
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import DCGANGenerator
from sklearn_flipad.zoo.files.cards import load_generator
from sklearn_flipad.zoo.files.samples import load_grid

SPEC = ["DCGANGenerator", {"latent_dim": 8, "channels": (16, 8), "out_channels": 1}]


@pytest.mark.parametrize("channels", [1, 3])
def test_grid(channels, tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (16, channels, 6, 5), dtype=np.uint8)
    save_grid(X, tmp_path / "grid.png")
    np.testing.assert_array_equal(load_grid(tmp_path / "grid.png"), X)
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]


def test_save_and_load(tmp_path):
    generator = initialize_weights(DCGANGenerator(8, (16, 8), 1)).eval()
    save_generator(generator, {"generator": SPEC}, tmp_path / "a")
    back = load_generator(tmp_path / "a")
    for name, value in generator.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(value.half().float(), back.state_dict()[name])


def test_stems_may_have_dots(tmp_path):
    saved = tmp_path / "model-0.5"
    save_generator(initialize_weights(DCGANGenerator(8, (16, 8), 1)), {"generator": SPEC}, saved)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["model-0.5.json", "model-0.5.png", "model-0.5.safetensors"]
    X = sample(load_generator(str(saved)), 16, random_state=0)
    np.testing.assert_array_equal(load_grid(f"{saved}.png"), X)


UNSAVED = [
    ({"generator": SPEC, "date": np.datetime64("2026-01-01")}, "JSON values only"),
    ({"generator": SPEC, "loss": float("nan")}, "JSON values only"),
    ({"name": "x"}, "card is not a model card"),
    ({"generator": ["DCGANGenerator", {"latent_dim": 9}]}, "are not those of the DCGANGenerator"),
]


@pytest.mark.parametrize(("card", "match"), UNSAVED)
def test_nothing_is_saved_under_a_wrong_card(card, match, tmp_path):
    generator = initialize_weights(DCGANGenerator(8, (16, 8), 1))
    with pytest.raises(ValueError, match=match):
        save_generator(generator, card, tmp_path / "folder" / "a")
    assert not list(tmp_path.iterdir())


def test_weights_beyond_half_precision_are_not_saved(tmp_path):
    generator = DCGANGenerator(8, (16, 8), 1)
    with torch.no_grad():
        generator.main[1].weight.fill_(1e5)
    with pytest.raises(ValueError, match=r"main.1.weight has values that are not finite in half"):
        save_generator(generator, {"generator": SPEC}, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_grids_are_checked(tmp_path):
    X = np.zeros((16, 1, 6, 5), dtype=np.uint8)
    for wrong in (X[:15], X[0], X / 255):
        with pytest.raises(ValueError, match="A grid takes 16 images"):
            save_grid(wrong, tmp_path / "grid.png")
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        save_grid(np.repeat(X, 2, axis=1), tmp_path / "grid.png")
    Image.fromarray(np.zeros((6, 8), dtype=np.uint8)).save(tmp_path / "other.png")
    with pytest.raises(ValueError, match=r"other.png is not a grid .* shape \(6, 8, 1\)"):
        load_grid(tmp_path / "other.png")
