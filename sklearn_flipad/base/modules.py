"""Running the modules of others: unwrapping, eval mode, and what they return."""

import copy
import threading
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.base.randomness import seeded

__all__ = ["device_of", "evaluating", "moved_to", "run_generator", "training", "unwrap"]

#: Uses of modules in eval mode under way, and the modes before the first.
_LOCK, _EVALUATED = threading.Lock(), {}

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)


def unwrap(generator):
    """The module inside ``DataParallel``, ``AveragedModel`` or ``torch.compile`` wrappers.

    Parameters
    ----------
    generator : torch.nn.Module
        A generator.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If it is no module.
    """
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
    """The device of a module's parameters, the CPU if it has none."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def moved_to(module, device):
    """The module if it is on the device, else a copy of it there: the user's stays where it is.

    Parameters
    ----------
    module : torch.nn.Module
        A module.
    device : torch.device
        Where it shall run.

    Returns
    -------
    torch.nn.Module
    """
    if torch.empty(0, device=device).device == device_of(module):
        return module
    return copy.deepcopy(module).to(device)


@contextmanager
def evaluating(module):
    """Eval mode and full precision, no gradients; every submodule's mode is restored afterwards.

    Where several threads run one module, the last that is done with it restores the modes.
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
    """Gradients, even where the caller has switched them off, full precision, and a seed.

    Parameters
    ----------
    seed : int
        Seed of torch's generators, see :func:`~sklearn_flipad.base.randomness.seeded`.
    device : torch.device
        Where the training runs.
    """
    with seeded(seed, device), torch.inference_mode(False), torch.enable_grad(), full_precision():
        yield


def run_generator(generator, inputs):
    """Samples of a generator for a batch of inputs.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    inputs : tuple of torch.Tensor
        Its arguments.

    Returns
    -------
    torch.Tensor, shape (n, *output_shape)

    Raises
    ------
    ValueError
        If it returns something else, or another number of samples.
    """
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
