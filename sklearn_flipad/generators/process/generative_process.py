"""A generator, and what is done to its samples, as a function of latents."""

import numpy as np
import torch
from sklearn.utils import check_random_state

from sklearn_flipad.base.gray_levels import from_gray_levels, to_gray_levels
from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.generators.process.processing import Processing

__all__ = ["GenerativeProcess"]

#: Rows that the generator is asked for at a time where no gradients are needed.
_BATCH = 64


class GenerativeProcess:
    """A :class:`LatentFunction` whose samples are gray levels or floats, and are processed.

    `dtype` is ``"uint8"``, ``"float32"`` or ``"auto"``, which means gray levels for images.
    `output_range` holds the values of the gray levels 0 and 255, by default the function's; the
    attribute is None for floats.
    """

    def __init__(self, function, *, dtype="auto", output_range=None, processing=None):
        self.generator, self.space = function.generator, function.space
        self.device, self.latent_dtype = function.device, function.dtype
        self.sample_shape, self.has_gradients = function.sample_shape, function.has_gradients
        self.generate, self.running = function.generate, function.running
        self.draw_latents = function.draw
        self.noise, self.noise_variance = function.noise, function.noise_variance
        self.output_range = None
        if dtype == "uint8" or (dtype == "auto" and len(self.sample_shape) == 3):
            output_range = function.output_range if output_range is None else output_range
            self.output_range = tuple(map(float, output_range))
        self.processing = Processing(processing, self.sample_shape)

    @property
    def unit(self):
        """The generator's values for one gray level; 1 for floats."""
        if self.output_range is None:
            return 1.0
        return (self.output_range[1] - self.output_range[0]) / 255

    def draw(self, n, random_state, batch_size=_BATCH):
        """Batches of samples ``(n_batch, *sample_shape)``, their latents and their conditions."""
        rng = check_random_state(random_state)
        for latents, conditions in self.draw_latents(n, rng, batch_size):
            drawn = latents
            if self.noise is not None:
                values = rng.standard_normal((len(latents), self.noise.n_values))
                drawn = torch.cat([latents, torch.from_numpy(values).to(latents)], dim=1)
            yield self.processed(drawn, conditions), latents, conditions

    def processed(self, latents, conditions):
        """Samples as files would have them, uint8 or float32, shape (n, *sample_shape)."""
        X = self.raw(latents, conditions)
        return X if self.output_range is None else self.processing.apply(X, noise=True)

    def raw(self, latents, conditions):
        """Samples before any processing, uint8 or float32, shape (n, *sample_shape)."""
        parts = []
        with self.running():
            for begin in range(0, len(latents), _BATCH):
                rows = slice(begin, begin + _BATCH)
                parts.append(
                    in_lanes(
                        self.generate,
                        len(latents[rows]),
                        latents[rows],
                        conditions[rows],
                    )
                )
        x = torch.cat(parts).float().cpu().numpy()
        if not np.isfinite(x).all():
            raise ValueError("The generator returned NaN or infinity.")
        return x if self.output_range is None else to_gray_levels(x, self.output_range)

    def targets(self, X):
        """Samples, or rows of them, in the generator's values, a tensor (n, *sample_shape)."""
        x = from_gray_levels(torch.from_numpy(X), self.output_range)
        return x.to(self.device, self.latent_dtype).reshape(-1, *self.sample_shape)
