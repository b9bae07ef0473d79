"""Draw latents and samples from any generator."""

from math import inf
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state, gen_batches
from tqdm.auto import tqdm

from sklearn_flipad._modules import device_of, evaluating, run_generator, unwrap
from sklearn_flipad.randomness import draw_seed, seeded
from sklearn_flipad.samples import to_gray_levels

__all__ = ["find_output_range", "latent_batches", "sample", "sample_batches"]

#: Largest part of the values that may lie outside of a range that was given.
_MAX_OUTSIDE = 0.05
#: Outputs that fill less of a range that was only assumed do not belong to it.
_LEAST_FILLED = 0.1
#: Samples that are looked at to find a range.
_N_TRIED = 16


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
    parameter = next(generator.parameters(), None)
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
        yield tuple(_onto(tensor, device, parameter) for tensor in inputs)


def _normal_sampler(generator, latent_shape):
    if latent_shape is None:
        latent_shape = getattr(generator, "latent_shape", None)
    if latent_shape is None:
        raise ValueError(
            "latent_shape is needed: this generator has no attribute latent_shape. For "
            "example latent_shape=(100, 1, 1), or pass a sampler."
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
    raise ValueError(
        "sampler(n, rng) must return a tensor or an array, or a tuple or list of them, that the "
        f"generator is called with; got a {type(part).__name__}."
    )


def _onto(tensor, device, parameter):
    tensor = tensor.to(device)
    if parameter is not None and tensor.is_floating_point():
        tensor = tensor.to(parameter.dtype)
    return tensor


def sample_batches(generator, n_samples, *, verbose=0, random_state=None, **latents):
    """Yield samples of a generator, batch by batch, in eval mode.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    n_samples : int
        How many in all.
    verbose : int, default=0
        Whether to show a progress bar.
    random_state : int, RandomState instance or None, default=None
        Seed of the latents, and of what the generator itself draws. The latents do not
        depend on the batch size; what a generator draws does.
    **latents
        ``latent_shape``, ``sampler``, ``batch_size`` and ``device``, see
        :meth:`sklearn_flipad.FinalLayer.from_generator`.

    Yields
    ------
    ndarray of float32, shape (n_batch, *output_shape)

    Raises
    ------
    ValueError
        If the generator returns something else than a sample for each latent, or values
        that are not finite.
    """
    generator = unwrap(generator)
    if isinstance(random_state, Integral):
        rng, seed = random_state, int(random_state)
    else:
        rng = check_random_state(random_state)
        seed = draw_seed(rng)
    batches = latent_batches(generator, n_samples, random_state=rng, **latents)
    with tqdm(total=n_samples, disable=not verbose, desc="sampling", unit="") as bar:
        for index, inputs in enumerate(batches):
            # Seeded for each batch alone: between batches, the caller's code runs.
            with seeded(seed + index, device_of(generator)), evaluating(generator):
                x = run_generator(generator, inputs).float().cpu().numpy()
            if not np.isfinite(x).all():
                raise ValueError("The generator returned NaN or infinity.")
            bar.update(len(x))
            yield x


def sample(generator, n_samples, *, dtype="uint8", layer=None, output_range=None, **options):
    """Draw samples from a generator.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    n_samples : int
        How many.
    dtype : {"uint8", "float32"}, default="uint8"
        Gray levels, as an image file would store them, or the generator's own values.
        Attribution should be fitted on what suspects look like: for image files, uint8.
    layer : FinalLayer, default=None
        The generator's final layer, whose scale the gray levels then have.
    output_range : pair of float, default=None
        Values of the generator that become the gray levels 0 and 255. By default those of
        `layer`, or the generator's attribute ``output_range``, or the range of its output
        activation, where that is bounded. Where none of them is known, (-1, 1) is assumed
        if the samples fit it.
    **options
        See :func:`sample_batches`.

    Returns
    -------
    ndarray, shape (n_samples, *output_shape)

    Raises
    ------
    ValueError
        If `dtype` is unknown, no latent shape is known, or the samples do not fit the layer or
        the range; the message says which range they have.
    """
    if dtype not in ("uint8", "float32"):
        raise ValueError(f"dtype must be 'uint8' or 'float32', got {dtype!r}.")
    if layer is not None and output_range is not None:
        raise ValueError("Pass layer or output_range, not both: the layer has a range.")
    if dtype == "uint8" and layer is not None:
        output_range = _range_of_layer(layer)
    elif dtype == "uint8" and output_range is None:
        known = ("latent_shape", "sampler", "device")
        inputs = {name: value for name, value in options.items() if name in known}
        output_range = find_output_range(generator, **inputs)
    batches = sample_batches(generator, n_samples, **options)
    if layer is not None:
        batches = _fitting(batches, layer)
    if dtype == "uint8":
        batches = _as_gray_levels(batches, output_range)
    return np.concatenate(list(batches))


def _range_of_layer(layer):
    if layer.output_range is None:
        raise ValueError(
            "The layer's output is unbounded, so nothing says which values become the gray "
            "levels 0 and 255. Make the layer with output_range=(low, high), or draw floats "
            "with dtype='float32' if suspects are floats too."
        )
    return layer.output_range


def find_output_range(generator, **inputs):
    """Values of a generator that stand for the gray levels 0 and 255.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    **inputs
        ``latent_shape``, ``sampler`` and ``device``, see
        :meth:`sklearn_flipad.FinalLayer.from_generator`.

    Returns
    -------
    pair of float
        The generator's attribute ``output_range``; else the range of its output activation,
        if that is bounded; else (-1, 1), if a few samples look like it.

    Raises
    ------
    ValueError
        If they do not; the message says which range they have.
    """
    generator = unwrap(generator)
    if hasattr(generator, "output_range"):
        return generator.output_range
    # Tracing needs to draw samples itself.
    from sklearn_flipad.final_layer.tracing import find_output_activation

    (latents,) = latent_batches(generator, _N_TRIED, random_state=0, **inputs)
    with seeded(0, device_of(generator)), evaluating(generator):
        activation = find_output_activation(generator, latents)
        x = run_generator(generator, latents).float()
    if activation is not None and inf not in map(abs, activation.range):
        return activation.range
    low, high = float(x.min()), float(x.max())
    looks_like_it = -1 <= low < 0 < high <= 1 and high - low >= 2 * _LEAST_FILLED
    if not looks_like_it:
        raise ValueError(
            f"The generator's values range from {low:.6g} to {high:.6g}, which does not fit the "
            "usual [-1, 1], and its output activation does not tell a range. Pass "
            "output_range=(low, high), the values that stand for black and white."
        )
    return -1.0, 1.0


def _fitting(batches, layer):
    """Refuse samples that cannot be those of a layer."""
    low, high = layer.activation.range
    for x in batches:
        if x.shape[1:] != layer.output_shape:
            raise ValueError(
                f"The generator makes samples of shape {x.shape[1:]}, but those of the layer have "
                f"shape {layer.output_shape}: it is not the layer's generator."
            )
        slack = 1e-2 * (high - low) if -inf < low < high < inf else 0.0
        if x.min() < low - slack or x.max() > high + slack:
            raise ValueError(
                f"The generator's values range from {x.min():.6g} to {x.max():.6g}, but those of "
                f"the layer from {low:.6g} to {high:.6g}: it is not the layer's generator."
            )
        yield x


def _as_gray_levels(batches, output_range):
    low, high = output_range
    rounding = 1e-3 * (high - low)
    for x in batches:
        outside = float(((x < low - rounding) | (x > high + rounding)).mean())
        if outside > _MAX_OUTSIDE:
            raise ValueError(
                f"{outside:.1%} of the generator's values lie outside of [{low:g}, {high:g}]: they "
                f"range from {x.min():.6g} to {x.max():.6g}. Pass that output_range which stands "
                "for black and white."
            )
        yield to_gray_levels(x, output_range)
