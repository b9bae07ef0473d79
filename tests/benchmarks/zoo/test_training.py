"""Training a generator, and the objectives."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch

from benchmarks.zoo.batch_norm import recalibrate_batch_norm
from benchmarks.zoo.discriminators import (
    ConditionalConvDiscriminator,
    ConvDiscriminator,
    EBGANDiscriminator,
    LSGANDiscriminator,
)
from benchmarks.zoo.initialization import initialize_weights
from benchmarks.zoo.objectives import (
    CrossEntropyObjective,
    EnergyObjective,
    LeastSquaresObjective,
    WassersteinGPObjective,
)
from benchmarks.zoo.training import train_gan
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import ConditionalDCGANGenerator, DCGANGenerator
from sklearn_flipad.zoo.files.samples import load_grid
from tests.benchmarks.zoo.networks import Conditioned


def _small_gan(kind):
    generator = DCGANGenerator(8, (16, 8), 1)
    if kind == "energy":
        return generator, EBGANDiscriminator((4, 8), 1), EnergyObjective()
    norm = "layer" if kind == "wasserstein" else "batch"
    discriminator = ConvDiscriminator((8, 16), 1, norm=norm)
    if kind == "squares":
        discriminator = LSGANDiscriminator((8, 16), 1, 16)
    objective = {
        "cross-entropy": CrossEntropyObjective(),
        "wasserstein": WassersteinGPObjective(),
        "squares": LeastSquaresObjective(),
    }[kind]
    return generator, discriminator, objective


KINDS = ["cross-entropy", "wasserstein", "squares", "energy"]


def _train(kind, n_epochs, **options):
    generator, discriminator, objective = _small_gan(kind)
    X = np.random.default_rng(0).integers(0, 256, (70, 1, 16, 16), dtype=np.uint8)
    history = train_gan(
        initialize_weights(generator),
        initialize_weights(discriminator, 1),
        X,
        objective=objective,
        n_epochs=n_epochs,
        batch_size=16,
        n_critic=2,
        device="cpu",
        verbose=0,
        **options,
    )
    return generator, history


@pytest.mark.parametrize("kind", KINDS)
def test_training_resumes_to_the_same_weights(kind, tmp_path):
    whole, history = _train(kind, 3)
    _train(kind, 2, checkpoint=tmp_path / "run.ckpt")
    resumed, resumed_history = _train(kind, 3, checkpoint=tmp_path / "run.ckpt")
    assert resumed_history == history
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert {p.name for p in tmp_path.iterdir()} <= {"run.ckpt", "run.ckpt.lock"}


def test_training_with_sample_grids(tmp_path):
    torch.manual_seed(0)
    without, history = _train("squares", 3)
    torch.manual_seed(0)
    whole, whole_history = _train("squares", 3, sample_dir=tmp_path / "whole")
    assert whole_history == history
    for name, value in without.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name

    names = [f"epoch-{epoch:03d}.png" for epoch in (1, 2, 3)]
    assert sorted(p.name for p in (tmp_path / "whole").iterdir()) == names
    X = load_grid(tmp_path / "whole" / names[-1])
    assert X.shape == (16, 1, 16, 16)
    np.testing.assert_array_equal(X, sample(whole, 16, random_state=0))

    options = {"sample_dir": tmp_path / "parts", "checkpoint": tmp_path / "run.ckpt"}
    _train("squares", 2, **options)
    assert sorted(p.name for p in (tmp_path / "parts").iterdir()) == names[:2]
    _train("squares", 3, **options)
    for name in names:
        parts = [(tmp_path / folder / name).read_bytes() for folder in ("whole", "parts")]
        assert parts[0] == parts[1]


def test_noise_of_the_samples_does_not_reach_the_training(tmp_path):
    class Noisy(DCGANGenerator):
        def forward(self, z):
            x = super().forward(z)
            return x + 0.01 * torch.randn_like(x)

    def train(**options):
        generator = initialize_weights(Noisy(8, (16, 8), 1))
        discriminator = initialize_weights(ConvDiscriminator((8, 16), 1), 1)
        X = np.full((32, 1, 16, 16), 7, dtype=np.uint8)
        objective = CrossEntropyObjective()
        return train_gan(
            *(generator, discriminator, X),
            objective=objective,
            n_epochs=2,
            batch_size=16,
            verbose=0,
            **options,
        )

    assert train() == train(sample_dir=tmp_path)


def _train_conditional(norm, n_epochs, **options):
    generator = ConditionalDCGANGenerator(8, (16, 8), 1, n_classes=2, embedding_dim=8)
    discriminator = ConditionalConvDiscriminator((8, 16), 1, norm=norm, n_classes=2)
    labels = np.arange(64) % 2
    noise = np.random.default_rng(0).integers(0, 30, (64, 1, 16, 16))
    X = (200 * labels[:, None, None, None] + noise).astype(np.uint8)
    train_gan(
        initialize_weights(generator),
        initialize_weights(discriminator, 1),
        X,
        labels=labels,
        objective=WassersteinGPObjective() if norm == "layer" else CrossEntropyObjective(),
        n_epochs=n_epochs,
        batch_size=16,
        learning_rate=2e-3,
        verbose=0,
        **options,
    )
    return generator


def test_conditional_training_learns_the_classes(tmp_path):
    generator = _train_conditional("batch", 6, sample_dir=tmp_path)
    recalibrate_batch_norm(generator, n_batches=10, batch_size=64)
    means = [
        sample(generator, 50, sampler=partial(generator.sampler, label=label)).mean()
        for label in (0, 1)
    ]
    assert means[0] < 100 < 130 < means[1]
    assert load_grid(tmp_path / "epoch-006.png").shape == (16, 1, 16, 16)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_conditional_training_resumes_to_the_same_weights(norm, tmp_path):
    whole = _train_conditional(norm, 2)
    _train_conditional(norm, 1, checkpoint=tmp_path / "run.ckpt")
    resumed = _train_conditional(norm, 2, checkpoint=tmp_path / "run.ckpt")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_training_needs_a_label_for_each_image():
    generator, discriminator, objective = _small_gan("squares")
    X = np.zeros((16, 1, 16, 16), dtype=np.uint8)
    for labels in ([0, 1], np.zeros(16), np.full(16, -1)):
        with pytest.raises(ValueError, match="labels must be 16 integers from 0"):
            train_gan(
                generator, discriminator, X, objective=objective, labels=labels, batch_size=16
            )


def test_training_is_seeded_and_local():
    generator, discriminator, objective = _small_gan("squares")
    X = np.zeros((16, 1, 16, 16), dtype=np.uint8)
    state = torch.get_rng_state()
    train_gan(
        generator, discriminator, X, objective=objective, n_epochs=1, batch_size=16, verbose=0
    )
    assert torch.equal(torch.get_rng_state(), state)

    first, _ = _train("squares", 1)
    torch.manual_seed(7)
    again, _ = _train("squares", 1)
    other, _ = _train("squares", 1, random_state=1)
    assert torch.equal(first.main[0].weight, again.main[0].weight)
    assert not torch.equal(first.main[0].weight, other.main[0].weight)


def test_callbacks_and_other_threads_do_not_reach_the_training():
    seen = []

    def callback(epoch, generator, losses):
        torch.manual_seed(epoch)
        # Waits for a thread that needs the global random numbers too.
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(sample, generator, 2, random_state=0).result())

    without, history = _train("squares", 2)
    with_it, its_history = _train("squares", 2, callback=callback)
    assert its_history == history
    assert torch.equal(without.main[0].weight, with_it.main[0].weight)
    np.testing.assert_array_equal(seen[-1], sample(with_it, 2, random_state=0))


def test_frozen_weights_stay_as_they_are():
    generator, discriminator, objective = _small_gan("cross-entropy")
    for network in (generator, discriminator):
        network.main[0].requires_grad_(False)
    frozen = [generator.main[0].weight.clone(), discriminator.main[0].weight.clone()]
    moving = discriminator.main[2].weight.clone()
    X = np.random.default_rng(0).integers(0, 256, (32, 1, 16, 16), dtype=np.uint8)
    train_gan(
        generator, discriminator, X, objective=objective, n_epochs=1, batch_size=16, verbose=0
    )
    assert torch.equal(generator.main[0].weight, frozen[0])
    assert torch.equal(discriminator.main[0].weight, frozen[1])
    assert not discriminator.main[0].weight.requires_grad
    assert not torch.equal(discriminator.main[2].weight, moving)
    assert discriminator.main[2].weight.requires_grad


def _conditional_pair():
    generator = ConditionalDCGANGenerator(8, (16, 8), 1, n_classes=2, embedding_dim=8)
    return generator, ConditionalConvDiscriminator((8, 16), 1, n_classes=2)


def _frozen():
    generator, discriminator, _ = _small_gan("cross-entropy")
    return generator.requires_grad_(False), discriminator


def _without_latent_shape():
    generator, discriminator, _ = _small_gan("cross-entropy")
    del generator.latent_shape
    return generator, discriminator


IMAGES = np.zeros((32, 1, 16, 16), dtype=np.uint8)
#: Options, the networks if they are not the usual ones, and what the error says.
REFUSED = [
    ({"X": IMAGES[:3]}, None, "fewer than one batch of 16"),
    ({"X": IMAGES / 255}, None, "array of type uint8"),
    ({"X": IMAGES[:, 0]}, None, "got type uint8 and shape"),
    ({"X": IMAGES[..., :8]}, None, r"shape \(1, 16, 8\), but the generator makes \(1, 16, 16\)"),
    ({}, lambda: (DCGANGenerator(8, (16, 8), 1), ConvDiscriminator((8, 16), 3)), "discriminator"),
    ({}, lambda: (DCGANGenerator(8, (16, 8), 3), ConvDiscriminator((8, 16), 1)), "generator makes"),
    ({}, _conditional_pair, "The generator cannot be called with inputs of shape"),
    ({"labels": np.arange(32) % 3}, _conditional_pair, "classes from 0 to 2"),
    ({"labels": np.arange(32) % 2}, None, "The generator cannot be called"),
    ({}, _frozen, "call generator.requires_grad_"),
    ({}, _without_latent_shape, "no attribute latent_shape"),
    ({"n_critic": 3}, None, "An epoch has 2 steps"),
    ({"n_epochs": 0}, None, "'n_epochs' parameter"),
    ({"learning_rate": -1.0}, None, "'learning_rate' parameter"),
    ({"betas": (0.5, 1.0)}, None, "betas must be"),
    ({"betas": 0.5}, None, "'betas' parameter"),
    ({"random_state": None}, None, "'random_state' parameter"),
    ({"device": "abacus"}, None, "device='abacus'"),
    ({"sample_dir": __file__}, None, "sample_dir must be a folder"),
    (
        {"sample_dir": "unused", "X": np.repeat(IMAGES, 2, axis=1)},
        lambda: (DCGANGenerator(8, (16, 8), 2), ConvDiscriminator((8, 16), 2)),
        "1 or 3 channels",
    ),
    (
        {"sample_dir": "unused", "labels": np.arange(32) % 2},
        lambda: tuple(map(Conditioned, _small_gan("cross-entropy")[:2])),
        "needs a generator with a method sampler",
    ),
]


@pytest.mark.parametrize(("options", "networks", "match"), REFUSED)
def test_nothing_is_changed_before_everything_is_checked(
    options, networks, match, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    generator, discriminator, objective = _small_gan("cross-entropy")
    if networks is not None:
        generator, discriminator = networks()
    generator.train()
    discriminator.eval()

    def everything():
        for network in (generator, discriminator):
            for name, value in network.state_dict().items():
                yield name, value.stride(), value.tolist()
            yield [module.training for module in network.modules()]
        yield torch.get_rng_state().tolist()

    before = list(everything())
    options = {"X": IMAGES, "objective": objective, "batch_size": 16, "n_epochs": 1, **options}
    with pytest.raises(ValueError, match=match):
        train_gan(generator, discriminator, checkpoint="run.ckpt", verbose=0, **options)
    assert list(everything()) == before
    assert not list(tmp_path.iterdir())


def test_generators_without_a_bounded_output_have_sample_grids(tmp_path):
    _, discriminator, objective = _small_gan("squares")
    generator = DCGANGenerator(8, (16, 8), 1)
    generator.main[-1] = torch.nn.Identity()
    with torch.no_grad():
        generator.main[-2].weight *= 100
    options = {"batch_size": 16, "n_epochs": 1, "verbose": 0, "sample_dir": tmp_path}
    train_gan(generator, discriminator, IMAGES, objective=objective, **options)
    assert load_grid(tmp_path / "epoch-001.png").max() == 255


def test_energy_objective_pulls_away():
    class Codes(torch.nn.Module):
        def forward(self, x):
            return torch.zeros(len(x)), x.flatten(1)

    same, different = torch.ones(4, 4), torch.eye(4)
    loss = EnergyObjective(pull_away=0.1).generator_loss
    assert float(loss(Codes(), same)) == pytest.approx(0.1)
    assert float(loss(Codes(), different)) == pytest.approx(0.0, abs=1e-7)


def test_recalibrated_statistics_are_averages():
    generator = initialize_weights(DCGANGenerator(8, (16, 8), 1))
    recalibrate_batch_norm(generator, n_batches=3, batch_size=32, random_state=0)
    assert not generator.training
    norm = generator.main[1]
    assert norm.momentum == 0.1
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        hidden = [generator.main[0](torch.randn(32, 8, 1, 1, generator=rng)) for _ in range(3)]
    expected = torch.cat(hidden).mean(dim=(0, 2, 3))
    torch.testing.assert_close(norm.running_mean, expected, atol=1e-5, rtol=1e-5)
