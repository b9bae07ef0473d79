"""Decoders of latent diffusion models, as the library diffusers keeps them."""

import numpy as np
import torch
from torch import nn

from sklearn_flipad.final_layer._autoencoders import load_autoencoder, shrinks_by
from sklearn_flipad.final_layer._latent_scales import LatentScale

__all__ = ["LatentDecoder"]


class LatentDecoder(nn.Module):
    """The decoder of an ``AutoencoderKL`` as a generator of pixels.

    It maps the latents that ``vae.decode`` takes to pixels in [0, 1], as a pipeline does. With it,
    whatever takes a generator takes a diffusion model: ``make_reproduction(decoder)``,
    ``sample(decoder, 100)``, ``FinalLayer.from_generator``.

    Parameters
    ----------
    source : diffusers.AutoencoderKL, pipeline, str or Path
        The autoencoder, a pipeline that has one as ``vae``, or a local folder of either. Nothing
        is downloaded, and no pickle is read.
    image_size : int or pair of int, default=None
        Height and width of the images, multiples of what the autoencoder shrinks them by; its
        ``config.sample_size`` by default.

    Attributes
    ----------
    latent_shape : tuple of int
        Shape of one latent, ``(channels, height, width)``.

    Raises
    ------
    ImportError
        If diffusers is missing.
    TypeError
        If `source` is none of these, or its autoencoder is of another class.
    ValueError
        If the decoder's weights are of half precision, images of this size are decoded in tiles, or
        `image_size` does not fit.

    Examples
    --------
    >>> from diffusers import AutoencoderKL
    >>> from sklearn_flipad.final_layer import LatentDecoder
    >>> vae = AutoencoderKL(block_out_channels=(32,), sample_size=16)
    >>> decoder = LatentDecoder(vae)
    >>> decoder(decoder.sampler(2, np.random.RandomState(0))).shape
    torch.Size([2, 3, 16, 16])
    """

    def __init__(self, source, *, image_size=None):
        super().__init__()
        vae = load_autoencoder(source)
        config = vae.config
        size = config.sample_size if image_size is None else image_size
        height, width = (size, size) if np.ndim(size) == 0 else size
        factor = shrinks_by(vae)
        if min(height, width) < factor or height % factor or width % factor:
            raise ValueError(
                f"image_size must consist of multiples of {factor}, which this autoencoder "
                f"shrinks images by, got {height, width}."
            )
        if vae.use_tiling and max(height, width) > vae.tile_sample_min_size:
            raise ValueError(
                f"The autoencoder decodes images of {height} by {width} pixels in tiles and blends "
                "them, so that no linear layer made them. Call vae.disable_tiling(), if own "
                "images are made without tiles."
            )
        self.post_quant_conv = vae.post_quant_conv if config.use_post_quant_conv else nn.Identity()
        self.decoder = vae.decoder
        self.latent_shape = (config.latent_channels, height // factor, width // factor)
        self.scale = LatentScale.of(source, config)

    def forward(self, latents):
        """Decode latents.

        Parameters
        ----------
        latents : torch.Tensor, shape (n, channels, height, width)
            As ``vae.decode`` takes them.

        Returns
        -------
        torch.Tensor, shape (n, n_colors, height, width)
            Pixels in [0, 1].
        """
        return (self.decoder(self.post_quant_conv(latents)) / 2 + 0.5).clamp(0, 1)

    def unscaled(self, latents):
        """Convert latents of the diffusion process to those of the decoder, as a pipeline does.

        They are divided by ``scaling_factor`` and shifted by ``shift_factor``; where the
        autoencoder's config has ``latents_mean`` and ``latents_std``, they are also multiplied by
        the latter, and the former is added. If `source` is a pipeline, its class decides which of
        these are used.

        Parameters
        ----------
        latents : torch.Tensor, shape (n, channels, height, width)
            As a pipeline returns them with ``output_type="latent"``.

        Returns
        -------
        torch.Tensor, shape (n, channels, height, width)

        Raises
        ------
        ValueError
            If the config has ``shift_factor`` as well as ``latents_mean`` and ``latents_std``, and
            no pipeline tells which of them is used.
        """
        return self.scale.unscaled(latents)

    def sampler(self, n, rng):
        """Draw unit noise, unscaled as a pipeline unscales latents, without any image in it.

        Parameters
        ----------
        n : int
            Number of latents.
        rng : numpy.random.RandomState
            Random numbers.

        Returns
        -------
        torch.Tensor, shape (n, channels, height, width)
        """
        drawn = torch.from_numpy(rng.standard_normal((n, *self.latent_shape)).astype(np.float32))
        return self.unscaled(drawn)
