"""Inputs of any generator."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state, gen_batches

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.modules import device_of, float_type_of

__all__ = ["latent_batches"]


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
        if a sampler returns something else than tensors, or if `n_samples` is not positive.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
    # Only a method counts: a submodule may have the same name and another purpose.
    if sampler is None and latent_shape is None and hasattr(type(generator), "sampler"):
        sampler = generator.sampler
    if sampler is None:
        sampler = _normal_sampler(generator, latent_shape)
    dtype = float_type_of(generator)
    if device is None:
        device = device_of(generator)
    rng = check_random_state(random_state)
    for rows in gen_batches(n_samples, batch_size):
        n = rows.stop - rows.start
        inputs = sampler(n, rng)
        inputs = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
        inputs = tuple(_as_tensor(part) for part in inputs)
        if not inputs or not inputs[0].ndim or len(inputs[0]) != n:
            shapes = [tuple(part.shape) for part in inputs]
            raise ValueError(f"sampler was asked for {n} inputs, but returned shapes {shapes}.")
        yield tuple(_onto(tensor, device, dtype) for tensor in inputs)


def _normal_sampler(generator, latent_shape):
    if latent_shape is None:
        latent_shape = getattr(generator, "latent_shape", None)
    if latent_shape is None:
        raise ValueError(
            Message(
                "latent_shape is needed: this generator has no attribute latent_shape. For "
                "example ",
                Term("latent_shape=(100, 1, 1)", "latent_shape"),
                ", or pass a sampler.",
            )
        )
    shape = (latent_shape,) if isinstance(latent_shape, Integral) else tuple(latent_shape)

    def sampler(n, rng):
        return rng.standard_normal((n, *shape)).astype(np.float32)

    return sampler


def _as_tensor(part):
    if isinstance(part, torch.Tensor):
        return part
    if isinstance(part, np.ndarray) and part.dtype.kind in "biuf":
        return torch.from_numpy(np.ascontiguousarray(part))
    what = f"{part.dtype} array" if isinstance(part, np.ndarray) else type(part).__name__
    raise ValueError(
        "sampler(n, rng) must return a tensor or an array of numbers, or a tuple or list of them, "
        f"that the generator is called with; got a {what}."
    )


def _onto(tensor, device, dtype):
    tensor = tensor.to(device)
    if dtype is not None and tensor.is_floating_point():
        tensor = tensor.to(dtype)
    return tensor
