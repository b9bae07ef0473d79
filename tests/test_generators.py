"""Architectures, training, sampling and the shipped generators."""

from functools import partial

import numpy as np
import pytest
import torch

from sklearn_flipad import FinalLayer, OutputActivation
from sklearn_flipad.datasets import load_fashion_mnist, load_fashion_sample
from sklearn_flipad.sampling import sample, sample_batches
from sklearn_flipad.zoo import (
    ConditionalConvDiscriminator,
    ConditionalDCGANGenerator,
    ConvDiscriminator,
    CrossEntropyObjective,
    DCGANGenerator,
    EBGANDiscriminator,
    EnergyObjective,
    LeastSquaresObjective,
    LSGANDiscriminator,
    LSGANGenerator,
    WassersteinGPObjective,
    fashion_frechet_distance,
    frechet_distance,
    initialize_weights,
    list_pretrained,
    load_fashion_classifier,
    load_pretrained,
    pretrained_card,
    pretrained_samples,
    recalibrate_batch_norm,
    train_gan,
)
from sklearn_flipad.zoo.grids import load_grid, save_grid
from sklearn_flipad.zoo.pretrained import load_generator, save_generator

SEEDS_0 = ["fashion/dcgan-0", "fashion/ebgan-0", "fashion/lsgan-0", "fashion/wgan-gp-0"]


def test_paper_architectures():
    """The default sizes of Appendix G.2."""
    generator = DCGANGenerator()
    convolutions = [m for m in generator.main if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [m.in_channels for m in convolutions] == [100, 512, 256, 128, 64]
    assert [m.padding[0] for m in convolutions] == [0, 1, 1, 1, 1]
    with torch.no_grad():
        assert generator(torch.randn(2, 100)).shape == (2, 3, 64, 64)
        images = LSGANGenerator()(torch.randn(2, 100))
        assert images.shape == (2, 3, 64, 64)
        assert ConvDiscriminator()(images).shape == (2,)
        assert LSGANDiscriminator()(images).shape == (2,)
        energy, code = EBGANDiscriminator()(images)
    assert energy.shape == (2,)
    assert code.shape == (2, 256 * 8 * 8)
    assert LSGANDiscriminator().main[-1].in_features == 512
    with pytest.raises(ValueError, match="multiple of 8"):
        LSGANGenerator(image_size=30)


MAMMOGRAPHY = (1024, 512, 256, 128, 64)


def test_128_pixel_grey_networks():
    """DCGAN, WGAN-GP and C-DCGAN of Appendix G.5."""
    critic = ConvDiscriminator(MAMMOGRAPHY[::-1], 1, norm="layer")
    labels = torch.tensor([0, 1])
    with torch.no_grad():
        images = DCGANGenerator(100, MAMMOGRAPHY, 1)(torch.randn(2, 100))
        assert images.shape == (2, 1, 128, 128)
        conditional = ConditionalDCGANGenerator()
        assert conditional.main[0].in_channels == 200
        assert conditional(torch.randn(2, 100), labels).shape == (2, 1, 128, 128)
        assert ConvDiscriminator(MAMMOGRAPHY[::-1], 1)(images).shape == (2,)
        assert critic(images).shape == (2,)
        assert ConditionalConvDiscriminator()(images, labels).shape == (2,)


@pytest.mark.parametrize(
    "generator", [partial(DCGANGenerator, 100, MAMMOGRAPHY, 1), ConditionalDCGANGenerator]
)
def test_final_layer_of_128_pixel_grey_generators(generator):
    # Without statistics of its own the outputs would be too small to tell tanh from identity.
    generator = recalibrate_batch_norm(initialize_weights(generator()), 1, batch_size=8).train()
    layer = FinalLayer.from_generator(generator, n_samples=6, batch_size=4, random_state=0)
    assert generator.training
    assert layer.output_shape == (1, 128, 128)
    assert layer.input_shape == (64, 64, 64)
    assert layer.activation == OutputActivation("tanh")
    np.testing.assert_array_equal(layer.weight, generator.main[-2].weight.detach().numpy())
    X = sample(generator, 2, random_state=0)
    assert X.shape == (2, 1, 128, 128)
    assert X.dtype == np.uint8


def test_conditional_generator_is_sampled_as_it_is():
    torch.manual_seed(0)
    generator = ConditionalDCGANGenerator(8, (16, 8), 1, n_classes=3, embedding_dim=4)
    X = sample(generator, 30, dtype="float32", random_state=0)
    for batch_size in (1, 7):
        again = sample(generator, 30, dtype="float32", batch_size=batch_size, random_state=0)
        np.testing.assert_allclose(again, X, atol=1e-5)

    z, labels = generator.sampler(3000, np.random.RandomState(0))
    assert z.shape == (3000, 8, 1, 1)
    assert np.abs(np.bincount(labels, minlength=3) - 1000).max() < 100
    assert abs(np.corrcoef(z[:, -1, 0, 0], labels)[0, 1]) < 0.06
    of_class = partial(generator.sampler, label=2)
    assert (of_class(5, np.random.RandomState(0))[1] == 2).all()
    for label in (-1, 3):
        with pytest.raises(ValueError, match=f"from 0 to 2, got {label}"):
            generator.sampler(5, np.random.RandomState(0), label=label)

    # The sampler that is given has precedence.
    X_2 = sample(generator, 30, dtype="float32", sampler=of_class, random_state=0)
    same = np.abs(X_2 - X).max(axis=(1, 2, 3)) < 1e-6
    np.testing.assert_array_equal(same, labels[:30] == 2)
    layer = FinalLayer.from_generator(generator, sampler=of_class, n_samples=30, random_state=0)
    default = FinalLayer.from_generator(generator, n_samples=30, random_state=0)
    assert layer.output_shape == default.output_shape == (1, 16, 16)
    assert not np.allclose(layer.mean_activation, default.mean_activation)


def test_submodule_called_sampler_is_not_a_sampler():
    class Net(DCGANGenerator):
        def __init__(self):
            super().__init__(8, (16, 8), 1)
            self.sampler = torch.nn.Identity()

    assert sample(Net(), 2).shape == (2, 1, 16, 16)


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
    assert [p.name for p in tmp_path.iterdir()] == ["run.ckpt"]


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


@pytest.mark.parametrize("channels", [1, 3])
def test_grid(channels, tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (16, channels, 6, 5), dtype=np.uint8)
    save_grid(X, tmp_path / "grid.png")
    np.testing.assert_array_equal(load_grid(tmp_path / "grid.png"), X)
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]


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


def test_training_needs_a_batch():
    generator, discriminator, objective = _small_gan("squares")
    with pytest.raises(ValueError, match="fewer than one batch"):
        train_gan(generator, discriminator, np.zeros((3, 1, 16, 16)), objective=objective)


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


def test_frechet_distance_to_the_data():
    real = load_fashion_sample()
    nearest = fashion_frechet_distance(real)
    for name in SEEDS_0:
        card = pretrained_card(name)["frechet_distance"]
        assert card["value_of_training_images"] < nearest < 0.2 * card["value"]
        X = sample(load_pretrained(name), 2000, random_state=0)
        assert fashion_frechet_distance(X) == pytest.approx(card["value"], rel=0.2)
    X = sample(load_pretrained(name), card["n_samples"], random_state=0)
    assert fashion_frechet_distance(X) == pytest.approx(card["value"], rel=1e-3)
    noise = np.random.default_rng(0).integers(0, 256, real.shape, dtype=np.uint8)
    assert fashion_frechet_distance(noise) > 5 * fashion_frechet_distance(X)
    for wrong in (real.astype(float), real[:, 0], real[:1]):
        with pytest.raises(ValueError, match="at least 2 images"):
            fashion_frechet_distance(wrong)


def test_classes_of_samples():
    """The generators make all ten kinds of garment, none of them more than a third."""
    classifier = load_fashion_classifier()
    for name in SEEDS_0:
        X = sample(load_pretrained(name), 500, random_state=0)
        with torch.no_grad():
            found = classifier(torch.from_numpy(X / 127.5 - 1).float()).argmax(dim=1)
        counts = np.bincount(found.numpy(), minlength=10)
        assert counts.min() > 0
        assert counts.max() < 170


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


@pytest.mark.parametrize("batch_size", [1, 7, 200])
def test_samples_do_not_depend_on_the_batch_size(dcgan, batch_size):
    expected = sample(dcgan, 20, dtype="float32", random_state=5)
    found = sample(dcgan, 20, dtype="float32", random_state=5, batch_size=batch_size)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_grey_levels(dcgan):
    x = sample(dcgan, 4, dtype="float32", random_state=0)
    levels = sample(dcgan, 4, random_state=0)
    np.testing.assert_array_equal(levels, np.rint((x.astype(float) + 1) * 127.5))
    narrow = sample(dcgan, 4, random_state=0, output_range=(-0.95, 0.85))
    assert narrow.max() == 255
    assert narrow.min() == 0
    with pytest.raises(ValueError, match=r"outside of \[-0.5, 0.5\]: they range from -0.96"):
        sample(dcgan, 4, random_state=0, output_range=(-0.5, 0.5))
    with pytest.raises(ValueError, match="dtype must be"):
        sample(dcgan, 1, dtype="int8")
    with pytest.raises(ValueError, match="at least 1"):
        sample(dcgan, 0)


def test_sampling_restores_the_mode():
    generator = DCGANGenerator(8, (16, 8), 1).train()
    assert sum(len(x) for x in sample_batches(generator, 5, batch_size=2, random_state=0)) == 5
    assert generator.training
    assert generator.main[1].num_batches_tracked == 0


def test_fashion_sample():
    X = load_fashion_sample()
    assert X.shape == (2000, 1, 32, 32)
    assert X.dtype == np.uint8
    assert X.min() == 32
    assert X.max() == 223
    assert (X[:, :, :2] == 32).all()
    recorded = load_fashion_sample(10, contrast=1)
    np.testing.assert_array_equal(np.rint(127.5 + 0.75 * (recorded - 127.5)), X[:10])
    for n in (0, 2001):
        with pytest.raises(ValueError, match="between 1 and 2000"):
            load_fashion_sample(n)
    with pytest.raises(ValueError, match="contrast"):
        load_fashion_sample(contrast=0)


def test_fashion_mnist_from_idx_files(tmp_path):
    import gzip

    images = np.arange(2 * 784, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)
    header = np.array([2051, 2, 28, 28], dtype=">i4").tobytes()
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(header + images.tobytes()))
    X = load_fashion_mnist("test", contrast=1, data_dir=tmp_path)
    np.testing.assert_array_equal(X[:, 0, 2:-2, 2:-2], images)
    path.write_bytes(gzip.compress(header + images.tobytes()[:-1]))
    with pytest.raises(ValueError, match="truncated"):
        load_fashion_mnist("test", data_dir=tmp_path)
    with pytest.raises(FileNotFoundError):
        load_fashion_mnist("train", data_dir=tmp_path)
    path.write_bytes(gzip.compress(header + images.tobytes()))
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    header = np.array([2049, 2], dtype=">i4").tobytes()
    labels.write_bytes(gzip.compress(header + bytes([9, 3])))
    X, y = load_fashion_mnist("test", data_dir=tmp_path, return_X_y=True)
    assert X.shape == (2, 1, 32, 32)
    np.testing.assert_array_equal(y, [9, 3])
    labels.write_bytes(gzip.compress(header + bytes([9])))
    with pytest.raises(ValueError, match="IDX file of 2 labels"):
        load_fashion_mnist("test", data_dir=tmp_path, return_X_y=True)
    with pytest.raises(ValueError, match="'train' or 'test'"):
        load_fashion_mnist("validation")
