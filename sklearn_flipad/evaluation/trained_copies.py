"""Near-copies of a generator by training: fine-tuned and distilled copies."""

import copy
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from torch import nn

from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.modules import device_of, evaluating, run_generator, training, unwrap
from sklearn_flipad.base.plain_copies import plain_copy
from sklearn_flipad.base.progress import progress
from sklearn_flipad.base.randomness import Purpose, draw_seed, seeded
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.generators.output_range import find_output_range

__all__ = ["distilled_copy", "fine_tuned_copy"]

#: Random directions that samples are projected onto in each step of fine-tuning.
_N_DIRECTIONS = 256
_COUNTS = {
    "n_steps": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 2, None, closed="left")],
    "lr": [Interval(Real, 0, None, closed="neither")],
}


@validate_params(
    {"generator": [nn.Module], "X": ["array-like"], **_COUNTS},
    prefer_skip_nested_validation=True,
)
def fine_tuned_copy(
    generator,
    X,
    *,
    n_steps=100,
    batch_size=256,
    lr=1e-5,
    latent_shape=None,
    sampler=None,
    output_range=None,
    random_state=None,
    verbose=0,
):
    """Copy a generator and fine-tune it on given samples.

    The training minimizes the sliced Wasserstein distance between generated and given samples:
    both are projected onto random directions and sorted, and their squared difference is taken.
    This needs no discriminator, and no pairs of latents and samples, which would lead to blurred
    samples. Normalizations stay in eval mode.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator; it is not changed.
    X : array-like, shape (n, *sample_shape) or (n, n_features)
        Samples: uint8 gray levels, or floats as the generator makes them.
    n_steps : int, default=100
        Steps of Adam.
    batch_size : int, default=256
        Generated and given samples that each step compares. In small batches they differ more by
        chance than the two distributions do.
    lr : float, default=1e-5
        Learning rate.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`.
    output_range : pair of float, default=None
        Values of the generator that stand for the gray levels 0 and 255; by default those that
        :func:`~sklearn_flipad.generators.find_output_range` finds.
    random_state : int, RandomState instance or None, default=None
        Seed. Training also depends on the number of torch's threads, through rounding.
    verbose : int, default=0
        Whether to show progress.

    Returns
    -------
    torch.nn.Module
        An independent copy in eval mode.

    Raises
    ------
    ValueError
        If a parameter is not valid, `X` is empty, or its samples have another shape than the
        generator's.

    References
    ----------
    Deshpande et al., "Generative Modeling using the Sliced Wasserstein Distance", CVPR 2018.
    """
    X = as_array(X)
    if not len(X):
        raise ValueError("X is empty: a fine-tuned copy needs samples to be trained on.")
    twin = plain_copy(generator)
    inputs = {"latent_shape": latent_shape, "sampler": sampler}
    if X.dtype == np.uint8 and output_range is None:
        output_range = find_output_range(twin, **inputs)
    rng = _stream(random_state, Purpose.FINE_TUNING)
    batches = latent_batches(
        twin, n_steps * batch_size, batch_size=batch_size, random_state=rng, **inputs
    )

    def loss(latents):
        x = run_generator(twin, latents)
        rows = rng.randint(len(X), size=batch_size)
        targets = torch.from_numpy(from_gray_levels(X[rows], output_range)).to(x)
        if targets[0].numel() != x[0].numel() or targets.ndim not in (2, x.ndim):
            raise ValueError(
                f"X has samples of shape {tuple(targets.shape[1:])}, but the generator makes "
                f"{tuple(x.shape[1:])}."
            )
        return _sliced_distance(x.flatten(1), targets.flatten(1))

    bar = progress(n_steps, "fine-tuning", verbose=verbose)
    _minimize(loss, twin, batches, bar, lr=lr, seed=draw_seed(rng))
    return twin.requires_grad_(False)


def _sliced_distance(x, targets):
    directions = torch.randn(x.shape[1], _N_DIRECTIONS, dtype=torch.float32, device="cpu").to(x)
    directions = directions / directions.norm(dim=0)
    projected = ((values @ directions).sort(dim=0).values for values in (x, targets))
    return nn.functional.mse_loss(*projected)


@validate_params(
    {"generator": [nn.Module], "student": [nn.Module, None], **_COUNTS},
    prefer_skip_nested_validation=True,
)
def distilled_copy(
    generator,
    student=None,
    *,
    n_steps=2000,
    batch_size=64,
    lr=1e-2,
    latent_shape=None,
    sampler=None,
    random_state=None,
    verbose=0,
):
    """Train a student to give the outputs of a generator for the same latents.

    The training minimizes the squared difference of the outputs, with Adam and a one-cycle
    schedule.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator; it is not changed.
    student : torch.nn.Module, default=None
        A network with the inputs and outputs of the generator. A copy of it is trained, starting
        from its weights; the student itself is not changed. By default a copy of the generator
        with new weights.
    n_steps : int, default=2000
        Steps of Adam. The default takes one or two minutes for the shipped generators.
    batch_size : int, default=64
        Latents per step.
    lr : float, default=1e-2
        Largest learning rate of the schedule.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`.
    random_state : int, RandomState instance or None, default=None
        Seed. Training also depends on the number of torch's threads, through rounding.
    verbose : int, default=0
        Whether to show progress.

    Returns
    -------
    torch.nn.Module
        The trained copy of the student in eval mode.

    Raises
    ------
    ValueError
        If a parameter is not valid, or the student's samples have another shape than the
        generator's.

    References
    ----------
    Aguinaldo et al., "Compressing GANs using Knowledge Distillation", 2019.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import distilled_copy
    >>> from sklearn_flipad.zoo import DCGANGenerator, load_pretrained
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> small = DCGANGenerator(64, channels=(32, 16, 8), out_channels=1)
    >>> small = distilled_copy(generator, small, n_steps=2, random_state=0)
    """
    generator = unwrap(generator)
    rng = _stream(random_state, Purpose.DISTILLATION)
    seed = draw_seed(rng)
    if student is None:
        twin = plain_copy(generator)
        with torch.no_grad(), seeded(seed, device_of(twin)):
            _reinitialize(twin)
    else:
        twin = copy.deepcopy(unwrap(student, "student")).to(device_of(generator))
    batches = latent_batches(
        generator,
        n_steps * batch_size,
        latent_shape=latent_shape,
        sampler=sampler,
        batch_size=batch_size,
        random_state=rng,
    )

    def loss(latents):
        with evaluating(generator):
            targets = run_generator(generator, latents)
        x = run_generator(twin, latents)
        if x.shape != targets.shape:
            raise ValueError(
                f"The student makes samples of shape {tuple(x.shape[1:])}, but the generator "
                f"{tuple(targets.shape[1:])}."
            )
        return nn.functional.mse_loss(x, targets.to(x))

    bar = progress(n_steps, "distilling", verbose=verbose)
    _minimize(loss, twin.train(), batches, bar, lr=lr, seed=seed, one_cycle=n_steps > 1)
    return twin.eval().requires_grad_(False)


def _minimize(loss, module, batches, bar, *, lr, seed, one_cycle=False):
    """Take a step of Adam for each batch of latents."""
    optimizer = torch.optim.Adam(module.parameters(), lr=lr, betas=(0.5, 0.999))
    schedule = None
    if one_cycle:
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=bar.total)
    with training(seed, device_of(module)), bar:
        module.requires_grad_(True)
        for latents in batches:
            value = loss(latents)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
            bar.set_postfix(loss=f"{value.item():.3g}", refresh=False)
            bar.update()


def _reinitialize(module):
    """Draw new weights, by each layer's ``reset_parameters`` if it has one."""
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
            continue
        for value in part.parameters(recurse=False):
            if value.is_floating_point() and value.numel() > 1:
                value.normal_(float(value.mean()), float(value.std()))


def _stream(random_state, purpose):
    """A RandomState of its own, since batches are drawn lazily: the caller's may move on."""
    if isinstance(random_state, Integral):
        return np.random.RandomState([random_state, purpose])
    return np.random.RandomState(draw_seed(check_random_state(random_state)))
