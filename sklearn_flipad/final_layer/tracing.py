"""Finding a generator's final layer by running the generator."""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from sklearn_flipad.base.modules import device_of, evaluating, unwrap
from sklearn_flipad.base.randomness import Purpose, draw_seed, seeded, separate_stream
from sklearn_flipad.final_layer.tails import LinearTail, find_linear_tail, watch_linear_tail
from sklearn_flipad.generators.activations import OutputActivation
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.generators.watching.layers import (
    NoLayerError,
    check_watchable,
    eager,
    few,
    find_layer,
    watch,
)
from sklearn_flipad.generators.watching.recognition import Tail, check_tail, recognize_tail

__all__ = ["FinalLayerTrace", "trace_final_layer"]


@dataclass(frozen=True, eq=False)
class FinalLayerTrace:
    """What was seen of a running generator.

    Attributes
    ----------
    module : torch.nn.Module or LinearTail
        The final layer, or the linear maps that the generator ends with if they are several.
    mean_activation : ndarray of float64
        Mean of its inputs.
    output_deviation : ndarray of float64
        Standard deviation of its outputs.
    tail : Tail
        What follows it.
    output_shape : tuple of int
        Shape of one sample.
    inputs, outputs, samples : torch.Tensor
        The layer's inputs and outputs, and what the generator made of them, of a first batch.
    """

    module: nn.Module | LinearTail
    mean_activation: np.ndarray
    output_deviation: np.ndarray
    tail: Tail
    output_shape: tuple
    inputs: torch.Tensor
    outputs: torch.Tensor
    samples: torch.Tensor


def trace_final_layer(
    generator,
    *,
    latent_shape=None,
    sampler=None,
    n_samples=5000,
    activation="auto",
    module=None,
    batch_size=100,
    device=None,
    random_state=None,
    verbose=0,
):
    """Run a generator and watch its last linear layer.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    latent_shape, sampler, n_samples, activation, module
        See :meth:`sklearn_flipad.FinalLayer.from_generator`.
    batch_size, device, random_state, verbose
        See there.

    Returns
    -------
    FinalLayerTrace

    Raises
    ------
    ValueError
        See :meth:`sklearn_flipad.FinalLayer.from_generator`.
    """
    generator = unwrap(generator)
    check_watchable(generator)
    if isinstance(activation, str) and activation != "auto":
        activation = OutputActivation(activation)
    rng = separate_stream(random_state, Purpose.MEAN_ACTIVATION)
    seed = draw_seed(separate_stream(random_state, Purpose.GENERATOR_NOISE))
    batches = latent_batches(
        generator,
        n_samples,
        latent_shape=latent_shape,
        sampler=sampler,
        batch_size=batch_size,
        device=device,
        random_state=rng,
    )
    total, spread, first = 0.0, _Spread(), None
    bar = tqdm(total=n_samples, disable=not verbose, desc="sampling", unit="")
    with evaluating(generator), eager(), bar:
        for index, latents in enumerate(batches):
            # Generators that draw random numbers draw the same for the same seed.
            with seeded(seed + index, device_of(generator)):
                if first is None:
                    module = _find_whole(generator, latents, activation, module)
                try:
                    seen = _watch_any(generator, latents, module)
                except ValueError:
                    if first is not None or not isinstance(module, LinearTail):
                        raise
                    # Larger batches go another way, such as in parts.
                    module = find_layer(generator, latents, activation, None)[0]
                    seen = watch(generator, latents, module)
            if first is None:
                first = seen
            total = total + seen[0].cpu().double().sum(dim=0).numpy()
            spread.add(seen[1].cpu().double().numpy())
            bar.update(len(seen[0]))
    inputs, outputs, samples = first
    if isinstance(activation, str):
        tail = recognize_tail(outputs, samples)
    else:
        tail = check_tail(activation, outputs, samples)
    return FinalLayerTrace(
        module,
        np.asarray(total / n_samples),
        spread.deviation(),
        tail,
        tuple(samples.shape[1:]),
        inputs,
        outputs,
        samples,
    )


class _Spread:
    """The deviation of values that come in batches, about the mean of the first."""

    def __init__(self):
        self.center, self.sums = None, 0.0

    def add(self, values):
        if self.center is None:
            self.center = values.mean(axis=0)
        moved = values - self.center
        self.sums = self.sums + np.stack(
            [np.full(moved.shape[1:], len(moved)), moved.sum(axis=0), np.square(moved).sum(axis=0)]
        )

    def deviation(self):
        n, total, squares = self.sums
        return np.sqrt(np.maximum(squares / n - np.square(total / n), 0))


def _watch_any(generator, latents, module):
    look = watch_linear_tail if isinstance(module, LinearTail) else watch
    return look(generator, latents, module)


def _find_whole(generator, latents, activation, module):
    """The final layer, or the whole linear tail where that is more."""
    if module is not None:
        return find_layer(generator, latents, activation, module)[0]
    probes = few(latents)
    tail, obstacle, problem = find_linear_tail(generator, probes, activation)
    try:
        found, _ = find_layer(generator, latents, activation, None)
    except ValueError as error:
        if tail is not None:
            return tail
        if obstacle is None:
            raise
        if isinstance(error, NoLayerError) and problem is not None:
            error = problem  # layers that are functions are no modules that could be watched
        raise ValueError(f"{error} What could not be taken apart is {obstacle}.") from error
    if tail is None:
        return found
    inputs, _, _ = watch(generator, probes, found)
    is_all = len(tail.links) == 1 and inputs[0].numel() == prod(tail.input_shape)
    return found if is_all else tail
