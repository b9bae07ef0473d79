"""The shipped generators, and loading of generators from files."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch

from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import (
    DCGANGenerator,
    list_pretrained,
    load_pretrained,
    pretrained_card,
    pretrained_samples,
)
from sklearn_flipad.zoo.files.cards import floating, load_generator

SEEDS_0 = ["fashion/dcgan-0", "fashion/ebgan-0", "fashion/lsgan-0", "fashion/wgan-gp-0"]


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


@pytest.mark.parametrize("name", list_pretrained("fashion"))
def test_samples_of_the_card_come_out_again(name):
    stored = pretrained_samples(name)
    again = sample(load_pretrained(name), len(stored), random_state=0)
    assert stored.shape == (16, 1, 32, 32)
    assert np.abs(again.astype(int) - stored).max() <= 1
    if pretrained_card(name)["torch"] == torch.__version__:
        np.testing.assert_array_equal(again, stored)


SPEC = ["DCGANGenerator", {"latent_dim": 8, "channels": [16, 8], "out_channels": 1}]


@pytest.fixture
def saved(tmp_path):
    """Stem of the card and the weights of a generator."""
    weights = floating(DCGANGenerator(8, (16, 8), 1).state_dict())
    tensors = {name: value.half() for name, value in weights.items()}
    safetensors.torch.save_file(tensors, tmp_path / "model-0.5.safetensors")
    (tmp_path / "model-0.5.json").write_text(json.dumps({"generator": SPEC}))
    return tmp_path / "model-0.5"


CARDS = [
    ("{", "not valid JSON"),
    ("[1]", "entry 'generator' must be"),
    ('{"name": "x"}', "entry 'generator' must be"),
    (
        '{"generator": ["prod", {}]}',
        "one of ConditionalDCGANGenerator, DCGANGenerator, LSGANGenerator",
    ),
    ('{"generator": ["ConvDiscriminator", {}]}', "one of ConditionalDCGANGenerator"),
    ('{"generator": ["DCGANGenerator"]}', "entry 'generator' must be"),
    ('{"generator": ["DCGANGenerator", {"width": 3}]}', "that DCGANGenerator refuses.*width"),
    ('{"generator": ["DCGANGenerator", {"channels": [-1]}]}', "that DCGANGenerator refuses"),
    ('{"generator": ["DCGANGenerator", {"channels": []}]}', "weights of .* are not those"),
    ('{"generator": ["LSGANGenerator", {"image_size": 16}]}', r"weights of .* are not those"),
]


@pytest.mark.parametrize(("card", "match"), CARDS)
def test_cards_that_describe_no_generator(card, match, saved):
    path = saved.with_name("model-0.5.json")
    path.write_text(card)
    with pytest.raises(ValueError, match=match) as error:
        load_generator(saved)
    assert str(path) in str(error.value)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def _rewrite(change):
    def damage(path):
        tensors = safetensors.torch.load(path.read_bytes())
        change(tensors)
        path.write_bytes(safetensors.torch.save(tensors))

    return damage


WEIGHTS = {
    "not a complete safetensors file": _truncate,
    r"main.0.weight \(absent instead of \(8, 16, 4, 4\)\)": _rewrite(
        lambda tensors: tensors.pop("main.0.weight")
    ),
    r"extra \(\(3,\) instead of absent\)": _rewrite(
        lambda tensors: tensors.update(extra=torch.zeros(3))
    ),
    r"main.1.bias \(\(2,\) instead of \(16,\)\)": _rewrite(
        lambda tensors: tensors.update({"main.1.bias": torch.zeros(2)})
    ),
}


@pytest.mark.parametrize("match", WEIGHTS)
def test_weights_that_do_not_belong_to_the_card(match, saved):
    path = saved.with_name("model-0.5.safetensors")
    WEIGHTS[match](path)
    with pytest.raises(ValueError, match=match) as error:
        load_generator(saved)
    assert str(path) in str(error.value)
