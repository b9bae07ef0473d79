"""Near-copies of a generator that are trained: fine-tuned and distilled ones."""

import copy
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from torch import nn
from tqdm.auto import tqdm

from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.modules import device_of, evaluating, run_generator, training, unwrap
from sklearn_flipad.base.plain_copies import plain_copy
from sklearn_flipad.base.randomness import Purpose, draw_seed, seeded
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.generators.output_range import find_output_range

__all__ = ["distilled_copy", "fine_tuned_copy"]

#: Directions in which a fine-tuned copy is compared with its targets.
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
    """Copy a generator and train it on towards given samples.

    The sliced Wasserstein distance between generated and given samples decreases: both are
    projected onto random directions, sorted, and compared in squares. It needs no discriminator,
    and no pairing of latents and samples that would blur them. Normalizations stay in eval mode.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator, which stays as it is.
    X : array-like, shape (n, *sample_shape) or (n, n_features)
        Samples: uint8 gray levels, or floats as the generator makes them.
    n_steps : int, default=100
        Steps of Adam.
    batch_size : int, default=256
        Samples that each step compares. Few of them differ more by chance than the
        distributions do.
    lr : float, default=1e-5
        Learning rate.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`.
    output_range : pair of float, default=None
        Values of the generator that stand for the gray levels 0 and 255; by default found as
        :func:`~sklearn_flipad.generators.sample` finds them.
    random_state : int, RandomState instance or None, default=None
        Seed.
    verbose : int, default=0
        Whether to show a progress bar.

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
        raise ValueError("X is empty: a fine-tuned copy needs samples that it is trained towards.")
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

    optimizer = torch.optim.Adam(twin.parameters(), lr=lr, betas=(0.5, 0.999))
    with _training(twin, draw_seed(rng)), _bar("fine-tuning", n_steps, verbose) as bar:
        for latents in batches:
            _descend(optimizer, loss(latents), bar)
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
    """Train a student to make what a generator makes of the same latents.

    The squared difference of their outputs decreases, with Adam and a one-cycle schedule.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator, which stays as it is.
    student : torch.nn.Module, default=None
        A network with the inputs and outputs of the generator, which stays as it is; a copy
        is trained from its weights. By default a copy of the generator with new weights.
    n_steps : int, default=2000
        Steps of Adam. The default takes one or two minutes for the shipped generators.
    batch_size : int, default=64
        Latents that each step draws.
    lr : float, default=1e-2
        Largest learning rate.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`.
    random_state : int, RandomState instance or None, default=None
        Seed.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    torch.nn.Module
        The student in eval mode, independent of both.

    Raises
    ------
    ValueError
        If a parameter is not valid, or the student makes samples of another shape.

    References
    ----------
    Aguinaldo et al., "Compressing GANs using Knowledge Distillation", 2019.

    Examples
    --------
    >>> from sklearn_flipad.reproduction import distilled_copy
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
        twin = copy.deepcopy(unwrap(student)).to(device_of(generator))
    batches = latent_batches(
        generator,
        n_steps * batch_size,
        latent_shape=latent_shape,
        sampler=sampler,
        batch_size=batch_size,
        random_state=rng,
    )
    optimizer = torch.optim.Adam(twin.parameters(), lr=lr, betas=(0.5, 0.999))
    schedule = None
    if n_steps > 1:
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=n_steps)
    with _training(twin.train(), seed), _bar("distilling", n_steps, verbose) as bar:
        for latents in batches:
            with evaluating(generator):
                targets = run_generator(generator, latents)
            x = run_generator(twin, latents)
            if x.shape != targets.shape:
                raise ValueError(
                    f"The student makes samples of shape {tuple(x.shape[1:])}, but the generator "
                    f"{tuple(targets.shape[1:])}."
                )
            _descend(optimizer, nn.functional.mse_loss(x, targets.to(x)), bar)
            if schedule is not None:
                schedule.step()
    return twin.eval().requires_grad_(False)


def _reinitialize(module):
    """New weights for all parameters, by each layer's own rule where it has one."""
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
            continue
        for value in part.parameters(recurse=False):
            if value.is_floating_point() and value.numel() > 1:
                value.normal_(float(value.mean()), float(value.std()))


def _stream(random_state, purpose):
    """A stream of its own in any case: the batches are drawn while the caller's goes on."""
    if isinstance(random_state, Integral):
        return np.random.RandomState([random_state, purpose])
    return np.random.RandomState(draw_seed(check_random_state(random_state)))


@contextmanager
def _training(module, seed):
    """All parameters of a module with gradients."""
    with training(seed, device_of(module)):
        module.requires_grad_(True)
        yield


def _bar(what, n_steps, verbose):
    return tqdm(total=n_steps, disable=not verbose, desc=what, unit="")


def _descend(optimizer, loss, bar):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    bar.update()
    bar.set_postfix(loss=f"{loss.item():.3g}", refresh=False)
