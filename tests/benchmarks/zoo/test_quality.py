"""The quality of the shipped generators."""

import numpy as np
import pytest
import torch

from benchmarks.zoo.quality import (
    fashion_frechet_distance,
    frechet_distance,
    load_fashion_classifier,
)
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained, pretrained_card

SEEDS_0 = ["fashion/dcgan-0", "fashion/ebgan-0", "fashion/lsgan-0", "fashion/wgan-gp-0"]


def test_frechet_distance_of_normal_distributions():
    rng = np.random.default_rng(0)
    root, other = rng.normal(size=(2, 4, 4))
    covariance = root @ root.T
    shift = rng.normal(size=4)
    # A linear map of normal vectors moves x to T x: known in closed form if T is symmetric.
    transport = other @ other.T
    moved = transport @ covariance @ transport
    cost = np.trace((np.eye(4) - transport) @ covariance @ (np.eye(4) - transport))
    found = frechet_distance(np.zeros(4), covariance, shift, moved)
    assert found == pytest.approx(shift @ shift + cost)
    assert frechet_distance(shift, covariance, shift, covariance) == pytest.approx(0, abs=1e-9)


@pytest.fixture(scope="module")
def samples():
    """1,000 images of each generator; of the last one as many as its card was measured with."""
    numbers = dict.fromkeys(SEEDS_0, 1000)
    numbers[SEEDS_0[-1]] = pretrained_card(SEEDS_0[-1])["frechet_distance"]["n_samples"]
    return {name: sample(load_pretrained(name), n, random_state=0) for name, n in numbers.items()}


def test_frechet_distance_to_the_data(samples):
    real = load_fashion_sample()
    nearest = fashion_frechet_distance(real)
    for name, X in samples.items():
        card = pretrained_card(name)["frechet_distance"]
        assert card["value_of_training_images"] < nearest < 0.2 * card["value"]
        rel = 1e-3 if len(X) == card["n_samples"] else 0.2
        distance = fashion_frechet_distance(X)
        assert distance == pytest.approx(card["value"], rel=rel)
    noise = np.random.default_rng(0).integers(0, 256, (500, *real.shape[1:]), dtype=np.uint8)
    assert fashion_frechet_distance(noise) > 5 * distance
    for wrong in (real.astype(float), real[:, 0], real[:1]):
        with pytest.raises(ValueError, match="at least 2 images"):
            fashion_frechet_distance(wrong)


def test_classes_of_samples(samples):
    """The generators make all ten kinds of garment, none of them more than a third."""
    classifier = load_fashion_classifier()
    for X in samples.values():
        with torch.no_grad():
            found = classifier(torch.from_numpy(X[:500] / 127.5 - 1).float()).argmax(dim=1)
        counts = np.bincount(found.numpy(), minlength=10)
        assert counts.min() > 0
        assert counts.max() < 170
