"""A generator as a deterministic function of its latents."""

import warnings
from contextlib import contextmanager
from functools import cached_property

import torch

from sklearn_flipad.base.modules import evaluating, moved_to, run_generator, unwrap
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.output_range import find_output_range
from sklearn_flipad.generators.process.latent_space import LatentSpace

__all__ = ["LatentFunction"]

#: Inputs on which the generator is tried.
_N_TRIED = 8


class LatentFunction:
    """A generator in eval mode on a device, as a function that can be searched.

    It is made once for many batches: the generator runs several times to find its inputs, the
    shape of its samples, whether it draws random numbers, and whether it has gradients
    (`has_gradients`). On another device than the generator's it holds a copy.
    """

    def __init__(self, generator, *, device, latent_shape=None, sampler=None, random_state=0):
        self.generator = moved_to(unwrap(generator), device)
        self.random_state = random_state
        self._inputs = {"latent_shape": latent_shape, "sampler": sampler}
        _check_precision(self.generator)
        self.space = LatentSpace(self.generator, **self._inputs)
        ((latents, conditions),) = self.space.draw(self.generator, _N_TRIED, random_state=0)
        self.device, self.dtype = latents.device, latents.dtype
        self.is_random = self._is_random(latents, conditions)
        with self.running():
            self.sample_shape = tuple(self.generate(latents, conditions).shape[1:])
            self.has_gradients = self._has_gradients(latents, conditions)

    @contextmanager
    def running(self):
        """The generator in eval mode, and gradients even where the caller switched them off."""
        with torch.inference_mode(False), evaluating(self.generator):
            yield

    def generate(self, latents, conditions):
        """Samples ``(n, *sample_shape)`` of latents ``(n, n_features)`` and conditions ``(n,)``."""
        if not self.is_random:
            return self.generator(*self.space.inputs(latents, conditions))
        with seeded(self.random_state, latents.device):
            return self.generator(*self.space.inputs(latents, conditions))

    def draw(self, n, random_state, batch_size=None):
        """Batches of latents ``(n_batch, n_features)`` and conditions ``(n_batch,)``."""
        return self.space.draw(self.generator, n, random_state, batch_size)

    @cached_property
    def output_range(self):
        """Values of the gray levels 0 and 255; ValueError if they are not known."""
        return find_output_range(self.generator, **self._inputs)

    def warn_if_random(self):
        """Warn of a generator whose samples depend on more than its latents."""
        if self.is_random:
            warnings.warn(
                "The generator draws random numbers while it runs, even in eval mode: noise, or "
                "dropout that is always on. Samples are reconstructed with one draw of them, which "
                "depends on batch_size, so own samples will not be reproduced exactly. Fix the "
                "noise, or make it an input with sampler=, if the generator can.",
                UserWarning,
                stacklevel=4,
            )

    def _is_random(self, latents, conditions):
        inputs = self.space.inputs(torch.cat([latents] * 2), torch.cat([conditions] * 2))
        with seeded(self.random_state, latents.device), evaluating(self.generator):
            first, second = (run_generator(self.generator, inputs) for _ in range(2))
        return not torch.equal(first, second)

    def _has_gradients(self, latents, conditions):
        with torch.enable_grad():
            latents = latents.detach().clone().requires_grad_(True)
            x = self.generate(latents, conditions)
            if not x.requires_grad:
                return False
            (gradients,) = torch.autograd.grad(x.square().sum(), latents, allow_unused=True)
        return gradients is not None and bool(gradients.isfinite().all() and gradients.any())


def _check_precision(generator):
    """Raise ValueError if the generator computes with too few digits to be searched."""
    for name, parameter in generator.named_parameters():
        if parameter.is_floating_point() and parameter.dtype not in (torch.float32, torch.float64):
            dtype = str(parameter.dtype).removeprefix("torch.")
            raise ValueError(
                f"The generator computes in {dtype} ({name}), "
                "with too few digits for a search of latents. Pass a copy in single precision, "
                "copy.deepcopy(generator).float(), here and where the model's own samples are "
                "drawn; its samples differ from those in half precision by about a gray level."
            )
