"""Models whose noise is found and that are run again: diffusion samplers, and generators."""

import inspect

import numpy as np
import torch

from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.samples import as_array, check_samples
from sklearn_flipad.generators import DiffusionSampler
from sklearn_flipad.reproduction._latent_functions import latent_function_of
from sklearn_flipad.reproduction.detector import ReproductionDetector
from sklearn_flipad.reproduction.seeds._latents import last_states
from sklearn_flipad.reproduction.seeds._suspects import (
    check_one_shape,
    checked_values,
    known_processing,
)

#: Copies and their deviations, see DiffusionSampler.invert. Correlations with the noise of the best
#: of 5,000 seeds of 48 images, DDIM of 20 steps, and how many suffice among 10^6, with 0.05, 0.1,
#: 0.2 and 0.4: medians of own images 0.59, 0.52, 0.47 and 0.42, 47, 47, 47 and 47 found; after JPEG
#: 80 0.33, 0.37, 0.37 and 0.35, 44, 46, 47 and 46 found; noise of 0.05, 0.31, 0.35, 0.38 and 0.37,
#: 40, 45, 45 and 45; resized to 24 0.23, 0.22, 0.21 and 0.20, 29, 25, 21 and 18. The smaller one
#: suits resized images, the larger one noise and JPEG (``python -m benchmarks constants``).
N_COPIES, DEVIATIONS = 2, (0.05, 0.2)


def target_of(model, processing=None):
    """A model with the interface of this file's classes; TypeError if it is of another kind."""
    if isinstance(model, DiffusionSampler):
        return Diffusion(model, known_processing(processing, model.sample_shape))
    if isinstance(model, ReproductionDetector):
        return Reproduced(model, processing)
    raise TypeError(
        "Seeds are searched with a DiffusionSampler, or with the ReproductionDetector of another "
        f"generator, got a {type(model).__name__}."
    )


class Diffusion:
    """A diffusion sampler, run backward for the noise and forward again.

    `own` holds arguments of its network, tensors of one row.
    """

    def __init__(self, sampler, processing, own=None):
        self.sampler, self.processing, self.own = sampler, processing, own or {}
        self.sample_shape, self.latent_shape = sampler.sample_shape, sampler.latent_shape
        self.output_range = sampler.output_range

    def with_settings(self, settings):
        """The same with some settings; ValueError if the model has no such."""
        settings, sampler = dict(settings), self.sampler
        for name, value in settings.items():
            if isinstance(value, str):
                raise ValueError(
                    f"The setting {name!r} must be a number, got {value!r}. Of a log, name the "
                    "columns that are settings: settings=[...], or --settings for the command."
                )
        if "steps" in settings:
            sampler = sampler.with_steps(settings.pop("steps"))
        taken = inspect.signature(sampler.network.forward).parameters
        takes_all = any(part.kind is part.VAR_KEYWORD for part in taken.values())
        for name in settings:
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
        own = {name: torch.tensor([x]) for name, x in settings.items()}
        return Diffusion(sampler, self.processing, own)

    def checked(self, X):
        """Samples of shape (n, *sample_shape)."""
        shape, range_ = self.sample_shape, self.output_range
        check_one_shape(X, shape)
        array = check_samples(self.sampler, X, output_range=range_, sample_shape=shape)
        return checked_values(array.reshape(-1, *shape), self.processing, range_)

    def states(self, array, decoding):
        """Last states of samples, with which the inversion starts."""
        followed = [x for x in self.processing.steps if x is not self.processing.file_format]
        return last_states(self.sampler, array, decoding, followed)

    def deviations(self, array):
        """Deviations by which samples are inverted in turn; with None, each step is solved."""
        has_digits = self.sampler.decoder is None and array.dtype != np.uint8
        return (None, *DEVIATIONS) if has_digits else DEVIATIONS

    def inverted(self, states, deviation, condition, **options):
        """The inversion of states, their noise, and a condition with a row for each."""
        if deviation is not None:
            options |= {"n_copies": N_COPIES, "deviation": deviation}
        found = self.sampler.invert(states, **self._of(condition, len(states)), **options)
        return found, found.noise, condition

    def made(self, noise, condition, in_levels, file=None):
        """Samples of noise, of the condition of one sample, processed if they are gray levels.

        `file` is an image that knows the file whose format they get, if the processing asks for it.
        """
        condition = self._of(condition, len(noise))
        if not in_levels:
            return self.sampler.run(noise, **condition)
        images = self.sampler.images(noise, **condition)
        return self.processing.apply(images, [file] * len(images))

    def _of(self, condition, n):
        both = {**condition, **self.own}
        return {k: x if len(x) == n else x.expand(n, *x.shape[1:]) for k, x in both.items()}


class Reproduced:
    """A generator whose latents a detector finds."""

    def __init__(self, detector, processing):
        self.detector, self.function = detector, latent_function_of(detector)
        self.sample_shape, self.latent_shape = self.function.sample_shape, self.function.space.shape
        steps = detector.processing if processing is None else processing
        self.processing = known_processing(steps, self.sample_shape)
        if self.processing.file_format is not None:
            raise ValueError(
                Message(
                    "The format of each file is followed for diffusion models. Of another "
                    "generator, name it, by ",
                    Term("processing=JPEGCompression(90)", "jpeg"),
                    "; or find latents with processing=[UnknownGeometry(), FileFormat()] of "
                    "make_reproduction, and compare them by match_seeds.",
                )
            )

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
        shape = self.sample_shape
        check_one_shape(X, shape)
        try:
            range_ = self.output_range
        except ValueError:
            if as_array(X).dtype.kind != "f":
                raise
            range_ = None  # floats need none
        array = check_samples(self.detector, X, output_range=range_, sample_shape=shape)
        return checked_values(array.reshape(-1, *shape), self.processing, range_)

    def states(self, array, decoding):
        """The samples themselves."""
        return array

    def deviations(self, array):
        """One search finds the latents."""
        return (None,)

    def inverted(self, array, deviation, condition, **_):
        """The reproductions of samples, their latents, and the number of a condition for each."""
        self.with_settings(condition)
        found = self.detector.reconstruct(array)
        return found, found.latents, {"number": torch.from_numpy(found.conditions)}

    def made(self, noise, condition, in_levels, file=None):
        """Samples of latents in one batch, of one condition, processed if they are gray levels."""
        function = self.function
        latents = torch.as_tensor(noise).to(function.device, function.dtype).flatten(1)
        number = condition.get("number", torch.zeros(1, dtype=torch.int64))
        number = number.to(function.device).expand(len(latents))
        with function.running(), torch.no_grad():
            x = function.generate(latents, number).float().cpu().numpy()
        if not in_levels:
            return x.astype(np.float32)
        return self.processing.apply(to_gray_levels(x, self.output_range), None)
