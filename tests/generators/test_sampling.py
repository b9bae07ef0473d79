"""Drawing latents and samples."""

from functools import partial

import numpy as np
import pytest
import torch

from sklearn_flipad import FinalLayer
from sklearn_flipad.generators import sample, sample_batches
from sklearn_flipad.zoo import ConditionalDCGANGenerator, DCGANGenerator


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


@pytest.mark.parametrize("batch_size", [1, 7, 200])
def test_samples_do_not_depend_on_the_batch_size(dcgan, batch_size):
    expected = sample(dcgan, 20, dtype="float32", random_state=5)
    found = sample(dcgan, 20, dtype="float32", random_state=5, batch_size=batch_size)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_gray_levels(dcgan):
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
