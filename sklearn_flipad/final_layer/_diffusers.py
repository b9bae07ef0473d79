"""Decoders and latents for the final layers of diffusion models."""

import warnings

import torch

from sklearn_flipad.final_layer._autoencoders import load_autoencoder, shrinks_by
from sklearn_flipad.final_layer.diffusion import LatentDecoder
from sklearn_flipad.generators.activations import OutputActivation

__all__ = ["PIXELS", "decoder_and_latents"]

#: The pixels of an autoencoder's output: ``x / 2 + 0.5``, clipped to [0, 1].
PIXELS = OutputActivation("identity", 0.5, 0.5)
#: Ratios of deviations of latents that belong to images of one and the same autoencoder.
_USUAL = (0.4, 2.5)


def decoder_and_latents(source, latents, *, scaled, image_size, batch_size):
    """The decoder of a diffusion model, a sampler that hands out given latents, and their number.

    The latter two are None if no latents are given.
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
    """The decoder for given latents."""
    vae = load_autoencoder(source)
    if latents.ndim != 4 or latents.shape[1] != vae.config.latent_channels or not len(latents):
        raise ValueError(
            f"latents must have shape (n, {vae.config.latent_channels}, height, width), "
            f"got {tuple(latents.shape)}."
        )
    if not latents.isfinite().all():
        raise ValueError("latents contain values that are not finite.")
    return LatentDecoder(vae, image_size=[shrinks_by(vae) * side for side in latents.shape[2:]])


def _check_deviation(decoder, latents):
    """Warn of latents that were scaled once too often, or not at all."""
    deviation, expected = float(latents.std()), 1 / decoder.scale
    low, high = (expected * ratio for ratio in _USUAL)
    if not low <= deviation <= high:
        warnings.warn(
            f"The latents deviate by {deviation:.3g}, those of this autoencoder's images by about "
            f"{expected:.3g}, 1 / scaling_factor. Latents of a pipeline's output_type='latent' "
            "are scaled: pass scaled=True for them, and False for those of vae.encode.",
            stacklevel=4,
        )
