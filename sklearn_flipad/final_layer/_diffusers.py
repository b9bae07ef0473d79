"""Decoders and latents for the final layers of diffusion models."""

import warnings

import torch

from sklearn_flipad.final_layer._autoencoders import load_autoencoder
from sklearn_flipad.final_layer._decoder_kinds import kind_of
from sklearn_flipad.final_layer.diffusion import LatentDecoder

__all__ = ["decoder_and_latents"]

#: Ratios of deviations of latents that belong to images of one and the same autoencoder.
_USUAL = (0.4, 2.5)


def decoder_and_latents(source, latents, *, scaled, sample_size, batch_size):
    """The decoder of a diffusion model, a sampler that hands out given latents, and their number.

    The latter two are None if no latents are given.
    """
    if latents is None:
        return LatentDecoder(source, sample_size=sample_size), None, None
    if sample_size is not None:
        raise ValueError("sample_size is that of the latents: pass one of the two.")
    latents = _as_tensor(latents)
    decoder = _decoder_of(source, latents)
    latents = decoder.unscaled(latents) if scaled else decoder._quantized(latents)
    _check_deviation(decoder, latents)
    parts = iter(latents.split(batch_size))
    return decoder, lambda n, rng: next(parts), len(latents)


def _as_tensor(latents):
    """Latents in float32 on the CPU, from an array, a tensor, or a list of either per sample."""
    try:
        if isinstance(latents, tuple | list):
            latents = torch.stack([torch.as_tensor(latent, device="cpu") for latent in latents])
        latents = torch.as_tensor(latents, device="cpu").detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            "latents must be an array or a tensor, or a list of latents of one shape, got a "
            f"{type(latents).__name__}. A distribution, as vae.encode returns it, is not one: "
            "pass latent_dist.sample() or latent_dist.mean."
        ) from error
    if latents.is_complex():
        raise ValueError("latents must be real numbers, got complex ones.")
    return latents.float().cpu()


def _decoder_of(source, latents):
    """The decoder for given latents."""
    autoencoder = load_autoencoder(source)
    kind = kind_of(autoencoder)
    n_channels, n_axes = kind.n_channels(autoencoder), len(kind.factors(autoencoder))
    if latents.ndim != 2 + n_axes or latents.shape[1] != n_channels or not len(latents):
        axes = ("frames", "height", "width")[-n_axes:] if n_axes > 1 else ("length",)
        raise ValueError(
            f"latents must have shape (n, {n_channels}, {', '.join(axes)}), got "
            f"{tuple(latents.shape)}. What a pipeline packs must be unpacked."
        )
    if not latents.isfinite().all():
        raise ValueError("latents contain values that are not finite.")
    size = kind.sample_size(autoencoder, latents.shape[1:])
    return LatentDecoder(source, sample_size=size)


def _check_deviation(decoder, latents):
    """Warn of latents that were scaled once too often, or not at all."""
    deviation, ends = decoder.scale.deviation(latents), decoder.scale.usual()
    low, high = (ratio * end for ratio, end in zip(_USUAL, ends, strict=True))
    if not low <= deviation <= high:
        expected = " to ".join(f"{end:.3g}" for end in dict.fromkeys(ends))
        warnings.warn(
            f"The latents deviate {deviation:.3g} times as much as unit noise that a pipeline "
            f"hands to vae.decode, where those of this autoencoder's images deviate about "
            f"{expected} times as much. Latents of a pipeline's output_type='latent' are scaled: "
            "pass scaled=True for them, and False for those of vae.encode.",
            stacklevel=4,
        )
