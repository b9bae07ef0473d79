"""Copies of generators whose weights are plain parameters."""

import copy

import torch
from torch import nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm
from torch.nn.utils.weight_norm import WeightNorm, remove_weight_norm

from sklearn_flipad.base.modules import unwrap

__all__ = ["plain_copy", "weights_of"]


def plain_copy(generator):
    """Copy of a generator in eval mode, without gradients, whose computed weights are parameters.

    Weight and spectral normalization, pruning masks and other parametrizations are replaced by
    the weights that they give in eval mode, so that changing a weight changes what the generator
    uses.
    """
    generator = unwrap(generator)
    if isinstance(generator, torch.jit.ScriptModule):
        raise ValueError(
            "The generator is a TorchScript module, whose weights cannot be told from what it "
            "computes with them. Pass the torch.nn.Module that it was made from."
        )
    # Weights that a hook computes hang on the graph of the last call, which cannot be copied.
    memo = {
        id(value): value.detach().clone()
        for module in generator.modules()
        for value in vars(module).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }
    # Tensors of inference mode could not be trained later.
    with torch.inference_mode(False), torch.no_grad():
        twin = copy.deepcopy(generator, memo).eval()
        for name, module in twin.named_modules():
            try:
                _fold(module)
            except (AttributeError, RuntimeError, ValueError) as error:
                raise ValueError(
                    f"The weights of layer {name!r} ({type(module).__name__}) cannot be turned "
                    f"into parameters: {error} Remove its parametrization first."
                ) from error
    return twin.requires_grad_(False)


def _fold(module):
    if parametrize.is_parametrized(module):
        _fold_parametrizations(module)
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)


def _fold_parametrizations(module):
    # Not by torch's remove_parametrizations: it changes the class, which copies share.
    parts = dict(module.parametrizations.items())
    values = {name: getattr(module, name).detach().clone() for name in parts}
    module.__class__ = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    for name, value in values.items():
        if next(parts[name].parameters(), None) is None:
            module.register_buffer(name, value)
        else:
            module.register_parameter(name, nn.Parameter(value))


def weights_of(generator):
    """Floating-point parameters with at least two axes: no biases, no normalization scales."""
    return [
        value for value in generator.parameters() if value.ndim > 1 and value.is_floating_point()
    ]
