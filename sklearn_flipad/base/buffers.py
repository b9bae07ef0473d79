"""Tensors of modules that state dicts do not hold."""

import torch
from torch import nn

__all__ = ["give_buffers", "loose_tensors", "unsaved_buffers"]

#: Attributes of every module.
_OF_MODULES = frozenset(vars(nn.Module()))


def unsaved_buffers(module):
    """Buffers by name that the module's state dict does not hold (``persistent=False``)."""
    saved = module.state_dict()
    return {name: buffer for name, buffer in module.named_buffers() if name not in saved}


def give_buffers(module, tensors):
    """Replace buffers by name; ValueError if the module has none of that name and shape."""
    buffers = dict(module.named_buffers())
    for name, tensor in tensors.items():
        if name not in buffers or buffers[name].shape != tensor.shape:
            raise ValueError(
                f"{type(module).__name__} has no buffer {name} of shape {tuple(tensor.shape)}"
            )
        owner, _, last = name.rpartition(".")
        # Of a module that was built without memory, the device is none.
        device = tensor.device if buffers[name].is_meta else buffers[name].device
        tensor = tensor.to(device, buffers[name].dtype)
        setattr(module.get_submodule(owner), last, tensor)


def loose_tensors(module):
    """Names of tensors in a user's module that are neither parameters nor buffers."""
    found = []
    for path, part in module.named_modules():
        if type(part).__module__.partition(".")[0] in ("torch", "sklearn_flipad"):
            continue
        for name, value in vars(part).items():
            if name in _OF_MODULES:
                continue
            values = value.values() if isinstance(value, dict) else value
            values = list(values) if isinstance(value, dict | list | tuple) else [value]
            if any(isinstance(item, torch.Tensor) for item in values):
                found.append(f"{path}.{name}" if path else name)
    return found
