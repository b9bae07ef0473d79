"""Finding a generator's final layer by running the generator."""

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from sklearn_flipad._modules import device_of, evaluating, run_generator, unwrap
from sklearn_flipad.final_layer.activations import OutputActivation
from sklearn_flipad.final_layer.kinds import LINEAR_LAYERS
from sklearn_flipad.final_layer.recognition import Tail, check_tail, recognize_tail
from sklearn_flipad.final_layer.tails import LinearTail, find_linear_tail, watch_linear_tail
from sklearn_flipad.randomness import draw_seed, seeded, separate_stream
from sklearn_flipad.sampling import latent_batches

__all__ = ["FinalLayerTrace", "find_final_layer", "find_output_activation", "trace_final_layer"]

#: Latents for which all layers are watched.
_N_PROBES = 8


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
    _check_watchable(generator)
    if isinstance(activation, str) and activation != "auto":
        activation = OutputActivation(activation)
    rng = separate_stream(random_state, 1)
    seed = draw_seed(separate_stream(random_state, 3))
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
    with evaluating(generator), _eager(), bar:
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
                    module = _find(generator, latents, activation, None)[0]
                    seen = _watch(generator, latents, module)
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


def find_output_activation(generator, latents):
    """The output activation of a generator, if it is known by what it does.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator, in eval mode.
    latents : tuple of torch.Tensor
        Its inputs.

    Returns
    -------
    OutputActivation or None
    """
    try:
        _check_watchable(generator)
        with _eager():
            return _find(generator, latents, "auto", None)[1].activation
    except ValueError:
        return None


def find_final_layer(generator, latents):
    """Find the last linear layer of a generator, whatever follows it.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator, in eval mode.
    latents : tuple of torch.Tensor
        Its inputs.

    Returns
    -------
    torch.nn.Module
        The layer that explains the output; where none does, the last that runs.

    Raises
    ------
    ValueError
        If the generator's layers cannot be watched, or it runs none.
    """
    _check_watchable(generator)
    with _eager():
        try:
            return _find(generator, latents, "auto", None)[0]
        except ValueError:
            return list(_watch_all(generator, _few(latents))[1])[-1]


def _check_watchable(generator):
    if isinstance(generator, torch.jit.ScriptModule):
        raise ValueError(
            "The generator is a TorchScript module, whose layers cannot be watched. Pass the "
            "torch.nn.Module that it was made from, or build the layer from its last linear "
            "layer with FinalLayer.from_module."
        )


def _eager():
    """Compiled parts of a generator run as they are written, so that hooks see the layers."""
    # Importing dynamo takes seconds; where nobody has imported it, nothing is compiled.
    if "torch._dynamo" in sys.modules:
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


class _NoLayerError(ValueError):
    """No module of the generator that ran is a linear layer."""


def _watch_any(generator, latents, module):
    watch = watch_linear_tail if isinstance(module, LinearTail) else _watch
    return watch(generator, latents, module)


def _find_whole(generator, latents, activation, module):
    """The final layer, or the whole linear tail where that is more."""
    if module is not None:
        return _find(generator, latents, activation, module)[0]
    probes = _few(latents)
    tail, obstacle, problem = find_linear_tail(generator, probes, activation)
    try:
        found, _ = _find(generator, latents, activation, None)
    except ValueError as error:
        if tail is not None:
            return tail
        if obstacle is None:
            raise
        if isinstance(error, _NoLayerError) and problem is not None:
            error = problem  # layers that are functions are no modules that could be watched
        raise ValueError(f"{error} What could not be taken apart is {obstacle}.") from error
    if tail is None:
        return found
    inputs, _, _ = _watch(generator, probes, found)
    is_all = len(tail.links) == 1 and inputs[0].numel() == prod(tail.input_shape)
    return found if is_all else tail


def _find(generator, latents, activation, module):
    """The final layer, and what follows it.

    Of the layers that ran, the last one that explains the output, since an auxiliary head
    may run after it.
    """
    probes = _few(latents)
    if module is not None:
        module = _named(generator, module)
        _, outputs, x = _watch(generator, probes, module)
        return module, _tail(outputs, x, activation)
    x, calls = _watch_all(generator, probes)
    n = len(x)
    outputs = {layer: _joined(seen, n) for layer, seen in calls.items()}
    candidates = [
        (layer, output)
        for layer, output in outputs.items()
        if output is not None and output[0].numel() == x[0].numel()
    ]
    if not candidates:
        _refuse_sizes(outputs, x)
    problem = None
    for layer, output in reversed(candidates):
        try:
            return layer, _tail(output, x, activation)
        except ValueError as error:
            problem = problem or error
    raise problem


def _tail(outputs, x, activation):
    if isinstance(activation, str):
        return recognize_tail(outputs, x)
    return check_tail(activation, outputs, x)


def _few(latents):
    """The first few inputs, where all have an axis of the batch."""
    n = len(latents[0])
    if all(tensor.ndim and len(tensor) == n for tensor in latents):
        return tuple(tensor[:_N_PROBES] for tensor in latents)
    return latents


def _named(generator, module):
    named = dict(generator.named_modules())
    found = named.get(module) if isinstance(module, str) else module
    if not any(found is part for part in named.values()):
        raise ValueError(
            f"module={module!r} is no part of the generator; its linear layers are "
            f"{', '.join(name for name, m in named.items() if isinstance(m, LINEAR_LAYERS))}."
        )
    if not isinstance(found, LINEAR_LAYERS):
        raise ValueError(
            f"module must be one of {', '.join(t.__name__ for t in LINEAR_LAYERS)}, got "
            f"{type(found).__name__}."
        )
    return found


def _watch_all(generator, latents):
    """The samples, and the outputs of each linear layer in the order of their last calls."""
    calls = {}

    def note(module, inputs, output):
        calls[module] = [*calls.pop(module, []), output.detach().clone()]

    hooks = [
        m.register_forward_hook(note) for m in generator.modules() if isinstance(m, LINEAR_LAYERS)
    ]
    try:
        x = run_generator(generator, latents)
    finally:
        for hook in hooks:
            hook.remove()
    if not calls:
        raise _NoLayerError(
            "The generator ran no Linear, Conv1d/2d/3d or ConvTranspose1d/2d/3d layer, so it "
            "has no final layer to invert. make_rawpad, make_dctpad and make_smf need none."
        )
    return x, calls


def _watch(generator, latents, module):
    """Inputs and outputs of a layer, and the samples."""
    inputs, outputs = [], []

    def note(_, args, kwargs, output):
        # Clones, because what follows may overwrite them in place.
        inputs.append((args[0] if args else kwargs["input"]).detach().clone())
        outputs.append(output.detach().clone())

    hook = module.register_forward_hook(note, with_kwargs=True)
    try:
        x = run_generator(generator, latents)
    finally:
        hook.remove()
    joined = _joined(inputs, len(x)), _joined(outputs, len(x))
    if joined[0] is None:
        seen = [len(part) for part in inputs]
        raise ValueError(
            f"{len(x)} latents went in, but the final layer saw batches of {seen}. A final layer "
            "must treat each sample alone, once; pass batch_size=1 if the generator splits its "
            "batches."
        )
    return *joined, x.detach()


def _joined(parts, n):
    """What a layer saw of a batch of n: its last call, or its last calls if they share it."""
    taken = []
    while parts and sum(map(len, taken)) < n:
        *parts, last = parts
        taken.insert(0, last if last.ndim else last[None])
    return torch.cat(taken) if sum(map(len, taken)) == n else None


def _refuse_sizes(outputs, x):
    last = list(outputs.values())[-1]
    if last is None:
        raise ValueError(
            f"{len(x)} latents went in, but the last linear layer saw batches of other sizes. A "
            "final layer must treat each sample alone, once; pass batch_size=1 if the generator "
            "splits its batches."
        )
    raise ValueError(
        f"No linear layer returns as many values as the generator: the last returns "
        f"{tuple(last.shape[1:])} for a sample of shape {tuple(x.shape[1:])}, so something other "
        "than an activation follows it, such as a resize or a crop. Wrap the generator so that it "
        f"ends with the layer and its activation. make_rawpad, make_dctpad and make_smf need no "
        "final layer."
    )
