"""The discriminators of the zoo."""

import torch

from benchmarks.zoo.discriminators import (
    ConditionalConvDiscriminator,
    ConvDiscriminator,
    EBGANDiscriminator,
    LSGANDiscriminator,
)

MAMMOGRAPHY = (64, 128, 256, 512, 1024)


def test_paper_architectures():
    """The default sizes of Appendix G.2."""
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert ConvDiscriminator()(images).shape == (2,)
        assert LSGANDiscriminator()(images).shape == (2,)
        energy, code = EBGANDiscriminator()(images)
    assert energy.shape == (2,)
    assert code.shape == (2, 256 * 8 * 8)
    assert LSGANDiscriminator().main[-1].in_features == 512


def test_128_pixel_gray_discriminators():
    """DCGAN, WGAN-GP and C-DCGAN of Appendix G.5."""
    critic = ConvDiscriminator(MAMMOGRAPHY, 1, norm="layer")
    images, labels = torch.randn(2, 1, 128, 128), torch.tensor([0, 1])
    with torch.no_grad():
        assert ConvDiscriminator(MAMMOGRAPHY, 1)(images).shape == (2,)
        assert critic(images).shape == (2,)
        assert ConditionalConvDiscriminator()(images, labels).shape == (2,)
