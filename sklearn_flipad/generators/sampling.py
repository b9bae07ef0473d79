"""Samples of any generator."""

from math import inf
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.modules import device_of, evaluating, run_generator, unwrap
from sklearn_flipad.base.progress import progress
from sklearn_flipad.base.randomness import draw_seed, seeded
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.generators.output_range import find_output_range

__all__ = ["sample", "sample_batches"]

#: Largest part of the values that may lie outside of a range that was given.
_MAX_OUTSIDE = 0.05


def sample_batches(generator, n_samples, *, verbose=0, random_state=None, **latents):
    """Yield samples of a generator, batch by batch, in eval mode.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    n_samples : int
        How many in all.
    verbose : int, default=0
        Whether to show progress.
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
    with progress(n_samples, "sampling", verbose=verbose) as bar:
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
            Message(
                "The layer's output is unbounded, so nothing says which values become the gray "
                "levels 0 and 255. Make the layer with ",
                Term("output_range=(low, high)", "output_range"),
                ", or draw floats with dtype='float32' if suspects are floats too.",
            )
        )
    return layer.output_range


def _fitting(batches, layer):
    """Yield batches of samples; ValueError if they cannot be those of a layer."""
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
