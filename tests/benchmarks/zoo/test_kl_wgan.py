"""KL-WGAN: its objective and training, and distances of tables."""

from functools import partial

import numpy as np
import pytest
import torch

from benchmarks.data import tabular
from benchmarks.zoo.discriminators import KLWGANCritic
from benchmarks.zoo.objectives import KLWassersteinObjective, WassersteinGPObjective
from benchmarks.zoo.recipes import RECIPES, train_recipe
from benchmarks.zoo.table_quality import table_distances
from benchmarks.zoo.training import train_gan
from sklearn_flipad.datasets import load_redwine
from sklearn_flipad.generators import sample
from sklearn_flipad.tabular import TablePreparer
from sklearn_flipad.zoo import (
    KLWGANGenerator,
    list_pretrained,
    load_pretrained,
    pretrained_card,
)
from sklearn_flipad.zoo.files.cards import load_generator

NAMES = list_pretrained("redwine")


def small_networks():
    torch.manual_seed(0)
    return KLWGANGenerator(3, 2, (16, 16)), KLWGANCritic(3, (16, 16))


def rows(n=64, dtype=np.float32):
    return np.random.default_rng(0).normal(size=(n, 3)).astype(dtype)


def trained(objective, n_epochs=3, **options):
    generator, critic = small_networks()
    options = {"n_critic": 2, "batch_size": 16, "verbose": 0, "device": "cpu", **options}
    history = train_gan(
        generator, critic, rows(), objective=objective, n_epochs=n_epochs, **options
    )
    return generator, history


def test_objective_is_that_of_the_paper():
    real, fake = torch.randn(5, 3), torch.randn(6, 3)
    critic = small_networks()[1].eval()
    d = critic(fake).detach()
    weights = torch.exp(d) / torch.exp(d).mean()
    objective = KLWassersteinObjective()
    hinges = (1 - critic(real)).clamp_min(0).mean() + (1 + weights * d).clamp_min(0).mean()
    torch.testing.assert_close(objective.discriminator_loss(critic, real, fake), hinges)
    torch.testing.assert_close(objective.generator_loss(critic, fake), -(weights * d).mean())


def test_training_on_rows_resumes_to_the_same_weights(tmp_path):
    objective = KLWassersteinObjective()
    whole, history = trained(objective)
    trained(objective, 2, checkpoint=tmp_path / "run.ckpt")
    resumed, again = trained(objective, checkpoint=tmp_path / "run.ckpt")
    assert again == history
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_gradient_penalty_of_rows():
    """One place between real and generated for each row, not for each pair of rows."""
    objective, critic = WassersteinGPObjective(), torch.nn.Linear(3, 1)
    real, fake = torch.randn(4, 3), torch.randn(4, 3)
    slope = critic.weight.norm()
    difference = critic(fake).mean() - critic(real).mean()
    loss = objective.discriminator_loss(lambda x: critic(x)[:, 0], real, fake)
    torch.testing.assert_close(loss, difference + 10 * (slope - 1) ** 2)


def test_what_does_not_fit_is_refused(tmp_path):
    generator, critic = small_networks()
    options = {"objective": KLWassersteinObjective(), "batch_size": 16, "verbose": 0}
    spoilt = rows()
    spoilt[3, 1] = np.nan
    for X, match in (
        (rows(dtype=np.float64)[:, :2], r"samples of X have shape \(2,\)"),
        (spoilt, "NaN, infinity"),
        (rows().astype(int), "or the rows of a table"),
        (rows()[:8], "8 samples, fewer than one batch"),
    ):
        with pytest.raises(ValueError, match=match):
            train_gan(generator, critic, X, **options)
    with pytest.raises(ValueError, match="sample_dir needs images"):
        train_gan(generator, critic, rows(), sample_dir=tmp_path, **options)


def test_recipe_writes_what_it_returns(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES["kl-wgan"]["training"], "n_epochs", 2)
    X = TablePreparer(decimals=None).fit_transform(load_redwine())
    generator = train_recipe("kl-wgan", X, seed=3, out_dir=tmp_path, work_dir=tmp_path, verbose=0)
    back = load_generator(tmp_path / "redwine-kl-wgan-3")
    z = torch.randn(5, 10)
    assert torch.equal(generator(z), back(z))
    assert not (tmp_path / "redwine-kl-wgan-3.png").exists()


@pytest.mark.parametrize("name", NAMES)
def test_rows_look_like_the_table(name):
    real = TablePreparer(decimals=None).fit_transform(load_redwine())
    X = sample(load_pretrained(name), len(real), dtype="float32", random_state=0)
    card = pretrained_card(name)["table_distances"]
    found = table_distances(X, real)
    assert found == pytest.approx({key: card[key] for key in found}, abs=5e-4)
    assert found["columns"] < 1.3 * card["columns_of_halves"]
    assert found["correlations"] < 1.3 * card["correlations_of_halves"]


def test_distances_of_tables():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    assert table_distances(X, X) == {"columns": 0.0, "correlations": 0.0}
    moved = table_distances(X * [1, 10] + [0.5 * X[:, 0].std(), 0], X * [1, 10])
    assert moved["columns"] == pytest.approx(0.25)
    shuffled = np.column_stack([X[:, 0], rng.permutation(X[:, 1])])
    assert table_distances(shuffled, X)["correlations"] == pytest.approx(0.8, abs=0.05)
    for wrong in (X[:, :1], X[:1], X[0]):
        with pytest.raises(ValueError, match="two tables with the same columns"):
            table_distances(wrong, X)


def test_a_seed_of_redwine_that_is_not_shipped_is_trained_once(tmp_path, monkeypatch):
    spec = RECIPES["kl-wgan"]
    quick = {**spec, "training": {**spec["training"], "n_epochs": 1}}
    monkeypatch.setitem(RECIPES, "kl-wgan", quick)
    made = tabular.load_owner("redwine", 5, tmp_path)
    monkeypatch.setattr(tabular, "train_recipe", partial(pytest.fail, "it is there already"))
    again = tabular.load_owner("redwine", 5, tmp_path)
    shipped = tabular.load_owner("redwine", 0, tmp_path).state_dict()
    for name, value in made.state_dict().items():
        assert value.equal(again.state_dict()[name])
        assert value.shape == shipped[name].shape
