"""Autoencoders of the library diffusers, checked and read from local folders."""

import copy
import json
from pathlib import Path

import torch
from torch import nn

from sklearn_flipad.base.modules import unwrap
from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.final_layer._decoder_kinds import DECODER_KINDS, kind_of

__all__ = ["decoding_part", "load_autoencoder"]

#: Names that pipelines, and their folders, have for the autoencoder.
_ROLES = ("vae", "vqvae", "movq")
#: Methods of autoencoders that decode in tiles.
_TILING = ("tiled_decode", "_tiled_decode", "_temporal_tiled_decode")


def load_autoencoder(source):
    """The autoencoder of a pipeline, of a local folder of either, or the one given.

    ImportError if diffusers is missing, TypeError or ValueError if there is no such autoencoder.
    """
    diffusers = import_optional("diffusers", "Autoencoders of diffusers need it", "diffusers")
    if isinstance(source, str | Path):
        source = _load(diffusers, Path(source))
    found = source
    if not isinstance(source, nn.Module):
        parts = (getattr(source, role, None) for role in _ROLES)
        found = next((part for part in parts if part is not None), source)
    if isinstance(found, nn.Module):
        found = unwrap(found, "autoencoder")
    if kind_of(found) is None:
        raise TypeError(
            f"The autoencoder must be one of {', '.join(DECODER_KINDS)}, got "
            f"{type(found).__name__}. For others, wrap what makes samples of latents in a module "
            "and call FinalLayer.from_generator."
        )
    if found.config.get("timestep_conditioning"):
        raise ValueError(
            f"The decoder of this {type(found).__name__} also takes a timestep and adds noise to "
            "the latents. Wrap it in a module that passes the timestep that own samples are made "
            "with, and call FinalLayer.from_generator."
        )
    return found


def _load(diffusers, folder):
    """Load from a folder of an autoencoder, or of a pipeline with one."""
    if not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is no local folder. Nothing is downloaded.")
    folder = next((folder / role for role in _ROLES if (folder / role).is_dir()), folder)
    try:
        name = json.loads((folder / "config.json").read_text())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(folder)!r} has no config.json of an autoencoder, nor a folder vae with one."
        ) from error
    if name not in DECODER_KINDS:
        raise TypeError(
            f"The autoencoder in {str(folder)!r} is of class {name}, not one of "
            f"{', '.join(DECODER_KINDS)}."
        )
    kind = getattr(diffusers, name, None)
    if kind is None:
        raise ImportError(f"diffusers {diffusers.__version__} has no {name}. Update it.")
    try:
        vae = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, torch_dtype=torch.float32
        )
    except OSError as error:
        raise ValueError(f"{str(folder)!r} has no weights that can be read: {error}") from error
    return vae.eval()


def decoding_part(autoencoder):
    """A copy that shares the weights, without those of the encoder, and refuses to blend tiles."""
    part = copy.copy(autoencoder)
    part._modules = {
        name: nn.Identity() if name in ("encoder", "quant_conv") else module
        for name, module in autoencoder._modules.items()
    }
    for name in _TILING:
        if hasattr(part, name):
            setattr(part, name, _refuse_tiles)
    return part


def _refuse_tiles(latents, *args, **kwargs):
    raise ValueError(
        f"The autoencoder decodes latents of shape {tuple(latents.shape[1:])} in tiles and blends "
        "them, so that no linear layer made the samples. Call disable_tiling() of the autoencoder, "
        "or set its use_framewise_decoding to False, if own samples are made without tiles."
    )
