"""Running user-defined modules: unwrapping, eval mode, checks of their output."""

import copy
import inspect
import threading
from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin
from torch.optim.swa_utils import AveragedModel

from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.base.randomness import seeded

__all__ = [
    "check_returned",
    "device_of",
    "evaluating",
    "float_type_of",
    "moved_to",
    "run_generator",
    "training",
    "unwrap",
]

#: By module: number of running uses in eval mode, and all modes before the first.
_LOCK, _EVALUATED = threading.Lock(), {}

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)


def unwrap(module, role="generator"):
    """The module inside wrappers such as ``torch.compile``; ValueError if it cannot be run.

    All modules of users pass here. `role` is the word for it in messages.
    """
    while True:
        if isinstance(module, _WRAPPERS):
            module = module.module
        elif hasattr(module, "_orig_mod"):
            module = module._orig_mod
        else:
            break
    if not isinstance(module, nn.Module):
        what = f"{type(module).__module__}.{type(module).__name__}"
        raise ValueError(
            f"{role} must be a torch.nn.Module, got a {what}. An exported program has lost its "
            "layers and modes: pass the module that it was made from."
        )
    for name, tensor in _tensors(module):
        if isinstance(tensor, UninitializedTensorMixin):
            raise ValueError(
                f"The {role} has a lazy layer without weights ({name}): they get their shape when "
                "it runs for the first time. Call it once, and load its weights if they are saved, "
                "before it is passed."
            )
        if tensor.is_meta:
            raise ValueError(
                f"The {role} has weights without values, on the device 'meta' ({name}). Fill them "
                "with load_state_dict(..., assign=True); where a library has moved them away to "
                "save memory, load the model without that."
            )
    return module


def _tensors(module):
    yield from module.named_parameters()
    yield from module.named_buffers()


def device_of(module):
    """Device of a module's parameters; the CPU if it has none."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def float_type_of(module):
    """Type of a module's first floating-point parameter, None if it has none."""
    types = (p.dtype for p in module.parameters() if p.is_floating_point())
    return next(types, None)


def moved_to(module, device):
    """The module if it is on the device, else a copy there: the user's module stays where it is.

    A module whose weights were made in inference mode is copied too, since no gradient passes them.
    """
    is_there = torch.empty(0, device=device).device == device_of(module)
    if is_there and not any(tensor.is_inference() for _, tensor in _tensors(module)):
        return module
    with torch.inference_mode(False):
        return copy.deepcopy(module).to(device)


@contextmanager
def evaluating(module, *, full=True):
    """Run in eval mode and full precision without gradients; restore all submodules' modes.

    Unless `full`, the precision is the caller's. If several threads use one module, the last to
    finish restores the modes.
    """
    with _LOCK:
        uses, modes = _EVALUATED.get(id(module), (0, None))
        if not uses:
            modes = [(m, m.training) for m in module.modules()]
            _put_into_eval_mode(module)
        _EVALUATED[id(module)] = uses + 1, modes
    try:
        with torch.no_grad(), full_precision() if full else nullcontext():
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
    try:
        x = generator(*inputs)
    except TypeError as error:
        if _takes(generator, inputs):
            raise
        raise ValueError(
            f"The generator was called with {len(inputs)} input(s), and takes others ({error}). "
            "Pass sampler=, a function sampler(n, rng) that returns a tuple of all of them, such "
            "as latents and labels."
        ) from error
    x = check_returned(x, "generator", "samples")
    if x.ndim < 2 or len(x) != len(inputs[0]):
        raise ValueError(
            f"The generator returned a tensor of shape {tuple(x.shape)} for {len(inputs[0])} "
            "latents; it must return a sample for each latent, along the first axis."
        )
    return x


def _takes(module, inputs):
    """Whether a module's forward takes so many inputs."""
    try:
        inspect.signature(module.forward).bind(*inputs)
    except (TypeError, ValueError):
        return False
    return True


def check_returned(x, role, what):
    """Output of a module; ValueError if it is no tensor of floating-point numbers.

    `role` is the word for the module, and `what` that for what it returns.
    """
    if not isinstance(x, torch.Tensor):
        raise ValueError(
            f"The {role} returned a {type(x).__name__}, not a tensor; wrap it in a module "
            f"whose forward returns the {what} alone."
        )
    if not x.is_floating_point():
        dtype = str(x.dtype).removeprefix("torch.")
        raise ValueError(f"The {role} returned {dtype} values. {_advice(x)}")
    return x


def _advice(x):
    if x.is_complex():
        return (
            "Wrap it in a module that returns real numbers, such as the real and the imaginary "
            "parts as channels, and bring samples into the same form."
        )
    return (
        "They have no gradients, and no last layer explains them: wrap it in a module that returns "
        "the floating-point values before they are rounded or compared."
    )
