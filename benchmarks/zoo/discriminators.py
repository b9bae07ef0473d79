"""Discriminators of Appendix G.2, G.5 and G.6 of the FLIPAD paper.

The defaults are those for the paper's 64x64 RGB images, for :class:`ConditionalConvDiscriminator`
128x128 gray ones, for :class:`KLWGANCritic` the 11 columns of Redwine.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = [
    "ConditionalConvDiscriminator",
    "ConvDiscriminator",
    "EBGANDiscriminator",
    "KLWGANCritic",
    "LSGANDiscriminator",
]


class ConvDiscriminator(nn.Module):
    """Discriminator of DCGAN, or with ``norm="layer"`` critic of WGAN-GP, with one logit per image.

    Each hidden layer halves the image, down to 4x4. The paper's final sigmoid is part of
    :class:`~benchmarks.zoo.objectives.CrossEntropyObjective`. Layer normalization is WGAN-GP's
    (Gulrajani et al., NeurIPS 2017): a gradient penalty is a per-sample quantity that batch
    statistics would blur.
    """

    def __init__(self, channels=(64, 128, 256, 512), in_channels=3, norm="batch"):
        super().__init__()
        side = 4 * 2 ** len(channels)
        layers, width = [], in_channels
        for depth, n_channels in enumerate(channels):
            side //= 2
            # Layer normalization undoes any scaling of the image unless a bias comes first:
            # without one the critic could not see contrast.
            bias = depth == 0 and norm == "layer"
            layers.append(nn.Conv2d(width, n_channels, 4, 2, 1, bias=bias))
            if depth > 0 and norm == "batch":
                layers.append(nn.BatchNorm2d(n_channels))
            elif depth > 0 and norm == "layer":
                layers.append(nn.LayerNorm([n_channels, side, side]))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            width = n_channels
        layers.append(nn.Conv2d(width, 1, 4, 1, 0, bias=False))
        self.main = nn.Sequential(*layers)

    def forward(self, x):
        return self.main(x).flatten()


class ConditionalConvDiscriminator(ConvDiscriminator):
    """Discriminator of C-DCGAN: the class is embedded as a further channel of the image.

    The kernels are 4x4, as everywhere in the paper; the training code that Szafranowska et al.
    (IWBI 2022) published has 6x6 kernels in its discriminators.
    """

    def __init__(
        self, channels=(64, 128, 256, 512, 1024), in_channels=1, norm="batch", n_classes=2
    ):
        super().__init__(channels, in_channels + 1, norm)
        side = 4 * 2 ** len(channels)
        self.embedding = nn.Embedding(n_classes, side * side)

    def forward(self, x, labels):
        plane = self.embedding(labels).reshape(len(x), 1, *x.shape[2:])
        return super().forward(torch.cat([x, plane], dim=1))


class LSGANDiscriminator(nn.Module):
    """Discriminator of LSGAN: strided convolutions with dropout, then a linear layer.

    `image_size` is a multiple of ``2 ** len(channels)``.
    """

    def __init__(self, channels=(16, 32, 64, 128, 128), in_channels=3, image_size=64):
        super().__init__()
        layers, width = [], in_channels
        for depth, n_channels in enumerate(channels):
            layers += [
                nn.Conv2d(width, n_channels, 3, 2, 1),
                nn.LeakyReLU(0.2, inplace=True),
                nn.Dropout2d(0.25),
            ]
            if depth > 0:
                layers.append(nn.BatchNorm2d(n_channels))
            width = n_channels
        side = image_size // 2 ** len(channels)
        layers += [nn.Flatten(), nn.Linear(width * side * side, 1)]
        self.main = nn.Sequential(*layers)

    def forward(self, x):
        return self.main(x).flatten()


class EBGANDiscriminator(nn.Module):
    """Auto-encoder of EBGAN: energies (n,), its mean squared errors, and codes (n, n_code)."""

    def __init__(self, channels=(64, 128, 256), in_channels=3):
        super().__init__()
        encoder, width = [], in_channels
        for depth, n_channels in enumerate(channels):
            encoder.append(nn.Conv2d(width, n_channels, 4, 2, 1, bias=False))
            if depth < len(channels) - 1:
                encoder += [nn.BatchNorm2d(n_channels), nn.LeakyReLU(0.2, inplace=True)]
            width = n_channels
        decoder = []
        for depth, n_channels in enumerate((*reversed(channels[:-1]), in_channels)):
            decoder.append(nn.ConvTranspose2d(width, n_channels, 4, 2, 1, bias=False))
            if depth < len(channels) - 1:
                decoder += [nn.BatchNorm2d(n_channels), nn.ReLU(inplace=True)]
            width = n_channels
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.Sequential(*decoder)

    def forward(self, x):
        code = self.encoder(x)
        energy = torch.square(self.decoder(code) - x).flatten(1).mean(dim=1)
        return energy, code.flatten(1)


class KLWGANCritic(nn.Module):
    """Fully connected critic of KL-WGAN, spectrally normalized throughout."""

    def __init__(self, n_columns=11, hidden=(300, 300)):
        super().__init__()
        layers = []
        for width, n_units in pairwise((n_columns, *hidden)):
            layers += [spectral_norm(nn.Linear(width, n_units)), nn.LeakyReLU()]
        layers.append(spectral_norm(nn.Linear(hidden[-1], 1)))
        self.main = nn.Sequential(*layers)

    def forward(self, x):
        return self.main(x).flatten()
