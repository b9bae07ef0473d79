"""Find a generator's last linear layer by running the generator."""

import sys
from collections import namedtuple
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn

from sklearn_flipad.final_layer.activations import OutputActivation, identify_activation
from sklearn_flipad.sampling import (
    evaluating,
    latent_batches,
    separate_stream,
    unwrap,
)

__all__ = ["FinalLayerTrace", "trace_final_layer"]

_LINEAR_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)

#: What was seen: the layer, its mean input, the activation behind it, the shape of one
#: sample, and the layer's inputs and outputs of the first batch.
FinalLayerTrace = namedtuple(
    "FinalLayerTrace", "module mean_activation activation output_shape inputs outputs"
)


def trace_final_layer(
    generator,
    *,
    latent_shape=None,
    sampler=None,
    n_samples=5000,
    activation="auto",
    batch_size=100,
    device=None,
    random_state=None,
):
    """Run a generator and watch its last linear layer.

    The parameters are those of :meth:`sklearn_flipad.FinalLayer.from_generator`.

    Returns
    -------
    FinalLayerTrace

    Raises
    ------
    ValueError
        See :meth:`sklearn_flipad.FinalLayer.from_generator`.
    """
    generator = unwrap(generator)
    batches = latent_batches(
        generator,
        n_samples,
        latent_shape=latent_shape,
        sampler=sampler,
        batch_size=batch_size,
        device=device,
        random_state=separate_stream(random_state, 1),
    )
    module, total, first = None, 0.0, None
    with evaluating(generator), _eager():
        for latents in batches:
            if module is None:
                module = _last_to_run(generator, latents)
            inputs, outputs, x = _watch(generator, module, latents)
            if first is None:
                first = inputs, outputs, x
            total = total + inputs.double().sum(dim=0).cpu().numpy()
    inputs, outputs, x = first
    if isinstance(activation, str) and activation == "auto":
        activation = _identify(outputs, x)
    elif isinstance(activation, str):
        activation = OutputActivation(activation)
    return FinalLayerTrace(
        module, np.asarray(total / n_samples), activation, tuple(x.shape[1:]), inputs, outputs
    )


def _eager():
    """Compiled parts of a generator run as they are written, so that hooks see the layers."""
    # Importing dynamo takes seconds; where nobody has imported it, nothing is compiled.
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


def _last_to_run(generator, latents):
    ran = []
    hooks = [
        m.register_forward_hook(lambda module, inputs, output: ran.append(module))
        for m in generator.modules()
        if isinstance(m, _LINEAR_LAYERS)
    ]
    try:
        generator(*latents)
    finally:
        for hook in hooks:
            hook.remove()
    if not ran:
        raise ValueError(
            "The generator ran no Linear, Conv1d/2d/3d or ConvTranspose1d/2d/3d layer, so it "
            "has no final layer to invert. make_rawpad and make_dctpad need none."
        )
    return ran[-1]


def _watch(generator, module, latents):
    seen = []
    hook = module.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    try:
        x = generator(*latents)
    finally:
        hook.remove()
    inputs, outputs = seen[-1]
    if not isinstance(x, torch.Tensor):
        raise ValueError(
            f"The generator returned a {type(x).__name__}, not a tensor; wrap it in a module "
            "whose forward returns the samples alone."
        )
    n = len(latents[0])
    if len(x) != n or len(inputs) != n:
        raise ValueError(
            f"{n} latents went in, but the generator returned {len(x)} samples and its final "
            f"layer saw {len(inputs)}; a final layer must treat each sample alone."
        )
    return inputs.detach(), outputs.detach(), x.detach()


def _identify(outputs, x):
    if outputs[0].numel() != x[0].numel():
        raise ValueError(
            f"The last linear layer returns {tuple(outputs.shape[1:])} a sample and the "
            f"generator {tuple(x.shape[1:])}: something other than an activation follows it. "
            "Wrap the generator so that it ends with the layer and its activation."
        )
    return identify_activation(outputs, x)
