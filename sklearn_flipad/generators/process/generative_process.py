"""A generator, and what is done to its samples, as a function of latents."""

from math import prod

import numpy as np
import torch
from sklearn.utils import check_random_state

from sklearn_flipad.base.gray_levels import from_gray_levels, to_gray_levels
from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.base.sample_lists import as_sample_list, is_ragged
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.generators.process.filter_and_tone import N_PIXELS
from sklearn_flipad.generators.process.framing import N_BOX
from sklearn_flipad.generators.process.processing import Processing

__all__ = ["GenerativeProcess"]

#: Rows that the generator is asked for at a time where no gradients are needed.
_BATCH = 64
#: Values of an image for each latent, at least: four equations for each unknown. With 4.2 to 5.1,
#: of dcgan-0 at 18 pixels, 48 of 48 own samples were accepted, none of other architectures and of
#: two copies (``python -m benchmarks processed``); fewer were not measured.
_N_VALUES = 4


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
        self._draw = function.draw
        self.noise, self.noise_variance = function.noise, function.noise_variance
        self.output_range = None
        if dtype == "uint8" or (dtype == "auto" and len(self.sample_shape) == 3):
            output_range = function.output_range if output_range is None else output_range
            self.output_range = tuple(map(float, output_range))
        self.processing = Processing(processing, self.sample_shape)
        #: Numbers of a box beside the latents, where the processing cuts images.
        self.n_box = 0 if self.processing.geometry is None else N_BOX
        self.n_features = self.space.n_features + self.n_box

    @property
    def unit(self):
        """The generator's values for one gray level; 1 for floats."""
        if self.output_range is None:
            return 1.0
        return (self.output_range[1] - self.output_range[0]) / 255

    def draw_latents(self, n, random_state, batch_size=None):
        """Batches of latents ``(n_batch, n_features)``, with boxes, and conditions."""
        rng = random_state
        for latents, conditions in self._draw(n, rng, batch_size):
            if self.n_box:
                rng = check_random_state(rng)
                sides = self.sample_shape[1:]
                boxes = self.processing.geometry.draw_boxes(len(latents), sides, rng)
                latents = torch.cat([latents, torch.from_numpy(boxes).to(latents)], dim=1)
            yield latents, conditions

    def split(self, latents):
        """The generator's latents, with its noise if there is any, and the boxes (n, n_box)."""
        n, n_box = self.space.n_features, self.n_box
        if not n_box:
            return latents, latents[:, :0]
        boxes = latents[:, n : n + n_box]
        return torch.cat([latents[:, :n], latents[:, n + n_box :]], dim=1), boxes

    def box_moves(self, latents):
        """Changes of latents that move boxes by a pixel, shape (4, n_columns); none without boxes.

        A box that is a pixel beside the right one is a minimum of its own.
        """
        moves = latents.new_zeros(4 if self.n_box else 0, latents.shape[1])
        for row in range(len(moves)):
            axis, sign = row // 2, 1 - 2 * (row % 2)
            moves[row, self.space.n_features + 2 * axis] = sign / self.sample_shape[1 + axis]
        return moves

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
        latents, boxes = self.split(latents)
        X = self._raw(latents, conditions)
        if self.n_box:
            return self.processing.processed(X, boxes.double().cpu().numpy())
        return X if self.output_range is None else self.processing.draw(X)

    def raw(self, latents, conditions):
        """Samples before any processing, uint8 or float32, shape (n, *sample_shape)."""
        return self._raw(self.split(latents)[0], conditions)

    def _raw(self, latents, conditions):
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
        return self.framed(X, self.framing(X)) if self.n_box else self.plain(X)

    def plain(self, X):
        """The same of samples of the generator's size."""
        X = np.stack(X) if isinstance(X, list) or X.dtype == object else X
        x = from_gray_levels(torch.from_numpy(X), self.output_range)
        return x.to(self.device, self.latent_dtype).reshape(-1, *self.sample_shape)

    def checked_list(self, X):
        """Images of several sizes or files as a list; ValueError if one cannot be judged."""
        files = X
        if not is_ragged(X):
            X = as_array(X)
            X = X.reshape(-1, *self.sample_shape) if X.ndim == 2 else X
        images = as_sample_list(X)
        channels = self.sample_shape[0]
        least = max(_N_VALUES * self.space.n_features, N_PIXELS * channels)
        for number, image in enumerate(images):
            name = f"Sample {number}, of shape {image.shape},"
            if image.dtype != np.uint8:
                raise ValueError("A list of images takes gray levels: pass uint8 samples.")
            if image.ndim != 3 or len(image) != channels:
                raise ValueError(
                    f"{name} is no image of {channels} channels (channels, height, width), as the "
                    f"generator makes them, {self.sample_shape}."
                )
            # Pixels in between of the generator's carry nothing more.
            sides = zip(image.shape[1:], self.sample_shape[1:], strict=True)
            n_values = channels * prod(map(min, sides))
            if n_values < least:
                raise ValueError(
                    f"{name} carries {n_values} values, with at least {least} needed for "
                    f"{self.space.n_features} latents and the processing that is fitted: almost "
                    "anything would be reproduced. Take a larger copy of the image if there is one."
                )
            if not self.n_box and image.shape != self.sample_shape:
                raise ValueError(
                    f"{name} has not the size of the generator's, {self.sample_shape}. Pass "
                    "processing=[UnknownGeometry(), ...] for suspects of any size."
                )
        return self.processing.of_files(images, files)

    def framing(self, X):
        """The :class:`Framing` of samples of several sizes; None if they have the generator's."""
        return self.processing.framing([x.shape[1:] for x in X]) if self.n_box else None

    def framed(self, X, framing):
        """Gray levels of several sizes in the generator's values and size."""
        like = torch.zeros((), dtype=self.latent_dtype, device=self.device)
        return framing.framed([from_gray_levels(x, self.output_range) for x in X], like)
