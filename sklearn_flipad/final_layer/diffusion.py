"""Decoders of latent diffusion models, as the library diffusers keeps them."""

import copy

import numpy as np
import torch
from torch import nn

from sklearn_flipad.final_layer._autoencoders import decoding_part, load_autoencoder
from sklearn_flipad.final_layer._decoder_kinds import kind_of
from sklearn_flipad.final_layer._latent_scales import LatentScale, names_read

__all__ = ["LatentDecoder", "LatentGuess"]


class LatentDecoder(nn.Module):
    """The decoder of an autoencoder of diffusers as a generator.

    It maps the latents that ``vae.decode`` takes to what a pipeline makes of them: pixels in
    [0, 1], or sounds in [-1, 1]. With it, whatever takes a generator takes a diffusion model:
    ``make_reproduction(decoder)``, ``sample(decoder, 100)``, ``FinalLayer.from_generator``. It
    computes in the type of the autoencoder's weights.

    Parameters
    ----------
    source : autoencoder, pipeline, str or Path
        An autoencoder of one of the classes under Notes, a pipeline that has one as ``vae``,
        ``vqvae`` or ``movq``, or a local folder of either, which is read in float32. Nothing is
        downloaded, and no pickle is read.
    sample_size : int or tuple of int, default=None
        Height and width of images, number of frames, height and width of videos, or length of
        sounds; the sides are multiples of what the autoencoder shrinks them by. A video of which
        only height and width are given has one frame. By default the sample size in the
        autoencoder's config, if it has one.

    Attributes
    ----------
    latent_shape : tuple of int
        Shape of one latent, channels first.
    output_range : tuple of float
        Smallest and largest value of a sample.

    Raises
    ------
    ImportError
        If diffusers is missing, or too old for the autoencoder in a folder.
    TypeError
        If `source` is none of these, or its autoencoder is of another class.
    ValueError
        If `sample_size` does not fit or is not known, the decoder also takes a timestep, or it
        would take the frames of a latent in parts.

    Notes
    -----
    The classes are ``AutoencoderKL``, ``AutoencoderTiny``, ``AsymmetricAutoencoderKL`` without
    masks, ``VQModel``, ``AutoencoderDC``, ``AutoencoderOobleck``, ``AutoencoderKLWan``,
    ``AutoencoderKLQwenImage``, ``AutoencoderKLCogVideoX`` and ``AutoencoderKLLTXVideo``.

    The latents of a ``VQModel`` are vectors of its codebook, and are not quantized once more, so
    that they can be searched. :meth:`unscaled` and :meth:`sampler` quantize.

    Decoders of Wan, QwenImage and CogVideoX take latent frames in parts, and each part has a last
    layer of its own. The first part, of one latent frame, or up to three of CogVideoX, depends on
    no other; it is what the decoder makes.

    Examples
    --------
    >>> from diffusers import AutoencoderKL
    >>> from sklearn_flipad.final_layer import LatentDecoder
    >>> vae = AutoencoderKL(block_out_channels=(32,), sample_size=16)
    >>> decoder = LatentDecoder(vae)
    >>> decoder(decoder.sampler(2, np.random.RandomState(0))).shape
    torch.Size([2, 3, 16, 16])
    """

    def __init__(self, source, *, sample_size=None):
        super().__init__()
        autoencoder, read = load_autoencoder(source), names_read(source)
        self.kind = kind_of(autoencoder)
        name, config = type(autoencoder).__name__, autoencoder.config
        if sample_size is None:
            sample_size = config.get("sample_size") or _sides(config)
        if sample_size is None:
            raise ValueError(f"sample_size is needed: the config of this {name} has none.")
        self.latent_shape = self.kind.latent_shape(autoencoder, sample_size)
        n_frames = self.kind.n_frames
        if n_frames is not None and self.latent_shape[1] > n_frames:
            raise ValueError(
                f"{name} decodes more than {n_frames} latent frame(s) in parts, each of which has "
                f"a last layer of its own. Pass latents[:, :, :{n_frames}], or their sample_size, "
                "and judge the first frames of videos, which depend on no others."
            )
        self.output_range = self.kind.output_range
        self.scale = LatentScale.of(autoencoder, self.latent_shape, read)
        self.quantizes = _quantizes(autoencoder, read)
        self.autoencoder = decoding_part(autoencoder)
        # As pipelines do that compute in float16, but not here.
        upcasts = "force_upcast" in read and config.get("force_upcast")
        if upcasts and autoencoder.dtype == torch.float16:
            self.autoencoder = copy.deepcopy(self.autoencoder).float()

    def forward(self, latents):
        """Decode latents.

        Parameters
        ----------
        latents : torch.Tensor, shape (n, *latent_shape)
            As ``vae.decode`` takes them; those of a ``VQModel`` quantized.

        Returns
        -------
        torch.Tensor, shape (n, n_channels, *sample_size)
            Samples in `output_range`; images, without an axis of frames, for videos of one frame.

        Raises
        ------
        ValueError
            If the autoencoder decodes latents of this shape in tiles.
        """
        decoded = self.kind.decode(self.autoencoder, latents)
        return self.kind.activation.forward(decoded).clamp(*self.output_range)

    def unscaled(self, latents):
        """Convert latents of the diffusion process to those of the decoder, as a pipeline does.

        They are divided by ``scaling_factor`` and shifted by ``shift_factor``; where the
        autoencoder has ``latents_mean`` and ``latents_std``, they are also multiplied by the
        latter, and the former is added. If `source` is a pipeline, its class decides which of
        these are used. A ``VQModel`` quantizes them, unless the pipeline leaves that out.

        Parameters
        ----------
        latents : torch.Tensor, shape (n, channels, ...)
            As a pipeline returns them with ``output_type="latent"``, in the decoder's shape.

        Returns
        -------
        torch.Tensor, shape (n, channels, ...)

        Raises
        ------
        ValueError
            If the config has ``shift_factor`` as well as ``latents_mean`` and ``latents_std``, and
            no pipeline tells which of them is used.
        """
        return self._quantized(self.scale.unscaled(latents))

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
        torch.Tensor, shape (n, *latent_shape)
        """
        drawn = torch.from_numpy(rng.standard_normal((n, *self.latent_shape)).astype(np.float32))
        return self.unscaled(drawn)

    def _quantized(self, latents):
        return _quantized(self.autoencoder, latents) if self.quantizes else latents


class LatentGuess(nn.Module):
    """The encoder of an autoencoder of diffusers, as the guess of a search for latents.

    The encoder of ``make_reproduction(LatentDecoder(vae), LatentGuess(vae))``; followed by the
    decoder, ``torch.nn.Sequential(LatentGuess(vae), LatentDecoder(vae))``, the autoencoder of
    :func:`~sklearn_flipad.make_residual`.

    Parameters
    ----------
    source : autoencoder, pipeline, str or Path
        See :class:`LatentDecoder`.

    Raises
    ------
    ImportError, TypeError, ValueError
        As :class:`LatentDecoder`.

    Examples
    --------
    >>> import torch
    >>> from diffusers import AutoencoderKL
    >>> from sklearn_flipad.final_layer import LatentGuess
    >>> vae = AutoencoderKL(block_out_channels=(32,), sample_size=16)
    >>> LatentGuess(vae)(torch.rand(2, 3, 16, 16)).shape
    torch.Size([2, 4, 16, 16])
    """

    def __init__(self, source):
        super().__init__()
        self.autoencoder = load_autoencoder(source)
        self.kind = kind_of(self.autoencoder)
        self.quantizes = _quantizes(self.autoencoder, names_read(source))

    def forward(self, samples):
        """Encode samples.

        Parameters
        ----------
        samples : torch.Tensor, shape (n, n_channels, *sample_size)
            In the output range of the decoder; of one frame, if they are images and the
            autoencoder is one of videos.

        Returns
        -------
        torch.Tensor, shape (n, *latent_shape)
            Means of the distributions that the encoder returns, or latents that it returns; those
            of a ``VQModel`` quantized, unless the pipeline leaves that out.
        """
        latents = self.kind.encode(self.autoencoder, samples)
        return _quantized(self.autoencoder, latents) if self.quantizes else latents


def _quantizes(autoencoder, read):
    """Whether latents become vectors of a codebook, by the names that a pipeline reads."""
    return hasattr(autoencoder, "quantize") and (
        autoencoder.config.lookup_from_codebook or "force_not_quantize" not in read
    )


def _quantized(autoencoder, latents):
    """The nearest vectors of the codebook."""
    codebook = autoencoder.quantize
    with torch.no_grad():
        return codebook(latents.to(codebook.embedding.weight))[0].to(latents)


def _sides(config):
    """Height and width in the config of a video autoencoder, None if it has none."""
    sides = config.get("sample_height"), config.get("sample_width")
    return None if None in sides else sides
