"""The generators and discriminators of Appendix G.2 and G.5 of the FLIPAD paper.

The defaults are the paper's 64x64 RGB networks, and for the class-conditional pair the
128x128 gray ones; every size is a parameter. A generator carries ``latent_shape`` and
``output_shape``, so that it can be sampled without being told either.
"""

from itertools import pairwise
from math import prod

import torch
from scipy.special import ndtr
from torch import nn

__all__ = [
    "ConditionalConvDiscriminator",
    "ConditionalDCGANGenerator",
    "ConvDiscriminator",
    "DCGANGenerator",
    "EBGANDiscriminator",
    "LSGANDiscriminator",
    "LSGANGenerator",
]


class DCGANGenerator(nn.Module):
    """Transposed-convolution generator shared by DCGAN, WGAN-GP and EBGAN.

    A 4x4 map is grown from the latent vector and doubled by every further layer, so the
    output has ``4 * 2 ** len(channels)`` pixels per side. Each hidden layer is a
    transposed convolution, batch normalization and ReLU; the last is a transposed
    convolution without bias and tanh.

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

    #: Values of black and white.
    output_range = (-1.0, 1.0)

    def __init__(self, latent_dim=100, channels=(512, 256, 128, 64), out_channels=3):
        super().__init__()
        side = 4 * 2 ** len(channels)
        #: What the constructor was called with.
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
    Having a method :meth:`sampler`, the generator can be given to
    :func:`~sklearn_flipad.generators.sample` and
    :meth:`~sklearn_flipad.FinalLayer.from_generator` as it is.

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
    >>> from sklearn_flipad.generators.sampling import sample
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
            How many.
        rng : numpy.random.RandomState
            Where they are drawn from.
        label : int, default=None
            The class of all of them; by default all classes are equally likely.

        Returns
        -------
        z : torch.Tensor of float32, shape (n, latent_dim, 1, 1)
            Latents from N(0, I).
        labels : torch.Tensor of int64, shape (n,)
            Their classes.

        Raises
        ------
        ValueError
            If there is no such class.
        """
        n_classes = self.embedding.num_embeddings
        if label is not None and not 0 <= label < n_classes:
            raise ValueError(f"label must be a class from 0 to {n_classes - 1}, got {label}.")
        # One more normal number decides the class, so that the draws do not depend on how
        # the samples are split into batches.
        values = rng.standard_normal((n, self.latent_shape[0] + 1))
        z = torch.from_numpy(values[:, :-1]).float().reshape(n, *self.latent_shape)
        labels = torch.from_numpy(ndtr(values[:, -1]) * n_classes).long().clamp(max=n_classes - 1)
        return z, labels if label is None else torch.full_like(labels, label)


class LSGANGenerator(nn.Module):
    """Upsample-and-convolve generator of LSGAN.

    A linear layer makes a small map, three blocks of nearest-neighbor upsampling, 3x3
    convolution, batch normalization and ReLU enlarge it eightfold, and a 3x3
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
        Pixels per side; a multiple of 8.

    References
    ----------
    Appendix G.2 of Laszkiewicz et al., ICML 2024; Mao et al., ICCV 2017.
    """

    #: Values of black and white.
    output_range = (-1.0, 1.0)

    def __init__(self, latent_dim=100, channels=(128, 128, 128, 64), out_channels=3, image_size=64):
        super().__init__()
        if image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, got {image_size}.")
        #: What the constructor was called with.
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


class ConvDiscriminator(nn.Module):
    """Strided-convolution discriminator of DCGAN, or critic of WGAN-GP.

    It returns one logit per image: the paper's final sigmoid is part of the DCGAN loss
    (:class:`~sklearn_flipad.zoo.CrossEntropyObjective`).

    Parameters
    ----------
    channels : sequence of int, default=(64, 128, 256, 512)
        Channels of the hidden layers, each of which halves the image; after them it
        must have 4 pixels per side. An image of 128x128 takes five, as
        ``(64, 128, 256, 512, 1024)``.
    in_channels : int, default=3
        Channels of the image.
    norm : {"batch", "layer"}, default="batch"
        Normalization of all hidden layers but the first. ``"layer"`` is WGAN-GP's: a
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
            # Layer normalization undoes any scaling of the image unless a bias comes first.
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
    """Strided-convolution discriminator of images and their classes (C-DCGAN).

    The class is embedded as a further channel of the image; the rest is
    :class:`ConvDiscriminator`. ``forward(x, labels)`` takes images and integer labels
    ``(n,)``.

    Parameters
    ----------
    channels : sequence of int, default=(64, 128, 256, 512, 1024)
        Channels of the hidden layers, each of which halves the image; after them it
        must have 4 pixels per side.
    in_channels : int, default=1
        Channels of the image.
    norm : {"batch", "layer"}, default="batch"
        Normalization of all hidden layers but the first.
    n_classes : int, default=2
        Number of classes.

    Notes
    -----
    The kernels are 4x4, as everywhere in the paper; the training code that Szafranowska
    et al. published has 6x6 kernels in its discriminators.

    References
    ----------
    Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014; Szafranowska et
    al., IWBI 2022.
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

    Parameters
    ----------
    channels : sequence of int, default=(16, 32, 64, 128, 128)
        Channels of the blocks, each of which halves the image.
    in_channels : int, default=3
        Channels of the image.
    image_size : int, default=64
        Pixels per side; a multiple of ``2 ** len(channels)``.

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
