"""Draw latents and samples from any generator."""

from contextlib import contextmanager
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state, gen_batches
from torch import nn
from tqdm.auto import tqdm

__all__ = [
    "evaluating",
    "from_grey_levels",
    "latent_batches",
    "sample",
    "sample_batches",
    "separate_stream",
    "unwrap",
]


def separate_stream(random_state, purpose):
    """Random numbers that are not those of `sample` for the same seed.

    Latents that an attributor has used, in its mean activation or as starting points, would
    otherwise be those of the samples that calibrate it.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        A seed, or random numbers to use as they are.
    purpose : int
        Streams of different purposes are independent.

    Returns
    -------
    numpy.random.RandomState
    """
    if isinstance(random_state, Integral):
        return np.random.RandomState([random_state, purpose])
    return check_random_state(random_state)


def unwrap(generator):
    """The module inside ``DataParallel`` or ``torch.compile`` wrappers."""
    while True:
        if isinstance(generator, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            generator = generator.module
        elif hasattr(generator, "_orig_mod"):
            generator = generator._orig_mod
        else:
            return generator


@contextmanager
def evaluating(module):
    """Eval mode without gradients; every submodule's mode is restored afterwards."""
    modes = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for m, mode in modes:
            m.training = mode


def latent_batches(
    generator,
    n_samples,
    *,
    latent_shape=None,
    sampler=None,
    batch_size=100,
    device=None,
    random_state=None,
):
    """Yield the inputs of a generator, batch by batch.

    Normal latents are drawn one after the other, so that the i-th sample does not depend
    on `batch_size`. A generator with other inputs may bring a method
    ``sampler(n, rng)``, which is used unless `latent_shape` or `sampler` is given.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    n_samples : int
        How many in all.
    latent_shape, sampler, batch_size, device, random_state
        See :meth:`sklearn_flipad.FinalLayer.from_generator`.

    Yields
    ------
    tuple of torch.Tensor
        Positional arguments of the generator.

    Raises
    ------
    ValueError
        If neither `latent_shape` nor `sampler` is given and the generator has neither,
        or if `n_samples` is not positive.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
    # Only a method counts: a submodule may have the same name and another purpose.
    if sampler is None and latent_shape is None and hasattr(type(generator), "sampler"):
        sampler = generator.sampler
    if sampler is None:
        latent_shape = latent_shape or getattr(generator, "latent_shape", None)
        if latent_shape is None:
            raise ValueError(
                "latent_shape is needed: this generator has no attribute latent_shape. For "
                "example latent_shape=(100, 1, 1), or pass a sampler."
            )
        shape = tuple(latent_shape)

        def sampler(n, rng):
            return torch.from_numpy(rng.standard_normal((n, *shape)).astype(np.float32))

    parameter = next(generator.parameters(), None)
    if device is None:
        device = "cpu" if parameter is None else parameter.device
    rng = check_random_state(random_state)
    for rows in gen_batches(n_samples, batch_size):
        inputs = sampler(rows.stop - rows.start, rng)
        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        yield tuple(_onto(tensor, device, parameter) for tensor in inputs)


def _onto(tensor, device, parameter):
    tensor = tensor.to(device)
    if parameter is not None and tensor.is_floating_point():
        tensor = tensor.to(parameter.dtype)
    return tensor


def sample_batches(generator, n_samples, *, verbose=0, **latents):
    """Yield samples of a generator, batch by batch, in eval mode.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    n_samples : int
        How many in all.
    verbose : int, default=0
        Whether to show a progress bar.
    **latents
        ``latent_shape``, ``sampler``, ``batch_size``, ``device`` and ``random_state``,
        see :meth:`sklearn_flipad.FinalLayer.from_generator`.

    Yields
    ------
    ndarray of float32, shape (n_batch, *output_shape)
    """
    generator = unwrap(generator)
    with evaluating(generator), tqdm(total=n_samples, disable=not verbose, unit="") as bar:
        for inputs in latent_batches(generator, n_samples, **latents):
            x = generator(*inputs).float().cpu().numpy()
            bar.update(len(x))
            yield x


def sample(generator, n_samples, *, dtype="uint8", output_range=(-1.0, 1.0), **options):
    """Draw samples from a generator.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    n_samples : int
        How many.
    dtype : {"uint8", "float32"}, default="uint8"
        Grey levels, as an image file would store them, or the generator's own values.
        Attribution should be fitted on what suspects look like: for image files, uint8.
    output_range : pair of float, default=(-1, 1)
        Values of the generator that become the grey levels 0 and 255.
    **options
        See :func:`sample_batches`.

    Returns
    -------
    ndarray, shape (n_samples, *output_shape)

    Raises
    ------
    ValueError
        If `dtype` is unknown or no latent shape is known.
    """
    if dtype not in ("uint8", "float32"):
        raise ValueError(f"dtype must be 'uint8' or 'float32', got {dtype!r}.")
    batches = sample_batches(generator, n_samples, **options)
    if dtype == "uint8":
        batches = (_grey_levels(x, output_range) for x in batches)
    return np.concatenate(list(batches))


def from_grey_levels(x, output_range):
    """uint8 grey levels to float64, linearly and exactly; the inverse of what `sample` does.

    Other types are taken as values in the range already.
    """
    if x.dtype != torch.uint8:
        return x.double()
    low, high = output_range
    return x.double() * ((high - low) / 255) + low


def _grey_levels(x, output_range):
    low, high = output_range
    levels = np.rint((x.astype(np.float64) - low) * (255 / (high - low)))
    return np.clip(levels, 0, 255).astype(np.uint8)
