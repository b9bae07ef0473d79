"""Models whose noise is found and that are run again: diffusion samplers, and generators."""

import inspect

import numpy as np
import torch

from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.samples import check_samples
from sklearn_flipad.generators import DiffusionSampler
from sklearn_flipad.reproduction._latent_functions import latent_function_of
from sklearn_flipad.reproduction.detector import ReproductionDetector
from sklearn_flipad.reproduction.seeds._latents import last_states


def target_of(model):
    """A model with the interface of this file's classes; TypeError if it is of another kind."""
    if isinstance(model, DiffusionSampler):
        return Diffusion(model)
    if isinstance(model, ReproductionDetector):
        return Reproduced(model)
    raise TypeError(
        "Seeds are searched with a DiffusionSampler, or with the ReproductionDetector of another "
        f"generator, got a {type(model).__name__}."
    )


class Diffusion:
    """A diffusion sampler, run backward for the noise and forward again.

    `own` holds arguments of its network, tensors of one row.
    """

    def __init__(self, sampler, own=None):
        self.sampler, self.own = sampler, own or {}
        self.sample_shape, self.latent_shape = sampler.sample_shape, sampler.latent_shape
        self.output_range = sampler.output_range

    def with_settings(self, settings):
        """The same with some settings; ValueError if the model has no such."""
        settings, sampler = dict(settings), self.sampler
        if "steps" in settings:
            sampler = sampler.with_steps(int(settings.pop("steps")))
        taken = inspect.signature(sampler.network.forward).parameters
        takes_all = any(part.kind is part.VAR_KEYWORD for part in taken.values())
        for name, value in settings.items():
            if not takes_all and name not in taken:
                raise ValueError(
                    Message(
                        f"The network takes no {name!r}. Settings are steps, size, and what "
                        f"{type(sampler.network).__name__} is called with. Name the columns that "
                        "are, by ",
                        Term("SeedCandidates.from_requests(table, settings=[...])", "settings"),
                        ".",
                    )
                )
            if isinstance(value, str):
                raise ValueError(f"The setting {name!r} must be a number, got {value!r}.")
        return Diffusion(sampler, {name: torch.tensor([x]) for name, x in settings.items()})

    def checked(self, X):
        """Samples of shape (n, *sample_shape)."""
        shape, range_ = self.sample_shape, self.output_range
        array = check_samples(self.sampler, X, output_range=range_, sample_shape=shape)
        return array.reshape(-1, *shape)

    def states(self, array, decoding):
        """Last states of samples, with which the inversion starts."""
        return last_states(self.sampler, array, decoding)

    def inverted(self, states, condition, **options):
        """The inversion of states, their noise, and a condition with a row for each."""
        found = self.sampler.invert(states, **self._of(condition, len(states)), **options)
        return found, found.noise, condition

    def made(self, noise, condition, in_levels):
        """Samples of noise, of the condition of one sample."""
        run = self.sampler.images if in_levels else self.sampler.run
        return run(noise, **self._of(condition, len(noise)))

    def _of(self, condition, n):
        both = {**condition, **self.own}
        return {k: x if len(x) == n else x.expand(n, *x.shape[1:]) for k, x in both.items()}


class Reproduced:
    """A generator whose latents a detector finds."""

    def __init__(self, detector):
        self.detector, self.function = detector, latent_function_of(detector)
        self.sample_shape, self.latent_shape = self.function.sample_shape, self.function.space.shape

    @property
    def output_range(self):
        """Values of the gray levels 0 and 255."""
        given = self.detector.output_range
        return self.function.output_range if given is None else tuple(given)

    def with_settings(self, settings):
        """The same; ValueError if there are settings."""
        if settings:
            raise ValueError(
                f"A generator without a sampler takes no {next(iter(settings))!r}: reproduction "
                "finds conditions itself. Leave settings out."
            )
        return self

    def checked(self, X):
        """Samples of shape (n, *sample_shape)."""
        array, _ = self.detector._prepared(X)
        return array.reshape(-1, *self.sample_shape)

    def states(self, array, decoding):
        """The samples themselves."""
        return array

    def inverted(self, array, condition, **_):
        """The reproductions of samples, their latents, and the number of a condition for each."""
        self.with_settings(condition)
        found = self.detector.reconstruct(array)
        return found, found.latents, {"number": torch.from_numpy(found.conditions)}

    def made(self, noise, condition, in_levels):
        """Samples of latents in one batch, of the condition of one sample."""
        function = self.function
        latents = torch.as_tensor(noise).to(function.device, function.dtype).flatten(1)
        number = condition.get("number", torch.zeros(1, dtype=torch.int64))
        number = number.to(function.device).expand(len(latents))
        with function.running(), torch.no_grad():
            x = function.generate(latents, number).float().cpu().numpy()
        return to_gray_levels(x, self.output_range) if in_levels else x.astype(np.float32)
