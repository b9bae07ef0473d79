"""The generators of the zoo."""

from functools import partial

import numpy as np
import pytest
import torch

from benchmarks.zoo.batch_norm import recalibrate_batch_norm
from benchmarks.zoo.initialization import initialize_weights
from sklearn_flipad import FinalLayer, OutputActivation
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import ConditionalDCGANGenerator, DCGANGenerator, LSGANGenerator


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
    with pytest.raises(ValueError, match="multiple of 8"):
        LSGANGenerator(image_size=30)


MAMMOGRAPHY = (1024, 512, 256, 128, 64)


def test_128_pixel_gray_generators():
    """DCGAN, WGAN-GP and C-DCGAN of Appendix G.5."""
    labels = torch.tensor([0, 1])
    with torch.no_grad():
        images = DCGANGenerator(100, MAMMOGRAPHY, 1)(torch.randn(2, 100))
        assert images.shape == (2, 1, 128, 128)
        conditional = ConditionalDCGANGenerator()
        assert conditional.main[0].in_channels == 200
        assert conditional(torch.randn(2, 100), labels).shape == (2, 1, 128, 128)


@pytest.mark.parametrize(
    "generator", [partial(DCGANGenerator, 100, MAMMOGRAPHY, 1), ConditionalDCGANGenerator]
)
def test_final_layer_of_128_pixel_gray_generators(generator):
    # Without statistics of its own the outputs would be too small to tell tanh from identity.
    generator = recalibrate_batch_norm(initialize_weights(generator()), 1, batch_size=8).train()
    layer = FinalLayer.from_generator(generator, n_samples=6, batch_size=4, random_state=0)
    assert generator.training
    assert layer.output_shape == (1, 128, 128)
    assert layer.input_shape == (64, 64, 64)
    assert layer.activation == OutputActivation("tanh")
    np.testing.assert_array_equal(layer.links[0].weight, generator.main[-2].weight.detach().numpy())
    X = sample(generator, 2, random_state=0)
    assert X.shape == (2, 1, 128, 128)
    assert X.dtype == np.uint8
