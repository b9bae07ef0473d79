"""Pipelines of diffusers: their networks, guidance and decoders, computed as they compute them."""

import inspect

import torch
from torch import nn

__all__ = ["PipelineDecoder", "PipelineEncoder", "parts_of"]


def parts_of(pipeline, guidance_scale):
    """Arguments of DiffusionSampler for a pipeline; TypeError if it is of another class."""
    names = [kind.__name__ for kind in type(pipeline).__mro__]
    read = next((_READERS[name] for name in names if name in _READERS), None)
    if read is None:
        raise TypeError(
            f"Pipelines that are read are {', '.join(_READERS)}, got a {type(pipeline).__name__}. "
            "For others pass their network and scheduler, DiffusionSampler(pipeline.unet, "
            "pipeline.scheduler, n_steps=..., decoder=...): for one with prompts, a module that "
            "guides as the pipeline does, to which embeddings are passed by name."
        )
    if guidance_scale is not None and read is not _of_dit:
        raise TypeError(f"A {type(pipeline).__name__} has no guidance_scale.")
    return read(pipeline, guidance_scale)


def _of_ddim(pipeline, _):
    return {"network": pipeline.unet}


def _of_ldm(pipeline, _):
    scale = pipeline.vqvae.config.scaling_factor
    return {
        "network": pipeline.unet,
        "decoder": PipelineDecoder(pipeline.vqvae, scale),
        "encoder": PipelineEncoder(pipeline.vqvae, scale),
    }


def _of_dit(pipeline, guidance_scale):
    if guidance_scale is None:
        guidance_scale = inspect.signature(pipeline.__call__).parameters["guidance_scale"].default
    scale = pipeline.vae.config.scaling_factor
    return {
        "network": _GuidedTransformer(pipeline.transformer, guidance_scale),
        "decoder": PipelineDecoder(pipeline.vae, scale, divides=False),
        "encoder": PipelineEncoder(pipeline.vae, scale),
    }


_READERS = {"DDIMPipeline": _of_ddim, "LDMPipeline": _of_ldm, "DiTPipeline": _of_dit}


class PipelineDecoder(nn.Module):
    """Pixels in [0, 1] of a process's latents.

    These are divided by the autoencoder's scale, or multiplied by its inverse, whose last digits
    differ.
    """

    output_range = (0.0, 1.0)

    def __init__(self, autoencoder, scale, *, divides=True):
        super().__init__()
        self.autoencoder, self.scale, self.divides = autoencoder, scale, divides

    def forward(self, latents):
        """Pixels of latents, tensor of shape (n, channels, height, width)."""
        latents = latents / self.scale if self.divides else 1 / self.scale * latents
        x = self.autoencoder.decode(latents).sample
        return (x / 2 + 0.5).clamp(0, 1)


class PipelineEncoder(nn.Module):
    """Latents that the autoencoder's own encoder has for pixels in [0, 1]."""

    def __init__(self, autoencoder, scale):
        super().__init__()
        self.autoencoder, self.scale = autoencoder, scale

    def forward(self, x):
        """Latents of pixels, tensor of shape (n, *latent_shape)."""
        found = self.autoencoder.encode(2 * x - 1)
        return self.scale * (found.latent_dist.mean if "latent_dist" in found else found.latents)


class _GuidedTransformer(nn.Module):
    """The mean that a DiTPipeline predicts, with classifier-free guidance above a scale of 1."""

    def __init__(self, transformer, guidance_scale):
        super().__init__()
        self.transformer, self.guidance_scale = transformer, guidance_scale
        self.config = transformer.config

    def forward(self, x, t, class_labels, guidance_scale=None):
        """Predictions, tensor of the shape of x; conditions have shape (n,).

        Without `guidance_scale`, the scale of all is the pipeline's.
        """
        scales = [self.guidance_scale] if guidance_scale is None else set(guidance_scale.tolist())
        if len(scales) > 1:
            rows = zip(x, class_labels, guidance_scale, strict=True)
            parts = [self(a[None], t, label[None], own[None]) for a, label, own in rows]
            return torch.cat(parts)
        (scale,) = scales
        n, channels, guided = len(x), x.shape[1], scale > 1
        labels = class_labels.to(x.device)
        if guided:
            # The pipeline's own label of no class.
            x, labels = torch.cat([x, x]), torch.cat([labels, torch.full_like(labels, 1000)])
        times = torch.as_tensor(t, device=x.device).reshape(-1)[:1].expand(len(x))
        output = self.transformer(x, timestep=times, class_labels=labels).sample[:, :channels]
        if not guided:
            return output
        of_class, of_none = output.split(n)
        return of_none + scale * (of_class - of_none)
