"""Adversarial training of a generator of images or rows."""

from contextlib import contextmanager, nullcontext
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, validate_params
from tqdm.auto import tqdm

from benchmarks.zoo.checkpoints import locked, read_checkpoint, write_checkpoint
from benchmarks.zoo.checks import (
    as_values,
    check_grids,
    check_networks,
    check_schedule,
    check_training_samples,
)
from benchmarks.zoo.sample_files import save_grid
from benchmarks.zoo.settings import training_settings
from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.zoo.files.samples import N_SAMPLES

__all__ = ["train_gan"]


@validate_params(
    {
        "n_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "betas": ["array-like"],
        "n_critic": [Interval(Integral, 1, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
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
    """Train a generator against a discriminator, in place; return the mean losses of each epoch.

    The defaults are the paper's (Appendix G.2). With the same seed, machine and number of threads
    the weights are the same, whether or not training was interrupted between checkpoints.

    The generator maps latents (n, *generator.latent_shape) to images in [-1, 1], or to the rows of
    a table. Both networks are moved to `device` and left in training mode, in channels-last memory
    format; their weights are taken as they are (see ``initialize_weights``). `X` are uint8 images
    (n, channels, height, width), or float rows (n, n_columns), which should be standardized. With
    `labels` both networks take those of the batch as their second argument, and the objective gets
    the discriminator with them filled in.

    `objective` has ``discriminator_loss(discriminator, real, fake)`` and
    ``generator_loss(discriminator, fake)``. An epoch skips an incomplete last batch and updates the
    generator in every `n_critic`-th step, by Adam with `learning_rate` and `betas`.

    A `checkpoint` is written after every epoch. If it exists, training continues from it: its
    weights replace those of the networks, and its epochs count. All that decides the result has to
    be the same; only `n_epochs` may grow, and `device` and the version of torch may change, though
    the weights then differ from those of an uninterrupted training. Only one training at a time can
    use the file; an empty file ``.lock`` stays beside it.

    `sample_dir` gets a grid ``epoch-001.png`` of images after every epoch, always for the same
    latents, in eval mode; the training is the same without it. ``callback(epoch, generator,
    losses)`` is called after every epoch, once its checkpoint is written, and may draw random
    numbers.

    ValueError (samples, networks, parameters or a checkpoint that do not fit) and RuntimeError (a
    checkpoint in use) leave everything unchanged. FloatingPointError, for a loss or a weight that
    is not finite, leaves the checkpoint of the epoch before.
    """
    networks = {"generator": generator, "discriminator": discriminator}
    X, labels = check_training_samples(X, labels)
    check_schedule(len(X), batch_size, n_critic, betas)
    check_networks(networks, X, labels)
    device = resolve_device(device)
    if sample_dir is not None:
        check_grids(X, labels, generator, sample_dir)
    steps = {"batch_size": int(batch_size), "n_critic": int(n_critic)}
    adam = {"learning_rate": float(learning_rate), "betas": tuple(map(float, betas))}
    seed = int(random_state)
    with nullcontext() if checkpoint is None else locked(checkpoint) as path:
        stored = None
        if path is not None:
            settings = training_settings(
                networks, X, labels, objective, **steps, **adam, random_state=seed
            )
            if path.exists():
                stored = read_checkpoint(path, settings, networks, n_epochs)
        if sample_dir is not None:
            Path(sample_dir).mkdir(parents=True, exist_ok=True)
        run = _Run(networks, objective, device, n_critic, seed, **adam)
        if stored is not None:
            run.restore(stored)
        for epoch in range(len(run.history), n_epochs):
            with run.random_numbers():
                batches = torch.randperm(len(X)).split(batch_size)[: len(X) // batch_size]
                name = f"epoch {epoch + 1}/{n_epochs}"
                try:
                    with tqdm(batches, desc=name, disable=not verbose) as bar:
                        run.train_epoch(X, labels, bar)
                except FloatingPointError as error:
                    raise FloatingPointError(_divergence(error, epoch, path)) from error
            # Before the checkpoint, so that an epoch interrupted in between is repeated.
            if sample_dir is not None:
                _save_samples(generator, Path(sample_dir), epoch + 1)
            if path is not None:
                write_checkpoint(path, settings, run.state())
            if callback is not None:
                callback(epoch, generator, run.history[-1])
    return run.history


def _save_samples(generator, folder, epoch):
    x = sample(generator, N_SAMPLES, dtype="float32", random_state=0)
    save_grid(to_gray_levels(x, (-1.0, 1.0)), folder / f"epoch-{epoch:03d}.png")


def _divergence(error, epoch, path):
    message = f"{error} in epoch {epoch + 1}: the training has diverged."
    other = ""
    if path is not None and epoch > 0:
        message += f" The checkpoint {path} is kept as it was after epoch {epoch}."
        other = " and another checkpoint path"
    return f"{message} Train with a lower learning_rate{other}."


class _Run:
    """State of a training: networks, optimizers, random numbers and history."""

    def __init__(self, networks, objective, device, n_critic, seed, learning_rate, betas):
        self.networks = networks
        self.objective = objective
        self.device = device
        self.n_critic = n_critic
        self.seed = seed
        self.rng = torch.Generator().manual_seed(seed).get_state()
        for net in networks.values():
            # In channels-last format, training is up to 1.8 times faster on a CPU.
            net.to(device).to(memory_format=torch.channels_last).train()
        self.optimizers = {
            name: torch.optim.Adam(net.parameters(), lr=learning_rate, betas=betas)
            for name, net in networks.items()
        }
        self.history = []

    @contextmanager
    def random_numbers(self):
        """Make torch's global random numbers those of the training, for one epoch.

        Those of the CPU go on from epoch to epoch. Those of an accelerator, drawn only by dropout
        and the like, start again from a seed of the epoch.
        """
        seed = np.random.SeedSequence([self.seed, len(self.history)]).generate_state(1)
        with seeded(int(seed[0]), self.device):
            torch.set_rng_state(self.rng)
            yield
            self.rng = torch.get_rng_state()

    def train_epoch(self, X, labels, bar):
        """Take a step for each batch of indices in a progress bar."""
        sums, counts = np.zeros(2), np.zeros(2)
        for step, batch in enumerate(bar, start=1):
            rows = batch.numpy()
            real = as_values(X[rows], self.device)
            condition = ()
            if labels is not None:
                condition = (torch.from_numpy(labels[rows]).to(self.device),)
            losses = self._step(real, condition, update_generator=step % self.n_critic == 0)
            seen = np.isfinite(losses)
            sums[seen] += losses[seen]
            counts += seen
            bar.set_postfix(d=f"{losses[0]:.3f}", g=f"{sums[1] / max(counts[1], 1):.3f}")
        self._check_weights()  # gradients can overflow where losses do not
        means = sums / counts
        self.history.append({"discriminator": float(means[0]), "generator": float(means[1])})

    def _step(self, real, condition, *, update_generator):
        """Update the discriminator and, if asked, the generator; return both losses.

        `condition` is a tuple of further arguments of both networks.
        """
        generator, discriminator = self.networks.values()
        judge = (lambda x: discriminator(x, *condition)) if condition else discriminator
        generator.train()
        discriminator.train()
        losses = np.full(2, np.nan)
        latents = torch.randn(len(real), *generator.latent_shape).to(real.device)
        with torch.set_grad_enabled(update_generator):
            fake = generator(latents, *condition)
        loss = self.objective.discriminator_loss(judge, real, fake.detach())
        losses[0] = self._descend("discriminator", loss)
        if update_generator:
            with _constant(discriminator):
                loss = self.objective.generator_loss(judge, fake)
                losses[1] = self._descend("generator", loss)
        return losses

    def _descend(self, name, loss):
        value = loss.item()
        if not np.isfinite(value):  # before it reaches the weights
            raise FloatingPointError(f"The loss of the {name} is {value}")
        self.optimizers[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers[name].step()
        return value

    def _check_weights(self):
        for name, network in self.networks.items():
            for key, value in network.state_dict().items():
                if isinstance(value, torch.Tensor) and not torch.isfinite(value).all():
                    raise FloatingPointError(f"{key} of the {name} is no longer finite")

    def state(self):
        """State that a continued training needs."""
        return {
            "networks": {name: net.state_dict() for name, net in self.networks.items()},
            "optimizers": {name: opt.state_dict() for name, opt in self.optimizers.items()},
            "rng": self.rng,
            "history": self.history,
        }

    def restore(self, state):
        """Take up a state that has been checked."""
        for name, net in self.networks.items():
            net.load_state_dict(state["networks"][name])
            self.optimizers[name].load_state_dict(state["optimizers"][name])
        self.rng = state["rng"]
        self.history = state["history"]


@contextmanager
def _constant(module):
    """Keep the parameters of a module without gradients."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    module.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
