"""Linear layers of a running generator, seen through hooks."""

import sys
from contextlib import nullcontext

import torch

from sklearn_flipad.base.messages import Message
from sklearn_flipad.base.modules import run_generator
from sklearn_flipad.generators.watching.recognition import (
    NO_LAYER,
    check_output_stage,
    recognize_output_stage,
)
from sklearn_flipad.operators.links.kinds import layer_modules

__all__ = [
    "NoLayerError",
    "check_watchable",
    "eager",
    "few",
    "find_final_layer",
    "find_layer",
    "find_output_activation",
    "watch",
]

#: Latents for which all layers are watched.
_N_PROBES = 8


def find_output_activation(generator, latents):
    """The output activation of a generator in eval mode, None where none is recognized."""
    try:
        check_watchable(generator)
        with eager():
            return find_layer(generator, latents, "auto", None)[1].activation
    except ValueError:
        return None


def find_final_layer(generator, latents):
    """The linear layer that explains the output of a generator, else the last that runs.

    ValueError if the generator's layers cannot be watched, or it runs none.
    """
    check_watchable(generator)
    with eager():
        try:
            return find_layer(generator, latents, "auto", None)[0]
        except ValueError:
            return list(_watch_all(generator, few(latents))[1])[-1]


def check_watchable(generator):
    """Raise ValueError if no hooks can be set."""
    if isinstance(generator, torch.jit.ScriptModule):
        raise ValueError(
            "The generator is a TorchScript module, whose layers cannot be watched. Pass the "
            "torch.nn.Module that it was made from, or build the layer from its last linear "
            "layer with FinalLayer.from_module."
        )


def eager():
    """Context in which compiled modules run as written, so that hooks see their layers."""
    # Importing dynamo takes seconds; where it has not been imported, nothing is compiled.
    if "torch._dynamo" in sys.modules:
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


class NoLayerError(ValueError):
    """No module of the generator that ran is a linear layer."""


def find_layer(generator, latents, activation, module):
    """The final layer and its :class:`OutputStage`.

    It is the last of the layers that explain the output: an auxiliary head may run after it.
    """
    probes = few(latents)
    if module is not None:
        module = _named(generator, module)
        _, outputs, x = watch(generator, probes, module)
        return module, _stage(outputs, x, activation)
    x, calls = _watch_all(generator, probes)
    n = len(x)
    outputs = {layer: _joined(seen, n) for layer, seen in calls.items()}
    candidates = [
        (layer, output)
        for layer, output in outputs.items()
        if output is not None and output[0].numel() == x[0].numel()
    ]
    if candidates and not any(output.is_floating_point() for _, output in candidates):
        raise ValueError(
            "The generator's last linear layer returns complex numbers, and only a part of each is "
            "in the samples. Write it as a layer of real numbers, with the real and the imaginary "
            "parts as channels."
        )
    candidates = [(layer, output) for layer, output in candidates if output.is_floating_point()]
    if not candidates:
        _refuse_sizes(outputs, x)
    problem = None
    for layer, output in reversed(candidates):
        try:
            return layer, _stage(output, x, activation)
        except ValueError as error:
            problem = problem or error
    raise problem


def _stage(outputs, x, activation):
    if isinstance(activation, str):
        return recognize_output_stage(outputs, x)
    return check_output_stage(activation, outputs, x)


def few(latents):
    """The first few inputs, if all of them have the axis of the batch."""
    n = len(latents[0])
    if all(tensor.ndim and len(tensor) == n for tensor in latents):
        return tuple(tensor[:_N_PROBES] for tensor in latents)
    return latents


def _named(generator, module):
    named, layers = dict(generator.named_modules()), layer_modules()
    found = named.get(module) if isinstance(module, str) else module
    if not any(found is part for part in named.values()):
        raise ValueError(
            f"module={module!r} is not a part of the generator; its linear layers are "
            f"{', '.join(name for name, m in named.items() if isinstance(m, layers))}."
        )
    if not isinstance(found, layers):
        raise ValueError(
            f"module must be one of {', '.join(t.__name__ for t in layers)}, got "
            f"{type(found).__name__}."
        )
    return found


def _watch_all(generator, latents):
    """Samples, and the outputs of each linear layer in the order of their last calls."""
    calls = {}

    def note(module, inputs, output):
        calls[module] = [*calls.pop(module, []), output.detach().clone()]

    layers = layer_modules()
    hooks = [m.register_forward_hook(note) for m in generator.modules() if isinstance(m, layers)]
    try:
        x = run_generator(generator, latents)
    finally:
        for hook in hooks:
            hook.remove()
    if not calls:
        raise NoLayerError(
            Message(
                "The generator ran no Linear, Conv1d/2d/3d or ConvTranspose1d/2d/3d layer, so it "
                "has no final layer to invert. ",
                NO_LAYER,
            )
        )
    return x, calls


def watch(generator, latents, module):
    """Inputs and outputs of a layer, and the samples, for a batch of latents."""
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
    """Rows of a batch of n samples, from the last call of a layer or its last calls together."""
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
        Message(
            f"No linear layer returns as many values as the generator: the last returns "
            f"{tuple(last.shape[1:])} for a sample of shape {tuple(x.shape[1:])}, so something "
            "other than an activation follows it, such as a resize or a crop. Wrap the generator "
            "so that it ends with the layer and its activation. ",
            NO_LAYER,
        )
    )
