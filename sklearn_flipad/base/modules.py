"""Running user-defined modules: unwrapping, eval mode, checks of their output."""

import copy
import threading
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.base.randomness import seeded

__all__ = ["device_of", "evaluating", "moved_to", "run_generator", "training", "unwrap"]

#: By module: number of running uses in eval mode, and all modes before the first.
_LOCK, _EVALUATED = threading.Lock(), {}

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)


def unwrap(generator):
    """The module inside ``DataParallel``, ``AveragedModel`` or ``torch.compile`` wrappers."""
    while True:
        if isinstance(generator, _WRAPPERS):
            generator = generator.module
        elif hasattr(generator, "_orig_mod"):
            generator = generator._orig_mod
        else:
            break
    if not isinstance(generator, nn.Module):
        what = f"{type(generator).__module__}.{type(generator).__name__}"
        raise ValueError(
            f"generator must be a torch.nn.Module, got a {what}. An exported program has lost its "
            "layers and modes: pass the module that it was made from."
        )
    return generator


def device_of(module):
    """Device of a module's parameters; the CPU if it has none."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def moved_to(module, device):
    """The module if it is on the device, else a copy there: the user's module stays where it is."""
    if torch.empty(0, device=device).device == device_of(module):
        return module
    return copy.deepcopy(module).to(device)


@contextmanager
def evaluating(module):
    """Run in eval mode and full precision without gradients; restore all submodules' modes.

    If several threads use one module, the last to finish restores the modes.
    """
    with _LOCK:
        uses, modes = _EVALUATED.get(id(module), (0, None))
        if not uses:
            modes = [(m, m.training) for m in module.modules()]
            _put_into_eval_mode(module)
        _EVALUATED[id(module)] = uses + 1, modes
    try:
        with torch.no_grad(), full_precision():
            yield
    finally:
        with _LOCK:
            uses, modes = _EVALUATED.pop(id(module))
            if uses > 1:
                _EVALUATED[id(module)] = uses - 1, modes
            else:
                for m, mode in modes:
                    m.training = mode


def _put_into_eval_mode(module):
    try:
        module.eval()
    except NotImplementedError as error:
        raise ValueError(
            f"The generator cannot be put into eval mode ({error}): pass the torch.nn.Module that "
            "it was exported from."
        ) from error


@contextmanager
def training(seed, device):
    """Seed torch and enable gradients, also under the caller's ``no_grad``, in full precision."""
    with seeded(seed, device), torch.inference_mode(False), torch.enable_grad(), full_precision():
        yield


def run_generator(generator, inputs):
    """Samples of a generator for a batch of inputs, tensor of shape (n, *output_shape)."""
    x = generator(*inputs)
    if not isinstance(x, torch.Tensor):
        raise ValueError(
            f"The generator returned a {type(x).__name__}, not a tensor; wrap it in a module "
            "whose forward returns the samples alone."
        )
    if x.ndim < 2 or len(x) != len(inputs[0]):
        raise ValueError(
            f"The generator returned a tensor of shape {tuple(x.shape)} for {len(inputs[0])} "
            "latents; it must return a sample for each latent, along the first axis."
        )
    return x
