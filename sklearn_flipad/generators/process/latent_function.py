"""A generator as a deterministic function of its latents."""

import warnings
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch

from sklearn_flipad.base.modules import evaluating, moved_to, run_generator, unwrap
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.output_range import find_output_range
from sklearn_flipad.generators.process.latent_space import LatentSpace
from sklearn_flipad.generators.process.noise import find_noise

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
        #: The :class:`DrawnNoise` of a generator that draws normal numbers, None for others.
        self.noise, self.noise_variance, self._obstacle = None, 0.0, None
        with self.running():
            self.sample_shape = tuple(self.generate(latents, conditions).shape[1:])
            self.has_gradients = self._has_gradients(latents, conditions)
            if self.is_random:
                self._look_at_noise(latents, conditions)

    @contextmanager
    def running(self):
        """The generator in eval mode, and gradients even where the caller switched them off."""
        with torch.inference_mode(False), evaluating(self.generator):
            yield

    def generate(self, latents, conditions):
        """Samples ``(n, *sample_shape)`` of latents ``(n, n_features)`` and conditions ``(n,)``.

        Further columns of the latents are what the generator draws as its `noise`.
        """
        if not self.is_random:
            return self._run(latents, conditions)
        if latents.shape[1] > self.space.n_features:
            values = latents[:, self.space.n_features :]
            # Seeded, because what is replaced is drawn all the same.
            with seeded(self.random_state, latents.device), self.noise.supplied(values):
                return self._run(latents[:, : self.space.n_features], conditions)
        with seeded(self.random_state, latents.device):
            return self._run(latents, conditions)

    def _run(self, latents, conditions):
        return self.generator(*self.space.inputs(latents, conditions))

    def _look_at_noise(self, latents, conditions):
        """Find the noise, and the variance of samples of one latent by it."""
        with torch.no_grad(), seeded(self.random_state, latents.device):
            first, second = (self._run(latents, conditions) for _ in range(2))
            self.noise_variance = float((first - second).double().square().mean()) / 2
            found = find_noise(self._run, latents, conditions)
        if not self.has_gradients and not isinstance(found, str):
            found = "the samples have no gradients"
        self.noise = None if isinstance(found, str) else found
        self._obstacle = found if isinstance(found, str) else None

    def draw(self, n, random_state, batch_size=None):
        """Batches of latents ``(n_batch, n_features)`` and conditions ``(n_batch,)``."""
        return self.space.draw(self.generator, n, random_state, batch_size)

    @cached_property
    def output_range(self):
        """Values of the gray levels 0 and 255; ValueError if they are not known."""
        return find_output_range(self.generator, **self._inputs)

    def warn_if_random(self, *, searches_noise):
        """Warn of a generator whose samples depend on more than its latents.

        `searches_noise` tells whether the noise is searched where it can be.
        """
        if not self.is_random:
            return
        message = (
            "The generator draws random numbers while it runs, even in eval mode: noise, or "
            "dropout that is always on. "
        )
        if searches_noise and self.noise is not None:
            message += (
                f"They are {self.noise.n_values} normal ones per sample, which are searched along "
                "with the latents; improbable ones count as distance."
            )
        else:
            spread = np.sqrt(2 * self.noise_variance)
            message += (
                "Samples are reconstructed with another draw of them, and two draws differ by "
                f"{spread:.3g} in the generator's values, root mean square: own samples are "
                "reproduced up to that, and near-copies that differ by less are not told apart. "
            )
            if self.noise is not None:
                message += "ReproductionDetector searches the noise with the latents."
            else:
                message += (
                    f"The noise is not searched, because {self._obstacle}. If it can be switched "
                    "off or fixed, do that in a module around the generator, for own samples too."
                )
        warnings.warn(message, UserWarning, stacklevel=4)

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
