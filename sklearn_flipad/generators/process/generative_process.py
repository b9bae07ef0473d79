"""A generator, and what is done to its samples, as a function that can be searched."""

import warnings
from contextlib import contextmanager

import numpy as np
import torch

from sklearn_flipad.base.gray_levels import from_gray_levels, to_gray_levels
from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.base.modules import evaluating, moved_to, run_generator, unwrap
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.output_range import find_output_range
from sklearn_flipad.generators.process.latent_space import LatentSpace
from sklearn_flipad.generators.process.processing import Processing

__all__ = ["GenerativeProcess"]

#: Rows that the generator is asked for at a time where no gradients are needed.
_BATCH = 64


class GenerativeProcess:
    """A generator in eval mode on a device, with the processing of its samples.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    device : torch.device
        Where to compute. The generator is moved there.
    dtype : {"auto", "uint8", "float32"}, default="auto"
        Whether samples are gray levels or the generator's values; ``"auto"`` means gray levels
        for images.
    latent_shape, sampler, output_range, processing, random_state
        See :class:`~sklearn_flipad.LatentEncoder`.

    Attributes
    ----------
    space : LatentSpace
        Inputs of the generator.
    sample_shape : tuple of int
        Shape of one sample.
    output_range : pair of float or None
        Values of the gray levels 0 and 255; None for floats.
    processing : Processing
        What is done to samples.
    has_gradients : bool
        Whether latents can be searched with gradients.
    latents, conditions : torch.Tensor
        A few inputs.

    Raises
    ------
    ValueError
        If the generator cannot be searched, or its range is not known.
    """

    def __init__(
        self,
        generator,
        *,
        device,
        dtype="auto",
        latent_shape=None,
        sampler=None,
        output_range=None,
        processing=None,
        random_state=0,
    ):
        self.device = device
        self.generator = moved_to(unwrap(generator), device)
        _check_precision(self.generator)
        self.space = LatentSpace(self.generator, latent_shape=latent_shape, sampler=sampler)
        ((self.latents, self.conditions),) = self.space.draw(self.generator, 8, random_state=0)
        self.generate = _deterministic(
            self.generator, self.space, self.latents, self.conditions, random_state
        )
        with self.running():
            self.sample_shape = tuple(self.generate(self.latents, self.conditions).shape[1:])
            self.has_gradients = _has_gradients(self.generate, self.latents, self.conditions)
        if dtype == "auto":
            dtype = "uint8" if len(self.sample_shape) == 3 else "float32"
        self.output_range = None
        if dtype == "uint8":
            if output_range is None:
                output_range = find_output_range(
                    self.generator, latent_shape=latent_shape, sampler=sampler
                )
            self.output_range = tuple(map(float, output_range))
        self.processing = Processing(processing, self.sample_shape)

    @contextmanager
    def running(self):
        """The generator in eval mode, for the time of a ``with`` block, where it is called."""
        # Gradients are needed even where the caller has switched them off.
        with torch.inference_mode(False), evaluating(self.generator):
            yield

    @property
    def unit(self):
        """The generator's values for one gray level; 1 for floats."""
        if self.output_range is None:
            return 1.0
        return (self.output_range[1] - self.output_range[0]) / 255

    def draw(self, n, random_state, batch_size=_BATCH):
        """Samples as files have them, with their latents.

        Parameters
        ----------
        n : int
            How many.
        random_state : RandomState instance
            Seed.
        batch_size : int, default=64
            How many at a time.

        Yields
        ------
        X : ndarray of uint8 or float32, shape (n_batch, *sample_shape)
        latents : torch.Tensor, shape (n_batch, n_features)
        conditions : torch.Tensor of int64, shape (n_batch,)
        """
        for latents, conditions in self.space.draw(self.generator, n, random_state, batch_size):
            yield self.processed(latents, conditions), latents, conditions

    def processed(self, latents, conditions):
        """Samples as files would have them.

        Parameters
        ----------
        latents : torch.Tensor, shape (n, n_features)
            Latents.
        conditions : torch.Tensor of int64, shape (n,)
            Numbers of conditions.

        Returns
        -------
        ndarray of uint8 or float32, shape (n, *sample_shape)
        """
        X = self.raw(latents, conditions)
        return X if self.output_range is None else self.processing.apply(X, noise=True)

    def raw(self, latents, conditions):
        """Samples before any processing, as gray levels or floats.

        Parameters
        ----------
        latents, conditions
            As in :meth:`processed`.

        Returns
        -------
        ndarray of uint8 or float32, shape (n, *sample_shape)
        """
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
        """Samples in the generator's values, on its device.

        Parameters
        ----------
        X : ndarray of uint8 or float, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        torch.Tensor, shape (n, *sample_shape)
        """
        x = from_gray_levels(torch.from_numpy(X), self.output_range)
        return x.to(self.latents.device, self.latents.dtype).reshape(-1, *self.sample_shape)


def _check_precision(generator):
    """Refuse a generator that computes with too few digits to be searched.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.

    Raises
    ------
    ValueError
        If its parameters are half precision or quantized.
    """
    for name, parameter in generator.named_parameters():
        if parameter.is_floating_point() and parameter.dtype not in (torch.float32, torch.float64):
            dtype = str(parameter.dtype).removeprefix("torch.")
            raise ValueError(
                f"The generator computes in {dtype} ({name}), "
                "with too few digits for a search of latents. Pass a copy in single precision, "
                "copy.deepcopy(generator).float(), here and where the model's own samples are "
                "drawn; its samples differ from those in half precision by about a gray level."
            )


def _deterministic(generator, space, latents, conditions, random_state):
    """The generator as a function of latents and conditions, the same at each call.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    space : LatentSpace
        Its inputs.
    latents, conditions : torch.Tensor
        A few of them, to see what it does.
    random_state : int
        Seed of what the generator draws itself.

    Returns
    -------
    callable
        ``generate(latents, conditions)``.

    Warns
    -----
    UserWarning
        If the generator draws random numbers.
    """

    def generate(latents, conditions):
        return generator(*space.inputs(latents, conditions))

    inputs = space.inputs(torch.cat([latents] * 2), torch.cat([conditions] * 2))
    with seeded(random_state, latents.device), evaluating(generator):
        first, second = run_generator(generator, inputs), run_generator(generator, inputs)
    if torch.equal(first, second):
        return generate
    warnings.warn(
        "The generator draws random numbers while it runs, even in eval mode: noise, or dropout "
        "that is always on. Samples are reconstructed with one draw of them, which depends on "
        "batch_size, so own samples will not be reproduced exactly. Fix the noise, or make it an "
        "input with sampler=, if the generator can.",
        UserWarning,
        stacklevel=5,
    )

    def seeded_generate(latents, conditions):
        with seeded(random_state, latents.device):
            return generate(latents, conditions)

    return seeded_generate


def _has_gradients(generate, latents, conditions):
    """Whether what is generated can be differentiated with respect to the latents.

    Parameters
    ----------
    generate : callable
        ``generate(latents, conditions)``.
    latents, conditions : torch.Tensor
        A few of them.

    Returns
    -------
    bool
    """
    with torch.enable_grad():
        latents = latents.detach().clone().requires_grad_(True)
        x = generate(latents, conditions)
        if not x.requires_grad:
            return False
        (gradients,) = torch.autograd.grad(x.square().sum(), latents, allow_unused=True)
    return gradients is not None and bool(gradients.isfinite().all() and gradients.any())
