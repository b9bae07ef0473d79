"""The generators and discriminators of Appendix G.2 of the FLIPAD paper.

The defaults are the paper's 64x64 RGB networks; every size is a parameter. A generator
carries ``latent_shape`` and ``output_shape``, so that it can be sampled without being
told either.
"""

from itertools import pairwise
from math import prod

import torch
from torch import nn

__all__ = [
    "ConvDiscriminator",
    "DCGANGenerator",
    "EBGANDiscriminator",
    "LSGANDiscriminator",
    "LSGANGenerator",
]


class DCGANGenerator(nn.Module):
    """Transposed-convolution generator shared by DCGAN, WGAN-GP and EBGAN.

    A 4x4 map is grown from the latent vector and doubled by every further layer, so the
    output has ``4 * 2 ** len(channels)`` pixels a side. Each hidden layer is a
    transposed convolution, batch normalisation and ReLU; the last is a transposed
    convolution without bias and tanh.

    Parameters
    ----------
    latent_dim : int, default=100
        Number of latent dimensions; latents have shape ``(n, latent_dim, 1, 1)``.
    channels : sequence of int, default=(512, 256, 128, 64)
        Channels of the hidden layers.
    out_channels : int, default=3
        Channels of the image.

    References
    ----------
    Appendix G.2 of Laszkiewicz et al., "Single-Model Attribution of Generative Models
    Through Final-Layer Inversion", ICML 2024; Radford et al., ICLR 2016.
    """

    def __init__(self, latent_dim=100, channels=(512, 256, 128, 64), out_channels=3):
        super().__init__()
        side = 4 * 2 ** len(channels)
        self.latent_shape = (latent_dim, 1, 1)
        self.output_shape = (out_channels, side, side)
        layers, width = [], latent_dim
        for depth, n_channels in enumerate(channels):
            stride, padding = (1, 0) if depth == 0 else (2, 1)
            layers += [
                nn.ConvTranspose2d(width, n_channels, 4, stride, padding, bias=False),
                nn.BatchNorm2d(n_channels),
                nn.ReLU(inplace=True),
            ]
            width = n_channels
        layers += [nn.ConvTranspose2d(width, out_channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z):
        return self.main(z.reshape(len(z), *self.latent_shape))


class LSGANGenerator(nn.Module):
    """Upsample-and-convolve generator of LSGAN.

    A linear layer makes a small map, three blocks of nearest-neighbour upsampling, 3x3
    convolution, batch normalisation and ReLU enlarge it eightfold, and a 3x3
    convolution with tanh makes the image.

    Parameters
    ----------
    latent_dim : int, default=100
        Number of latent dimensions; latents have shape ``(n, latent_dim)``.
    channels : sequence of 4 int, default=(128, 128, 128, 64)
        Channels of the first map and of the three blocks.
    out_channels : int, default=3
        Channels of the image.
    image_size : int, default=64
        Pixels a side; a multiple of 8.

    References
    ----------
    Appendix G.2 of Laszkiewicz et al., ICML 2024; Mao et al., ICCV 2017.
    """

    def __init__(self, latent_dim=100, channels=(128, 128, 128, 64), out_channels=3, image_size=64):
        super().__init__()
        if image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, got {image_size}.")
        self.latent_shape = (latent_dim,)
        self.output_shape = (out_channels, image_size, image_size)
        self.first_shape = (channels[0], image_size // 8, image_size // 8)
        self.project = nn.Linear(latent_dim, prod(self.first_shape))
        layers = []
        for width, n_channels in pairwise(channels):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(width, n_channels, 3, 1, 1),
                nn.BatchNorm2d(n_channels),
                nn.ReLU(inplace=True),
            ]
        layers += [nn.Conv2d(channels[-1], out_channels, 3, 1, 1), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z):
        z = self.project(z.reshape(len(z), *self.latent_shape))
        return self.main(z.reshape(len(z), *self.first_shape))


class ConvDiscriminator(nn.Module):
    """Strided-convolution discriminator of DCGAN, or critic of WGAN-GP.

    It returns one logit an image: the paper's final sigmoid is part of the DCGAN loss
    (:class:`~sklearn_flipad.generators.CrossEntropyObjective`).

    Parameters
    ----------
    channels : sequence of int, default=(64, 128, 256, 512)
        Channels of the hidden layers, each of which halves the image; after them it
        must have 4 pixels a side.
    in_channels : int, default=3
        Channels of the image.
    norm : {"batch", "layer"}, default="batch"
        Normalisation of all hidden layers but the first. ``"layer"`` is WGAN-GP's: a
        gradient penalty is a per-sample quantity that batch statistics would blur. The
        first layer then has a bias, without which the critic could not see contrast.

    References
    ----------
    Appendix G.2 of Laszkiewicz et al., ICML 2024; Gulrajani et al., NeurIPS 2017.
    """

    def __init__(self, channels=(64, 128, 256, 512), in_channels=3, norm="batch"):
        super().__init__()
        side = 4 * 2 ** len(channels)
        layers, width = [], in_channels
        for depth, n_channels in enumerate(channels):
            side //= 2
            # Layer normalisation undoes any scaling of the image unless a bias comes first.
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


class LSGANDiscriminator(nn.Module):
    """Discriminator of LSGAN: strided convolutions with dropout, then a linear layer.

    Parameters
    ----------
    channels : sequence of int, default=(16, 32, 64, 128, 128)
        Channels of the blocks, each of which halves the image.
    in_channels : int, default=3
        Channels of the image.
    image_size : int, default=64
        Pixels a side; a multiple of ``2 ** len(channels)``.

    References
    ----------
    Appendix G.2 of Laszkiewicz et al., ICML 2024; Mao et al., ICCV 2017.
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
    """Auto-encoder whose reconstruction error is the energy of EBGAN.

    Parameters
    ----------
    channels : sequence of int, default=(64, 128, 256)
        Channels of the encoder, each layer of which halves the image; the decoder
        mirrors them.
    in_channels : int, default=3
        Channels of the image.

    References
    ----------
    Appendix G.2 of Laszkiewicz et al., ICML 2024; Zhao et al., ICLR 2017.
    """

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
        """Energy ``(n,)`` and code ``(n, n_code)`` of each image."""
        code = self.encoder(x)
        energy = torch.square(self.decoder(code) - x).flatten(1).mean(dim=1)
        return energy, code.flatten(1)
