"""The recipes of the shipped generators."""

from functools import partial

import numpy as np
import pytest
import torch

from benchmarks.zoo import recipes
from benchmarks.zoo.measure_quality import train_fashion_classifier
from benchmarks.zoo.quality import load_fashion_classifier
from benchmarks.zoo.recipes import RECIPES, train_recipe
from sklearn_flipad.zoo.files.cards import load_generator

X = np.random.default_rng(0).integers(0, 256, (256, 1, 32, 32), dtype=np.uint8)


def test_recipe_writes_what_it_returns(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES["dcgan"]["training"], "n_epochs", 1)
    few = partial(recipes.recalibrate_batch_norm, n_batches=2)
    monkeypatch.setattr(recipes, "recalibrate_batch_norm", few)
    folders = {"out_dir": tmp_path / "out", "work_dir": tmp_path / "work"}
    generator = train_recipe("dcgan", X, seed=3, verbose=0, **folders)
    back = load_generator(tmp_path / "out" / "fashion-dcgan-3")
    for name, value in generator.state_dict().items():
        assert torch.equal(value, back.state_dict()[name])
    with pytest.raises(ValueError, match=r"X: .* in the checkpoint"):
        train_recipe("dcgan", X[::-1], seed=3, verbose=0, **folders)


def test_unknown_recipes(tmp_path):
    with pytest.raises(ValueError, match="'gan'; there are dcgan, wgan-gp, lsgan, ebgan"):
        train_recipe("gan", X, out_dir=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_made_is_noted_before_the_training(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(FileExistsError):
        train_recipe("dcgan", X, out_dir=tmp_path / "out", work_dir=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_classifier_is_seeded_and_local():
    y = np.arange(256) % 10
    state = torch.get_rng_state()
    first, again = (train_fashion_classifier(X, y, n_epochs=1) for _ in range(2))
    other = train_fashion_classifier(X, y, n_epochs=1, random_state=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
    assert first.state_dict().keys() == load_fashion_classifier().state_dict().keys()
    for images, classes in ((X[:100], y[:100]), (X, y[:200])):
        with pytest.raises(ValueError, match="at least 128 images and one class for each"):
            train_fashion_classifier(images, classes)
