"""The generators of Appendix G.2 and G.5 of the FLIPAD paper.

The defaults are the paper's 64x64 RGB networks, and for the class-conditional one the 128x128
gray network; every size is a parameter. A generator has attributes ``latent_shape`` and
``output_shape``, so that it can be sampled without being told either.
"""

from itertools import pairwise
from math import prod

import torch
from scipy.special import ndtr
from torch import nn

__all__ = ["ConditionalDCGANGenerator", "DCGANGenerator", "LSGANGenerator"]


class DCGANGenerator(nn.Module):
    """Transposed-convolution generator shared by DCGAN, WGAN-GP and EBGAN.

    The first layer maps the latent vector to 4x4 pixels, and every further one doubles the
    resolution, so the output has ``4 * 2 ** len(channels)`` pixels per side. Each hidden layer is
    a transposed convolution, batch normalization and ReLU; the last is a transposed convolution
    without bias and tanh.

    Parameters
    ----------
    latent_dim : int, default=100
        Number of latent dimensions; latents have shape ``(n, latent_dim, 1, 1)``.
    channels : sequence of int, default=(512, 256, 128, 64)
        Channels of the hidden layers.
    out_channels : int, default=3
        Channels of the image.

    Notes
    -----
    With ``channels=(1024, 512, 256, 128, 64), out_channels=1`` this is the 128x128 gray
    generator of the paper's medical experiments, DCGAN and WGAN-GP alike (Appendix G.5:
    models 5 and 6 of medigan). The sizes are those of the training code that Szafranowska
    et al. published; they were not compared with the pretrained weights.

    References
    ----------
    Appendix G.2 of Laszkiewicz et al., "Single-Model Attribution of Generative Models
    Through Final-Layer Inversion", ICML 2024; Radford et al., ICLR 2016.

    Szafranowska et al., "Sharing Generative Models Instead of Private Data: A Simulation
    Study on Mammography Patch Classification", IWBI 2022; Osuala et al., "medigan: a
    Python Library of Pretrained Generative Models for Medical Image Synthesis", Journal
    of Medical Imaging, 2023.
    """

    #: Values of black and white pixels.
    output_range = (-1.0, 1.0)

    def __init__(self, latent_dim=100, channels=(512, 256, 128, 64), out_channels=3):
        super().__init__()
        side = 4 * 2 ** len(channels)
        #: Arguments of the constructor.
        self.arguments = {
            "latent_dim": latent_dim,
            "channels": tuple(channels),
            "out_channels": out_channels,
        }
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


class ConditionalDCGANGenerator(DCGANGenerator):
    """DCGAN generator whose input is a latent and a class (C-DCGAN).

    The class is embedded and concatenated with the latent; the rest is
    :class:`DCGANGenerator`. ``forward(z, labels)`` takes latents
    ``(n, latent_dim, 1, 1)`` and integer labels ``(n,)`` in ``0 .. n_classes - 1``.
    Its method :meth:`sampler` draws both, so that
    :func:`~sklearn_flipad.generators.sample` and
    :meth:`~sklearn_flipad.FinalLayer.from_generator` take the generator as it is.

    Parameters
    ----------
    latent_dim : int, default=100
        Number of latent dimensions.
    channels : sequence of int, default=(1024, 512, 256, 128, 64)
        Channels of the hidden layers.
    out_channels : int, default=1
        Channels of the image.
    n_classes : int, default=2
        Number of classes.
    embedding_dim : int, default=100
        Number of dimensions of an embedded class.

    Notes
    -----
    The defaults describe the 128x128 gray C-DCGAN of the paper's medical experiments
    (Appendix G.5: model 12 of medigan, malignant or benign masses). The sizes are those of
    the training code that Szafranowska et al. published; they were not compared with the
    pretrained weights. That code maps a label to as many values as the latent
    has through a linear layer and a leaky ReLU. For a finite set of classes this is a
    table of one vector per class, which is what an embedding is.

    References
    ----------
    Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014; Appendix G.5 of
    Laszkiewicz et al., ICML 2024; Szafranowska et al., IWBI 2022; Osuala et al., Journal
    of Medical Imaging, 2023.

    Examples
    --------
    >>> from functools import partial
    >>> from sklearn_flipad.zoo import ConditionalDCGANGenerator
    >>> from sklearn_flipad.generators import sample
    >>> generator = ConditionalDCGANGenerator(channels=(16, 8))
    >>> sample(generator, 3, random_state=0).shape
    (3, 1, 16, 16)
    >>> of_class_1 = partial(generator.sampler, label=1)
    >>> sample(generator, 3, sampler=of_class_1, random_state=0).shape
    (3, 1, 16, 16)
    """

    def __init__(
        self,
        latent_dim=100,
        channels=(1024, 512, 256, 128, 64),
        out_channels=1,
        n_classes=2,
        embedding_dim=100,
    ):
        super().__init__(latent_dim + embedding_dim, channels, out_channels)
        self.arguments |= {
            "latent_dim": latent_dim,
            "n_classes": n_classes,
            "embedding_dim": embedding_dim,
        }
        self.latent_shape = (latent_dim, 1, 1)
        self.embedding = nn.Embedding(n_classes, embedding_dim)

    def forward(self, z, labels):
        code = torch.cat([z.flatten(1), self.embedding(labels)], dim=1)
        return self.main(code[:, :, None, None])

    def sampler(self, n, rng, label=None):
        """Draw inputs of the generator.

        Parameters
        ----------
        n : int
            Number of inputs.
        rng : numpy.random.RandomState
            Source of random numbers.
        label : int, default=None
            Class of all inputs; by default all classes are equally likely.

        Returns
        -------
        z : torch.Tensor of float32, shape (n, latent_dim, 1, 1)
            Latents, drawn from N(0, I).
        labels : torch.Tensor of int64, shape (n,)
            Their classes.

        Raises
        ------
        ValueError
            If `label` is not a class of the generator.
        """
        n_classes = self.embedding.num_embeddings
        if label is not None and not 0 <= label < n_classes:
            raise ValueError(f"label must be a class from 0 to {n_classes - 1}, got {label}.")
        # A further normal number decides the class, so that draws do not depend on the split
        # into batches.
        values = rng.standard_normal((n, self.latent_shape[0] + 1))
        z = torch.from_numpy(values[:, :-1]).float().reshape(n, *self.latent_shape)
        labels = torch.from_numpy(ndtr(values[:, -1]) * n_classes).long().clamp(max=n_classes - 1)
        return z, labels if label is None else torch.full_like(labels, label)


class LSGANGenerator(nn.Module):
    """Upsample-and-convolve generator of LSGAN.

    A linear layer maps the latent to a small image, three blocks of nearest-neighbor upsampling,
    3x3 convolution, batch normalization and ReLU enlarge it eightfold, and a 3x3 convolution with
    tanh returns the output.

    Parameters
    ----------
    latent_dim : int, default=100
        Number of latent dimensions; latents have shape ``(n, latent_dim)``.
    channels : sequence of 4 int, default=(128, 128, 128, 64)
        Channels of the small image and of the three blocks.
    out_channels : int, default=3
        Channels of the image.
    image_size : int, default=64
        Pixels per side; a multiple of 8.

    Raises
    ------
    ValueError
        If `image_size` is not a multiple of 8.

    References
    ----------
    Appendix G.2 of Laszkiewicz et al., ICML 2024; Mao et al., ICCV 2017.
    """

    #: Values of black and white pixels.
    output_range = (-1.0, 1.0)

    def __init__(self, latent_dim=100, channels=(128, 128, 128, 64), out_channels=3, image_size=64):
        super().__init__()
        if image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, got {image_size}.")
        #: Arguments of the constructor.
        self.arguments = {
            "latent_dim": latent_dim,
            "channels": tuple(channels),
            "out_channels": out_channels,
            "image_size": image_size,
        }
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
