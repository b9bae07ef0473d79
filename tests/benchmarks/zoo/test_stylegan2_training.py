"""StyleGAN2: its discriminator, objective and training."""

import numpy as np
import pytest
import torch

from benchmarks.zoo.objectives import NonSaturatingObjective
from benchmarks.zoo.recipes import RECIPES, train_recipe
from benchmarks.zoo.stylegan2_discriminator import StyleGAN2Discriminator
from benchmarks.zoo.training import train_gan
from sklearn_flipad.zoo import StyleGAN2Generator
from sklearn_flipad.zoo.files.cards import load_generator

SMALL = {"latent_dim": 6, "style_dim": 5, "channels": (8, 6, 4), "out_channels": 3, "n_mapping": 2}


def test_discriminator():
    discriminator = StyleGAN2Discriminator((4, 6, 8), 1)
    x = torch.randn(8, 1, 16, 16)
    logits = discriminator(x)
    assert logits.shape == (8,)
    # Images are compared within groups: the same ones elsewhere have other logits.
    assert not torch.allclose(discriminator(x[:1].expand(8, -1, -1, -1))[0], logits[0])
    assert discriminator(x[:3]).shape == (3,)


def test_penalty_is_that_of_the_gradient():
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    real, fake = torch.zeros(5, 2), torch.zeros(5, 2)

    def judge(x):
        return x @ weight

    plain = NonSaturatingObjective(penalty=0.0, probability=1).discriminator_loss(judge, real, fake)
    assert plain.item() == pytest.approx(2 * np.log(2))
    loss = NonSaturatingObjective(penalty=2.0, probability=1).discriminator_loss(judge, real, fake)
    assert (loss - plain).item() == pytest.approx(25)
    loss.backward()
    torch.manual_seed(0)
    lazy = NonSaturatingObjective(penalty=2.0, probability=0.25)
    losses = [(lazy.discriminator_loss(judge, real, fake) - plain).item() for _ in range(400)]
    assert {round(value) for value in losses} == {0, 100}
    assert np.mean(losses) == pytest.approx(25, rel=0.3)


def test_training_changes_everything():
    torch.manual_seed(0)
    generator = StyleGAN2Generator(**{**SMALL, "out_channels": 1, "output": "tanh"})
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    X = np.random.default_rng(0).integers(0, 256, (32, 1, 16, 16), dtype=np.uint8)
    train_gan(
        generator, StyleGAN2Discriminator((4, 6, 8), 1), X, objective=NonSaturatingObjective(),
        n_epochs=1, batch_size=8, learning_rate=1e-2, betas=(0.0, 0.99), verbose=0,
    )  # fmt: skip
    after = generator.state_dict()
    same = [key for key in before if torch.equal(before[key], after[key].cpu())]
    assert all("noise_const" in key for key in same)


def test_recipe(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES["stylegan2"]["training"], "n_epochs", 1)
    X = np.random.default_rng(0).integers(0, 256, (32, 1, 32, 32), dtype=np.uint8)
    generator = train_recipe("stylegan2", X, out_dir=tmp_path, work_dir=tmp_path, verbose=0)
    back = load_generator(tmp_path / "fashion-stylegan2-0")
    z = torch.randn(2, 64)
    assert torch.equal(generator(z), back(z))
