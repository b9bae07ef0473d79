"""Adversarial training of an image generator."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from sklearn_flipad.sampling import latent_batches, sample
from sklearn_flipad.zoo.grids import N_SAMPLES, save_grid

__all__ = ["initialize_weights", "recalibrate_batch_norm", "train_gan"]


def initialize_weights(module, random_state=0):
    """Draw convolution weights from N(0, 0.02²) and batch-norm scales from N(1, 0.02²).

    The initialisation of DCGAN (Radford et al., ICLR 2016), seeded. Embeddings of classes
    are drawn from N(0, 1), like latents.

    Parameters
    ----------
    module : torch.nn.Module
        Network to initialise in place.
    random_state : int, default=0
        Seed.

    Returns
    -------
    torch.nn.Module
        The same module.
    """
    rng = torch.Generator().manual_seed(random_state)
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, 0.02, generator=rng)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02, generator=rng)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, generator=rng)
    return module


@torch.no_grad()
def recalibrate_batch_norm(generator, n_batches=100, batch_size=128, random_state=0):
    """Replace the running batch-norm statistics by averages over fresh latents.

    The exponential averages of training lag behind the last weights; samples drawn in
    eval mode should see the statistics of the final generator.

    Parameters
    ----------
    generator : torch.nn.Module
        Generator with ``latent_shape`` or a method ``sampler``, changed in place.
    n_batches, batch_size : int, default=100, 128
        Latents used.
    random_state : int, default=0
        Seed of the latents.

    Returns
    -------
    torch.nn.Module
        The same generator, in eval mode.
    """
    norms = [m for m in generator.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
    if hasattr(type(generator), "sampler"):
        batches = latent_batches(
            generator, n_batches * batch_size, batch_size=batch_size, random_state=random_state
        )
    else:
        device = next(generator.parameters()).device
        rng = torch.Generator().manual_seed(random_state)
        shape = (batch_size, *generator.latent_shape)
        batches = ((torch.randn(shape, generator=rng).to(device),) for _ in range(n_batches))
    generator.train()
    for inputs in batches:
        generator(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return generator.eval()


def train_gan(
    generator,
    discriminator,
    X,
    *,
    objective,
    labels=None,
    n_epochs=50,
    batch_size=128,
    learning_rate=2e-4,
    betas=(0.5, 0.999),
    n_critic=1,
    random_state=0,
    device=None,
    checkpoint=None,
    sample_dir=None,
    callback=None,
    verbose=1,
):
    """Train a generator against a discriminator, in place.

    The defaults are the paper's (Appendix G.2). With the same seed, machine and number
    of threads the weights are the same, whether or not training was interrupted between
    checkpoints.

    Parameters
    ----------
    generator : torch.nn.Module
        Maps latents of shape ``(n, *generator.latent_shape)`` to images in [-1, 1].
    discriminator : torch.nn.Module
        What `objective` expects.
    X : ndarray of uint8, shape (n, channels, height, width)
        Training images.
    objective : object
        ``discriminator_loss(discriminator, real, fake)`` and
        ``generator_loss(discriminator, fake)``.
    labels : array-like of int, shape (n,), default=None
        Class of each image. Both networks then take the labels of the batch as their
        second argument, and the objective gets the discriminator with them filled in.
    n_epochs, batch_size : int, default=50, 128
        Passes over the images and images a step; an incomplete last batch is skipped.
    learning_rate : float, default=2e-4
        Learning rate of both Adam optimisers.
    betas : pair of float, default=(0.5, 0.999)
        Adam's averaging coefficients.
    n_critic : int, default=1
        The generator is updated every `n_critic`-th step.
    random_state : int, default=0
        Seed of the shuffling, the latents and dropout. The weights are taken as they
        are, see :func:`initialize_weights`.
    device : str or torch.device, default=None
        Where to train; CUDA if there is one, else the CPU.
    checkpoint : path-like, default=None
        File that is written after every epoch and resumed from if it exists.
    sample_dir : path-like, default=None
        Folder for a grid of samples after every epoch, ``epoch-001.png`` and so on:
        always for the same latents, in eval mode. The training is the same with and
        without it. With `labels`, the generator must have a method ``sampler``, as
        :class:`~sklearn_flipad.zoo.ConditionalDCGANGenerator` has.
    callback : callable, default=None
        Called as ``callback(epoch, generator, losses)`` after every epoch.
    verbose : int, default=1
        Whether to show a progress bar.

    Returns
    -------
    list of dict
        Mean discriminator and generator loss of every epoch.

    Raises
    ------
    ValueError
        If there are fewer images than one batch holds, or `labels` are not as many integers.
    """
    if len(X) < batch_size:
        raise ValueError(
            f"X holds {len(X)} images, fewer than one batch of {batch_size}; lower batch_size."
        )
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (len(X),) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise ValueError(
                f"labels must be {len(X)} integers from 0, one for each image, got an array of "
                f"shape {labels.shape} and type {labels.dtype}."
            )
        labels = torch.from_numpy(labels.astype(np.int64))
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    run = _Run(generator.to(device), discriminator.to(device), learning_rate, betas)
    cuda = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(random_state)
        if checkpoint is not None and Path(checkpoint).exists():
            run.load(checkpoint)
        n_batches = len(X) // batch_size
        for epoch in range(len(run.history), n_epochs):
            order = torch.randperm(len(X))[: n_batches * batch_size].reshape(n_batches, -1)
            bar = tqdm(order, desc=f"epoch {epoch + 1}/{n_epochs}", disable=not verbose)
            sums, counts = np.zeros(2), np.zeros(2)
            for index, batch in enumerate(bar):
                real = torch.from_numpy(X[batch.numpy()]).to(device).float() / 127.5 - 1
                condition = () if labels is None else (labels[batch].to(device),)
                update_generator = (index + 1) % n_critic == 0
                losses = run.step(real, condition, objective, update_generator=update_generator)
                seen = np.isfinite(losses)
                sums[seen] += losses[seen]
                counts += seen
                bar.set_postfix(d=f"{losses[0]:.3f}", g=f"{sums[1] / max(counts[1], 1):.3f}")
            means = sums / np.maximum(counts, 1)
            run.history.append({"discriminator": float(means[0]), "generator": float(means[1])})
            # Before the checkpoint: what is interrupted in between is done again.
            if sample_dir is not None:
                with torch.random.fork_rng(devices=cuda):
                    _save_samples(generator, Path(sample_dir), epoch + 1)
            if checkpoint is not None:
                run.save(checkpoint)
            if callback is not None:
                callback(epoch, generator, run.history[-1])
    return run.history


def _save_samples(generator, folder, epoch):
    folder.mkdir(parents=True, exist_ok=True)
    save_grid(sample(generator, N_SAMPLES, random_state=0), folder / f"epoch-{epoch:03d}.png")


class _Run:
    """The state of a training: networks, optimisers, random numbers and history."""

    def __init__(self, generator, discriminator, learning_rate, betas):
        self.networks = {"generator": generator, "discriminator": discriminator}
        for net in self.networks.values():
            net.to(memory_format=torch.channels_last)  # up to 1.8 times faster on a CPU
        self.optimizers = {
            name: torch.optim.Adam(net.parameters(), lr=learning_rate, betas=betas)
            for name, net in self.networks.items()
        }
        self.history = []

    def step(self, real, condition, objective, *, update_generator):
        """One discriminator update and, if asked, one generator update.

        `condition` is a tuple of what both networks take after their first argument.
        """
        generator, discriminator = self.networks.values()
        judge = (lambda x: discriminator(x, *condition)) if condition else discriminator
        generator.train()
        discriminator.train()
        losses = np.full(2, np.nan)
        latents = torch.randn(len(real), *generator.latent_shape).to(real.device)
        with torch.set_grad_enabled(update_generator):
            fake = generator(latents, *condition)
        loss = objective.discriminator_loss(judge, real, fake.detach())
        losses[0] = self._descend("discriminator", loss)
        if update_generator:
            discriminator.requires_grad_(False)
            losses[1] = self._descend("generator", objective.generator_loss(judge, fake))
            discriminator.requires_grad_(True)
        if np.isinf(losses).any() or np.isnan(losses[0]):
            raise FloatingPointError("The GAN losses are no longer finite.")
        return losses

    def _descend(self, name, loss):
        self.optimizers[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers[name].step()
        return loss.item()

    def save(self, path):
        state = {
            "networks": {k: v.state_dict() for k, v in self.networks.items()},
            "optimizers": {k: v.state_dict() for k, v in self.optimizers.items()},
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
            "history": self.history,
        }
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path):
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name, net in self.networks.items():
            net.load_state_dict(state["networks"][name])
            self.optimizers[name].load_state_dict(state["optimizers"][name])
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["cuda_rng"])
        self.history = state["history"]
