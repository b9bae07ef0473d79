"""Near-copies of a generator, whose weights are noisy, rounded, pruned or trained further.

They measure whether an attributor tells a slightly changed copy of a generator from the original.
"""

from functools import partial
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from torch.nn.utils import prune

from sklearn_flipad.base.modules import device_of, evaluating
from sklearn_flipad.base.plain_copies import plain_copy, weights_of
from sklearn_flipad.base.randomness import Purpose, draw_seed, seeded, separate_stream
from sklearn_flipad.evaluation.trained_copies import distilled_copy, fine_tuned_copy
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.generators.watching.layers import find_final_layer

__all__ = ["NEAR_COPIES", "near_copies", "noisy_copy", "pruned_copy", "rounded_copy"]

_LEVELS = (0.2, 0.1, 0.05, 0.02, 0.01)
#: Latents to run the generator with, in order to find its last layer.
_N_PROBES = 8
_HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}


@validate_params(
    {
        "generator": [torch.nn.Module],
        "level": [Interval(Real, 0, None, closed="left")],
        "where": [StrOptions({"last", "earlier", "all"})],
    },
    prefer_skip_nested_validation=True,
)
def noisy_copy(
    generator, level, *, where="last", latent_shape=None, sampler=None, random_state=None
):
    """Copy a generator and add Gaussian noise to its weights.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator; it is not changed.
    level : float
        Standard deviation of the noise, relative to that of the values of each weight tensor.
        Weights are parameters with at least two axes: biases and the scales and statistics of
        normalizations get no noise.
    where : {"last", "earlier", "all"}, default="last"
        Which weights: those of the last linear layer that runs, all others, or both. With
        ``"earlier"``, the final layer of the copy is that of the original.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`; needed
        to find the last layer.
    random_state : int, RandomState instance or None, default=None
        Seed. For a given seed the noise is the same at all levels, up to its scale.

    Returns
    -------
    torch.nn.Module
        An independent copy in eval mode. Weights that the generator computes, by weight or
        spectral normalization for instance, are ordinary parameters of the copy.

    Raises
    ------
    ValueError
        If a parameter is not valid, the last layer cannot be found, or there is no such weight.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import noisy_copy
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> copy = noisy_copy(generator, 0.05, random_state=0)
    >>> weight = generator.main[-2].weight.detach()
    >>> round(float((copy.main[-2].weight - weight).std() / weight.std()), 2)
    0.05
    """
    twin = plain_copy(generator)
    weights = weights_of(twin)
    if where != "all":
        layer = _final_layer(twin, latent_shape, sampler)
        last = {id(value) for value in layer.parameters()}
        weights = [value for value in weights if (id(value) in last) == (where == "last")]
    if not weights:
        raise ValueError(f"The generator has no weights of two or more axes for where={where!r}.")
    seed = draw_seed(separate_stream(random_state, Purpose.WEIGHT_NOISE))
    rng = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        for value in weights:
            noise = torch.randn(value.shape, generator=rng, dtype=torch.float32, device="cpu")
            noise = noise.to(value.device)
            deviation = value.float().std(correction=0)
            value.copy_(value.float() + level * deviation * noise)
    return twin


def _final_layer(generator, latent_shape, sampler):
    (latents,) = latent_batches(
        generator, _N_PROBES, latent_shape=latent_shape, sampler=sampler, random_state=0
    )
    with seeded(0, device_of(generator)), evaluating(generator):
        return find_final_layer(generator, latents)


@validate_params(
    {"generator": [torch.nn.Module], "dtype": [StrOptions({"fp16", "bf16", "int8"})]},
    prefer_skip_nested_validation=True,
)
def rounded_copy(generator, dtype):
    """Copy a generator and round its weights to fewer bits.

    Only the weights are rounded: the copy computes in the type of the original.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator; it is not changed.
    dtype : {"fp16", "bf16", "int8"}
        With ``"fp16"`` and ``"bf16"``, all floating-point parameters and buffers are rounded, as
        in a checkpoint of that type; nothing changes if they were stored in it before. With
        ``"int8"``, each weight tensor is rounded to 255 levels, equally spaced and symmetric
        about 0, up to its largest magnitude; biases and the scales and statistics of
        normalizations are kept.

    Returns
    -------
    torch.nn.Module
        An independent copy in eval mode.

    Raises
    ------
    ValueError
        If a parameter is not valid, or a value is too large for the type.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import rounded_copy
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> copy = rounded_copy(load_pretrained("fashion/dcgan-0"), "int8")
    >>> len(copy.main[-2].weight.unique()) <= 255
    True
    """
    twin = plain_copy(generator)
    with torch.no_grad():
        if dtype == "int8":
            for value in weights_of(twin):
                value.copy_(_to_levels(value))
            return twin
        for name, value in twin.state_dict().items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                rounded = value.to(_HALVES[dtype])
                if not torch.isfinite(rounded).all():
                    raise ValueError(f"{name} has values that are not finite in {dtype}.")
                value.copy_(rounded)
    return twin


def _to_levels(value):
    scale = float(value.float().abs().max()) / 127
    if scale == 0:
        return value
    return torch.fake_quantize_per_tensor_affine(value.float(), scale, 0, -127, 127)


@validate_params(
    {
        "generator": [torch.nn.Module],
        "share": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def pruned_copy(generator, share):
    """Copy a generator and set the smallest weights of each layer to zero.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator; it is not changed.
    share : float
        Fraction of the entries of each weight tensor to set to zero, in (0, 1): those with the
        smallest magnitudes. Biases and the scales and statistics of normalizations are kept.

    Returns
    -------
    torch.nn.Module
        An independent copy in eval mode. It is not trained after the pruning.

    Raises
    ------
    ValueError
        If a parameter is not valid.

    References
    ----------
    Pruning by magnitude: Han et al., "Learning both Weights and Connections for Efficient Neural
    Networks", NeurIPS 2015.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import pruned_copy
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> copy = pruned_copy(load_pretrained("fashion/dcgan-0"), 0.25)
    >>> float((copy.main[-2].weight == 0).float().mean())
    0.25
    """
    twin = plain_copy(generator)
    with torch.no_grad():
        for value in weights_of(twin):
            value.copy_(prune.L1Unstructured(float(share)).prune(value))
    return twin


def _noisy(generator, X, level, where, **options):
    return noisy_copy(generator, level, where=where, **options)


def _rounded(generator, X, dtype, **options):
    return rounded_copy(generator, dtype)


def _pruned(generator, X, share, **options):
    return pruned_copy(generator, share)


def _distilled(generator, X, **options):
    return distilled_copy(generator, **options)


#: The standard set, roughly from the farthest to the nearest. Called as
#: ``NEAR_COPIES[name](generator, X, latent_shape=..., sampler=..., random_state=...)``.
NEAR_COPIES = {
    "distilled": _distilled,
    "fine-tuned": fine_tuned_copy,
    "pruned 0.5": partial(_pruned, share=0.5),
    "pruned 0.25": partial(_pruned, share=0.25),
    "int8": partial(_rounded, dtype="int8"),
    "bf16": partial(_rounded, dtype="bf16"),
    "fp16": partial(_rounded, dtype="fp16"),
    **{
        f"noise {level:g} {where}": partial(_noisy, level=level, where=where)
        for where in ("last", "earlier")
        for level in _LEVELS
    },
}
_TRAINED = ("distilled", "fine-tuned")


@validate_params(
    {
        "generator": [torch.nn.Module],
        "kinds": ["array-like", None],
        "X": ["array-like", None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def near_copies(generator, kinds=None, *, X=None, latent_shape=None, sampler=None, random_state=0):
    """Yield near-copies of a generator, one after the other.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator; it is not changed.
    kinds : sequence of str, default=None
        Kinds of copies: ``"noise LEVEL last"`` and ``"noise LEVEL earlier"`` with a level of 0.2,
        0.1, 0.05, 0.02 or 0.01, ``"fp16"``, ``"bf16"``, ``"int8"``, ``"pruned 0.25"``,
        ``"pruned 0.5"``, ``"fine-tuned"`` and ``"distilled"``. By default all that need no
        training.
    X : array-like, shape (n, *sample_shape), default=None
        Samples that a ``"fine-tuned"`` copy is trained on.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`.
    random_state : int, default=0
        Seed of each copy.

    Yields
    ------
    name : str
        Kind of the copy.
    copy : torch.nn.Module
        An independent copy in eval mode.

    Raises
    ------
    ValueError
        If a parameter is not valid, a kind is unknown, or `X` is missing for ``"fine-tuned"``.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import near_copies
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> [name for name, copy in near_copies(generator, ["int8", "noise 0.1 last"])]
    ['int8', 'noise 0.1 last']
    """
    if kinds is None:
        kinds = [name for name in NEAR_COPIES if name not in _TRAINED]
    unknown = [name for name in kinds if name not in NEAR_COPIES]
    if unknown or isinstance(kinds, str):
        raise ValueError(
            f"kinds must be a list of {', '.join(map(repr, NEAR_COPIES))}; got {kinds!r}."
        )
    if "fine-tuned" in kinds and X is None:
        raise ValueError("A fine-tuned copy needs samples X to be trained on.")
    options = {"latent_shape": latent_shape, "sampler": sampler, "random_state": random_state}
    # Not `yield`, which would check the parameters only when the first copy is asked for.
    return ((name, NEAR_COPIES[name](generator, X, **options)) for name in kinds)
