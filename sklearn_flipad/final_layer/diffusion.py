"""Decoders of latent diffusion models, as the library diffusers keeps them."""

import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.generators.activations import OutputActivation

__all__ = ["PIXELS", "LatentDecoder", "decoder_and_latents", "load_autoencoder"]

#: The pixels of an autoencoder's output: ``x / 2 + 0.5``, clipped to [0, 1].
PIXELS = OutputActivation("identity", 0.5, 0.5)
#: Ratios of deviations of latents that belong to images of one and the same autoencoder.
_USUAL = (0.4, 2.5)


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
        If the weights are of half precision, images of this size are decoded in tiles, or
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
        factor = _shrinks_by(vae)
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
        self.scale = float(config.scaling_factor)
        self.shift = float(config.shift_factor or 0.0)

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
        """Convert latents of the diffusion process to those of the decoder.

        Parameters
        ----------
        latents : torch.Tensor, shape (n, channels, height, width)
            As a pipeline returns them with ``output_type="latent"``.

        Returns
        -------
        torch.Tensor, shape (n, channels, height, width)
        """
        return latents / self.scale + self.shift

    def sampler(self, n, rng):
        """Draw noise with the deviation of latents, without any image in it.

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


def decoder_and_latents(source, latents, *, scaled, image_size, batch_size):
    """The decoder of a diffusion model, and what draws its latents.

    Parameters
    ----------
    source : diffusers.AutoencoderKL, pipeline, str or Path
        See :class:`LatentDecoder`.
    latents : array-like or torch.Tensor or None
        Latents that are given.
    scaled : bool
        Whether they are those of the diffusion process.
    image_size : int or pair of int or None
        Height and width of the images, where no latents are given.
    batch_size : int
        Latents that are asked for at once.

    Returns
    -------
    decoder : LatentDecoder
    sampler : callable or None
        Hands out the latents that are given, batch by batch; None for none.
    n_latents : int or None
        How many are given.

    Raises
    ------
    ImportError, TypeError, ValueError
        See :meth:`FinalLayer.from_diffusers`.
    """
    if latents is None:
        return LatentDecoder(source, image_size=image_size), None, None
    if image_size is not None:
        raise ValueError("image_size is that of the latents: pass one of the two.")
    latents = torch.as_tensor(latents).detach().float().cpu()
    decoder = _decoder_of(source, latents)
    latents = decoder.unscaled(latents) if scaled else latents
    _check_deviation(decoder, latents)
    parts = iter(latents.split(batch_size))
    return decoder, lambda n, rng: next(parts), len(latents)


def _decoder_of(source, latents):
    """The decoder for latents that are given."""
    vae = load_autoencoder(source)
    if latents.ndim != 4 or latents.shape[1] != vae.config.latent_channels or not len(latents):
        raise ValueError(
            f"latents must have shape (n, {vae.config.latent_channels}, height, width), "
            f"got {tuple(latents.shape)}."
        )
    if not latents.isfinite().all():
        raise ValueError("latents contain values that are not finite.")
    return LatentDecoder(vae, image_size=[_shrinks_by(vae) * side for side in latents.shape[2:]])


def _shrinks_by(vae):
    """Pixels per side that one element of a latent stands for."""
    return 2 ** (len(vae.config.block_out_channels) - 1)


def _check_deviation(decoder, latents):
    """Warn of latents that were scaled once too often, or not."""
    deviation, expected = float(latents.std()), 1 / decoder.scale
    low, high = (expected * ratio for ratio in _USUAL)
    if not low <= deviation <= high:
        warnings.warn(
            f"The latents deviate by {deviation:.3g}, those of this autoencoder's images by about "
            f"{expected:.3g}, 1 / scaling_factor. Latents of a pipeline's output_type='latent' "
            "are scaled: pass scaled=True for them, and False for those of vae.encode.",
            stacklevel=4,
        )


def load_autoencoder(source):
    """The ``AutoencoderKL`` of a pipeline, of a local folder, or the one given, checked.

    Parameters
    ----------
    source : diffusers.AutoencoderKL, pipeline, str or Path
        See :class:`LatentDecoder`.

    Returns
    -------
    diffusers.AutoencoderKL
        In eval mode, if it was loaded.

    Raises
    ------
    ImportError, TypeError, ValueError
        See :class:`LatentDecoder`.
    """
    what = "Autoencoders of diffusers need it"
    AutoencoderKL = import_optional("diffusers", what, "diffusers").AutoencoderKL
    if isinstance(source, str | Path):
        source = _load(AutoencoderKL, Path(source))
    vae = source if isinstance(source, nn.Module) else getattr(source, "vae", source)
    if not isinstance(vae, AutoencoderKL):
        raise TypeError(
            f"The autoencoder must be an AutoencoderKL, got {type(vae).__name__}. For others, wrap "
            "what makes pixels of latents in a module and call FinalLayer.from_generator."
        )
    if vae.dtype != torch.float32:
        raise ValueError(
            f"The autoencoder's weights are {vae.dtype}. Load it with torch_dtype=torch.float32: "
            "half precision moves pixels by more than rounding to 8 bits does."
        )
    return vae


def _load(kind, folder):
    """Load from a folder of an autoencoder, or of a pipeline with one."""
    if not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is no local folder. Nothing is downloaded.")
    if (folder / "vae").is_dir():
        folder = folder / "vae"
    try:
        name = json.loads((folder / "config.json").read_text())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(folder)!r} has no config.json of an autoencoder, nor a folder vae with one."
        ) from error
    if name != kind.__name__:
        raise TypeError(
            f"The autoencoder in {str(folder)!r} is of class {name}, not {kind.__name__}."
        )
    try:
        vae = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, torch_dtype=torch.float32
        )
    except OSError as error:
        raise ValueError(f"{str(folder)!r} has no weights that can be read: {error}") from error
    return vae.eval()
