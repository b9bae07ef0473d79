"""The table of the autoencoders of diffusers: how each class decodes."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from sklearn_flipad.generators.activations import OutputActivation

__all__ = ["DECODER_KINDS", "DecoderKind", "kind_of"]

#: Pixels of an autoencoder's output: ``x / 2 + 0.5``, clipped to [0, 1]. Sounds are only clipped.
_PIXELS, _SOUND = OutputActivation("identity", 0.5, 0.5), OutputActivation("identity")


def _decode(autoencoder, latents):
    return autoencoder.decode(latents, return_dict=False)[0]


def _decode_frames(autoencoder, latents):
    """Frames, or an image if there is one."""
    decoded = _decode(autoencoder, latents)
    return decoded[:, :, 0] if decoded.shape[2] == 1 else decoded


def _decode_codes(autoencoder, latents):
    """Decode vectors of the codebook, which are not quantized once more."""
    inner = autoencoder.post_quant_conv(latents)
    is_spatial = autoencoder.config.norm_type == "spatial"
    return autoencoder.decoder(inner, latents if is_spatial else None)


def _by_blocks(name):
    """Factors of a decoder that doubles the sides after all blocks but the last."""
    return lambda autoencoder: (2 ** (len(autoencoder.config[name]) - 1),) * 2


def _tiny(autoencoder):
    config = autoencoder.config
    return (config.upsampling_scaling_factor ** (len(config.num_decoder_blocks) - 1),) * 2


def _wan(autoencoder):
    config = autoencoder.config
    side = 2 ** len(config.temperal_downsample) * (config.get("patch_size") or 1)
    return 2 ** sum(config.temperal_downsample), side, side


def _cogvideox(autoencoder):
    config = autoencoder.config
    return config.temporal_compression_ratio, *_by_blocks("block_out_channels")(autoencoder)


def _ltx(autoencoder):
    config = autoencoder.config
    factor = 2 ** sum(config.decoder_spatio_temporal_scaling)
    return config.patch_size_t * factor, *(config.patch_size * factor,) * 2


@dataclass(frozen=True, kw_only=True)
class DecoderKind:
    """Decoding and encoding by the autoencoders of a class.

    ``factors(autoencoder)`` returns the number of sample values per latent value for each axis.
    With three axes, the first is time, and the first latent value stands for one frame. A decoder
    that takes latent frames in parts takes at most `n_frames` in the first. `channels` are the
    config's names for the number of latent channels; the first that has a value counts.
    """

    factors: Callable
    decode: Callable = _decode
    channels: tuple = ("latent_channels",)
    n_frames: int | None = None
    activation: OutputActivation = _PIXELS
    output_range: tuple = (0.0, 1.0)

    def encode(self, autoencoder, samples):
        """Latents of samples; the means, where the encoder returns distributions."""
        x = self.activation.inverse(samples, 0.0)
        if len(self.factors(autoencoder)) == 3 and x.ndim == 4:
            x = x[:, :, None]
        encoded = autoencoder.encode(x, return_dict=False)[0]
        return encoded if torch.is_tensor(encoded) else encoded.mode()

    def n_channels(self, autoencoder):
        """Number of latent channels."""
        return next(filter(None, map(autoencoder.config.get, self.channels)))

    def latent_shape(self, autoencoder, size):
        """Shape of one latent; ValueError if there is none for samples of a size."""
        factors = self.factors(autoencoder)
        sides = np.atleast_1d(size).tolist()
        if len(sides) == 1 and len(factors) > 1:
            sides = sides * 2
        if len(sides) == 2 and len(factors) == 3:
            sides = [1, *sides]
        first = self._first(factors)
        if len(sides) != len(factors) or any(
            side < max(one, factor * (not one)) or (side - one) % factor
            for side, one, factor in zip(sides, first, factors, strict=False)
        ):
            frames = f"1 more than a multiple of {factors[0]} (frames), then " * any(first)
            raise ValueError(
                f"sample_size must be {len(factors)} number(s), {frames}multiples of "
                f"{factors[-1]}, which this autoencoder shrinks samples by, got {size}."
            )
        axes = zip(sides, first, factors, strict=True)
        shrunk = (int((side - one) // factor + one) for side, one, factor in axes)
        return self.n_channels(autoencoder), *shrunk

    def sample_size(self, autoencoder, latent_shape):
        """Size of the samples that are decoded from latents of a shape."""
        factors = self.factors(autoencoder)
        axes = zip(latent_shape[1:], self._first(factors), factors, strict=True)
        return [(side - one) * factor + one for side, one, factor in axes]

    @staticmethod
    def _first(factors):
        """For each axis, 1 if its first latent value stands for one frame, else 0."""
        return (int(len(factors) == 3), *(0,) * (len(factors) - 1))


_WAN = DecoderKind(factors=_wan, decode=_decode_frames, channels=("z_dim",), n_frames=1)
#: By the name of the class in diffusers.
DECODER_KINDS = {
    "AutoencoderKL": DecoderKind(factors=_by_blocks("block_out_channels")),
    "AutoencoderTiny": DecoderKind(factors=_tiny),
    "AsymmetricAutoencoderKL": DecoderKind(factors=_by_blocks("up_block_out_channels")),
    "VQModel": DecoderKind(
        factors=_by_blocks("block_out_channels"),
        decode=_decode_codes,
        channels=("vq_embed_dim", "latent_channels"),
    ),
    "AutoencoderDC": DecoderKind(factors=lambda vae: (vae.spatial_compression_ratio,) * 2),
    "AutoencoderOobleck": DecoderKind(
        factors=lambda vae: (prod(vae.config.downsampling_ratios),),
        channels=("decoder_input_channels",),
        activation=_SOUND,
        output_range=(-1.0, 1.0),
    ),
    "AutoencoderKLWan": _WAN,
    "AutoencoderKLQwenImage": _WAN,
    "AutoencoderKLCogVideoX": DecoderKind(factors=_cogvideox, decode=_decode_frames, n_frames=3),
    "AutoencoderKLLTXVideo": DecoderKind(factors=_ltx, decode=_decode_frames),
}


def kind_of(autoencoder):
    """The kind of an autoencoder of diffusers, or of a class that extends one; None if of none."""
    names = (
        base.__name__
        for base in type(autoencoder).__mro__
        if base.__module__.partition(".")[0] == "diffusers"
    )
    return next((DECODER_KINDS[name] for name in names if name in DECODER_KINDS), None)
