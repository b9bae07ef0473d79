"""Values of a generator that stand for black and white."""

from math import inf

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.modules import device_of, evaluating, run_generator, unwrap
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.generators.watching.layers import find_output_activation

__all__ = ["find_output_range"]

#: Smallest part of an assumed range that outputs must fill.
_LEAST_FILLED = 0.1
#: Samples that a range is found from.
_N_TRIED = 16


def find_output_range(generator, **inputs):
    """Find the values of a generator that stand for the gray levels 0 and 255.

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
            Message(
                f"The generator's values range from {low:.6g} to {high:.6g}, which does not fit "
                "the usual [-1, 1], and its output activation does not tell a range. Pass ",
                Term("output_range=(low, high)", "output_range"),
                ", the values that stand for black and white.",
            )
        )
    return -1.0, 1.0
