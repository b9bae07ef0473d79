"""Checks that come before a training changes anything."""

from pathlib import Path

import numpy as np
import torch

from sklearn_flipad.base.modules import device_of, evaluating
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.base.samples import as_array

__all__ = ["as_values", "check_grids", "check_networks", "check_schedule", "check_training_samples"]


def check_training_samples(X, labels):
    """Samples, uint8 images or float32 rows, and labels, int64 or None, of a training as arrays."""
    X = np.asarray(as_array(X))
    if X.ndim == 2 and X.dtype.kind == "f":
        X = X.astype(np.float32)
        if not np.isfinite(X).all():
            raise ValueError("X holds NaN, infinity or values too large for single precision.")
    elif X.dtype != np.uint8 or X.ndim != 4:
        raise ValueError(
            "X must be gray levels, an array of type uint8 and shape (n, channels, height, width), "
            "or the rows of a table, floats of shape (n, n_columns); "
            f"got type {X.dtype} and shape {X.shape}."
        )
    if labels is None:
        return X, None
    labels = np.asarray(as_array(labels))
    if labels.shape != (len(X),) or labels.dtype.kind not in "iu" or (labels < 0).any():
        raise ValueError(
            f"labels must be {len(X)} integers from 0, one for each sample, got an array of "
            f"shape {labels.shape} and type {labels.dtype}."
        )
    return X, labels.astype(np.int64)


def as_values(X, device="cpu"):
    """Training samples as the networks take them: images in [-1, 1], rows as they are."""
    x = torch.from_numpy(X).to(device)
    return x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x


def check_schedule(n_samples, batch_size, n_critic, betas):
    """Raise ValueError if a network would never be updated, or for invalid `betas`."""
    if n_samples < batch_size:
        raise ValueError(
            f"X holds {n_samples} samples, fewer than one batch of {batch_size}; lower batch_size."
        )
    if n_samples // batch_size < n_critic:
        raise ValueError(
            f"An epoch has {n_samples // batch_size} steps, so that a generator updated every "
            f"{n_critic}th would never be; lower n_critic or batch_size."
        )
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must be two numbers of at least 0 and below 1, got {betas}.")


def check_networks(networks, X, labels):
    """Raise ValueError if networks, generator and discriminator, do not fit the samples.

    Both are called once, in eval mode, so that a misfit shows before the first step; nothing is
    changed.
    """
    if not hasattr(networks["generator"], "latent_shape"):
        raise ValueError(
            "The generator has no attribute latent_shape. Set it to the shape of one latent, as "
            "generator.latent_shape = (100, 1, 1)."
        )
    for name, network in networks.items():
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise ValueError(
                f"The {name} has no parameters that require gradients, so it cannot be trained; "
                f"call {name}.requires_grad_(True)."
            )
    _check_calls(*networks.values(), X, labels)


def _check_calls(generator, discriminator, X, labels):
    labels = () if labels is None else (torch.tensor([labels.min(), labels.max()]),)
    latents = torch.zeros(2, *generator.latent_shape)
    fake = _call("generator", generator, latents, *labels)
    if not isinstance(fake, torch.Tensor) or fake.shape[1:] != X.shape[1:]:
        made = tuple(fake.shape[1:]) if isinstance(fake, torch.Tensor) else type(fake).__name__
        raise ValueError(
            f"The samples of X have shape {X.shape[1:]}, but the generator makes {made}. Build it "
            "for the shape of X, or resize X."
        )
    _call("discriminator", discriminator, as_values(X[[0, -1]]), *labels)


def _call(name, network, *inputs):
    device = device_of(network)
    try:
        with seeded(0, device), evaluating(network):
            return network(*(part.to(device) for part in inputs))
    except Exception as error:  # networks can raise anything
        shapes = " and ".join(str(tuple(part.shape)) for part in inputs)
        classes = f", classes from {inputs[1].min()} to {inputs[1].max()}" if inputs[1:] else ""
        raise ValueError(
            f"The {name} cannot be called with inputs of shape {shapes}{classes}: {error}"
        ) from error


def check_grids(X, labels, generator, folder):
    """Raise ValueError if no grids of samples can be written."""
    if Path(folder).exists() and not Path(folder).is_dir():
        raise ValueError(f"sample_dir must be a folder, but {folder} is a file.")
    if X.ndim != 4 or X.shape[1] not in (1, 3):
        raise ValueError(
            f"sample_dir needs images of 1 or 3 channels, but X has shape {X.shape}. Leave "
            "it out, and use callback to look at samples."
        )
    if labels is not None and not hasattr(type(generator), "sampler"):
        raise ValueError(
            "sample_dir with labels needs a generator with a method sampler(n, rng) that draws "
            "latents and labels, as ConditionalDCGANGenerator has. Add one, or leave sample_dir "
            "out."
        )
