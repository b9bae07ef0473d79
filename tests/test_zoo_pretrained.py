"""The shipped generators, and saving and loading of generators."""

import numpy as np
import pytest
import torch

from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.sampling import sample
from sklearn_flipad.zoo import (
    DCGANGenerator,
    initialize_weights,
    list_pretrained,
    load_pretrained,
    pretrained_card,
    pretrained_samples,
)
from sklearn_flipad.zoo.grids import load_grid, save_grid
from sklearn_flipad.zoo.pretrained import load_generator, save_generator

SEEDS_0 = ["fashion/dcgan-0", "fashion/ebgan-0", "fashion/lsgan-0", "fashion/wgan-gp-0"]


@pytest.mark.parametrize("channels", [1, 3])
def test_grid(channels, tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (16, channels, 6, 5), dtype=np.uint8)
    save_grid(X, tmp_path / "grid.png")
    np.testing.assert_array_equal(load_grid(tmp_path / "grid.png"), X)
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]


def test_shipped_generators():
    assert set(SEEDS_0) <= set(list_pretrained())
    with pytest.raises(ValueError, match="fashion/dcgan-0"):
        load_pretrained("fashion/biggan-0")


@pytest.mark.parametrize("name", SEEDS_0)
def test_shipped_samples_look_like_the_data(name):
    generator = load_pretrained(name)
    assert not generator.training
    assert generator.output_shape == (1, 32, 32)
    card = pretrained_card(name)
    assert card["name"] == name
    assert {"seed", "data", "command", "date", "history", "objective"} <= set(card)
    X, real = sample(generator, 300, random_state=0), load_fashion_sample(300)
    assert X.shape == (300, 1, 32, 32)
    assert X.dtype == np.uint8
    assert abs(X.mean() - real.mean()) < 12
    assert abs(X.std() - real.std()) < 12
    # Diverse: the pixels vary over the samples about as much as over real garments.
    assert X.std(axis=0).mean() > 0.7 * real.std(axis=0).mean()
    # Garments lie in the middle.
    assert X[:, :, 8:24, 8:24].mean() > 1.5 * X[:, :, :2].mean()


@pytest.mark.parametrize("name", list_pretrained())
def test_samples_of_the_card_come_out_again(name):
    stored = pretrained_samples(name)
    again = sample(load_pretrained(name), len(stored), random_state=0)
    assert stored.shape == (16, 1, 32, 32)
    assert np.abs(again.astype(int) - stored).max() <= 1
    if pretrained_card(name)["torch"] == torch.__version__:
        np.testing.assert_array_equal(again, stored)


def test_save_and_load(tmp_path):
    generator = initialize_weights(DCGANGenerator(8, (16, 8), 1)).eval()
    card = {
        "generator": ("DCGANGenerator", {"latent_dim": 8, "channels": (16, 8), "out_channels": 1})
    }
    save_generator(generator, card, tmp_path / "a")
    back = load_generator(tmp_path / "a")
    for name, value in generator.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(value.half().float(), back.state_dict()[name])
