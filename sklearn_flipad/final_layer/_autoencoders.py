"""Autoencoders of the library diffusers, checked and read from local folders."""

import json
from pathlib import Path

import torch
from torch import nn

from sklearn_flipad.base.modules import unwrap
from sklearn_flipad.base.optional import import_optional

__all__ = ["load_autoencoder", "shrinks_by"]


def load_autoencoder(source):
    """The float32 ``AutoencoderKL`` of a pipeline, of a local folder of either, or the one given.

    ImportError if diffusers is missing, TypeError or ValueError if there is no such autoencoder.
    """
    what = "Autoencoders of diffusers need it"
    AutoencoderKL = import_optional("diffusers", what, "diffusers").AutoencoderKL
    if isinstance(source, str | Path):
        source = _load(AutoencoderKL, Path(source))
    vae = source if isinstance(source, nn.Module) else getattr(source, "vae", source)
    vae = unwrap(vae, "autoencoder") if isinstance(vae, nn.Module) else vae
    if not isinstance(vae, AutoencoderKL):
        raise TypeError(
            f"The autoencoder must be an AutoencoderKL, got {type(vae).__name__}. For others, wrap "
            "what makes pixels of latents in a module and call FinalLayer.from_generator."
        )
    # The encoder may be of any type: it makes no pixels.
    for name, weight in vae.named_parameters():
        if weight.dtype != torch.float32 and not name.startswith(("encoder.", "quant_conv.")):
            raise ValueError(
                f"The autoencoder's weights are {weight.dtype} ({name}). Load it with "
                "torch_dtype=torch.float32, or call vae.float(): half precision moves pixels by "
                "more than rounding to 8 bits does."
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


def shrinks_by(vae):
    """Pixels per side that one element of a latent stands for."""
    return 2 ** (len(vae.config.block_out_channels) - 1)
