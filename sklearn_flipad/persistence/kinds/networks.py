"""Torch modules: their weights, and where to get their code; none is in a file."""

import copy
import warnings
from importlib import import_module

import numpy as np
import torch
from torch import nn

from sklearn_flipad.base.buffers import give_buffers, loose_tensors, unsaved_buffers
from sklearn_flipad.base.modules import unwrap
from sklearn_flipad.detectors import networks
from sklearn_flipad.persistence.kinds.kind import Kind, refusing
from sklearn_flipad.storage.files import printable

__all__ = ["KINDS", "check_weights", "fill", "put_weights"]

_ZOO = "sklearn_flipad.zoo.architectures"


def put_weights(module, path, writer):
    """Names of the arrays of a module's parameters and buffers, those of no state dict included.

    A warning names tensors that files cannot hold.
    """
    with refusing(path):
        weights = _weights_of(module)
    if lost := _lost_tensors(module, weights):
        warnings.warn(
            f"The file does not hold {', '.join(lost)} of {type(module).__name__}, which its state "
            "dict lacks: they will be those of the module that load_attributor is given. If they "
            "are random or learned, register them, as self.register_buffer(name, tensor), and fit "
            "again.",
            UserWarning,
            stacklevel=2,
        )
    return writer.put_all(weights, path)


def check_weights(module, weights, name):
    """Raise ValueError if weights have other names, shapes or types than a module's.

    Files of earlier versions lack buffers that state dicts do not hold.
    """
    found = {key: (value.shape, str(value.dtype)) for key, value in weights.items()}
    known = {
        **{key: buffer for key, buffer in unsaved_buffers(module).items() if key in weights},
        **module.state_dict(),
    }
    expected = {
        key: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for key, tensor in known.items()
        if isinstance(tensor, torch.Tensor)
    }
    if found != expected:
        other = next(k for k in {**expected, **found} if found.get(k) != expected.get(k))
        raise ValueError(
            f"the stored weights are not those of {name}: {other} is stored as "
            f"{found.get(other, 'nothing')}, and should be {expected.get(other, 'absent')}. Build "
            "it with the class and the arguments with which the stored one was built"
        )


def fill(module, weights, name, assign=False):
    """The module with other weights, in eval mode and without gradients."""
    check_weights(module, weights, name)
    # Copies, so that they are aligned as torch aligns its tensors.
    tensors = {key: torch.from_numpy(np.array(value)).clone() for key, value in weights.items()}
    unsaved = {key: tensors.pop(key) for key in unsaved_buffers(module) if key in tensors}
    module.load_state_dict(tensors, strict=True, assign=assign)
    give_buffers(module, unsaved)
    return module.eval().requires_grad_(False)


def _weights_of(module):
    weights = {}
    for name, tensor in module.state_dict().items():
        if not _is_storable(tensor):
            what = getattr(tensor, "dtype", type(tensor).__name__)
            raise ValueError(
                f"{name!r} of {type(module).__name__} is {what}; only plain tensors of integers "
                "and of floats of 16, 32 and 64 bits are stored. Pass a copy, "
                "copy.deepcopy(module).float(), when the attributor is made"
            )
        weights[name] = tensor.detach().cpu().numpy()
    for name, tensor in unsaved_buffers(module).items():
        if _is_storable(tensor):
            weights[name] = tensor.detach().cpu().numpy()
    return weights


def _is_storable(tensor):
    is_array = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided
    return is_array and not tensor.is_complex() and tensor.dtype != torch.bfloat16


def _lost_tensors(module, weights):
    """Names of tensors that are not among the weights."""
    buffers = [name for name in unsaved_buffers(module) if name not in weights]
    return buffers + loose_tensors(module)


def _recipe(module):
    """The arguments from which the library builds a module, as JSON values.

    None if its code is from elsewhere, or it was changed after it was built.
    """
    try:
        if type(module).__module__ == _ZOO:
            arguments = module.arguments.items()
            arguments = {k: list(v) if isinstance(v, tuple) else v for k, v in arguments}
            recipe = {"zoo": type(module).__name__, "arguments": arguments}
        else:
            sample_shape, n_outputs = module.made_for
            recipe = {"encoder_network": [list(sample_shape), n_outputs]}
        rebuilt = _built(recipe, _weights_of(module))
    except (AttributeError, TypeError, ValueError):
        return None
    return recipe if repr(rebuilt) == repr(module) else None


def _built(recipe, weights):
    """A module of the library with its weights.

    It is built without memory first, so that a file cannot ask for more than it brings.
    """
    match recipe:
        case {"zoo": str(name), "arguments": dict(arguments)}:
            zoo = import_module(_ZOO)
            if name not in zoo.__all__:
                raise ValueError(f"{name[:100]!r} is no generator of sklearn_flipad.zoo")
            arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
            with torch.device("meta"):
                module = getattr(zoo, name)(**arguments)
        case {"encoder_network": [list(sample_shape), int(n_outputs)]}:
            from sklearn_flipad.reproduction.encoding.networks import make_encoder_network

            name = "the encoder's network"
            with torch.device("meta"):
                module = make_encoder_network(tuple(sample_shape), n_outputs)
        case _:
            raise ValueError("a network has no valid description")
    return fill(module, weights, name, assign=True)


def _from_user(name, given):
    """The module that a function builds, or a copy of one that is built."""
    is_module = isinstance(given, nn.Module)
    try:
        module = copy.deepcopy(given) if is_module else given()
    except (RuntimeError, TypeError) as error:
        done = "copied" if is_module else "called without arguments"
        raise ValueError(
            f"objects[{name!r}] cannot be {done} ({error}). Pass a function without arguments that "
            "builds the module, or a module that was built with the right ones"
        ) from error
    if not isinstance(module, nn.Module):
        raise ValueError(f"objects[{name!r}] returned {type(module).__name__}, no torch module")
    return module


def _take_apart(module, path, writer):
    module = unwrap(module)
    training = [name for name, part in module.named_modules() if part.training]
    built = _recipe(module)
    if built is None:
        built = {"object": writer.ask_for(module, f"the torch module of {path}")}
    return {"build": built, "state": put_weights(module, path, writer), "training": training}


def _put_together(node, reader):
    weights = reader.take_all(node["state"])
    match node["build"]:
        case {"object": str(name)}:
            given = _from_user(name, reader.objects[name])
            module = fill(given, weights, f"objects[{name!r}]")
        case recipe:
            module = _built(recipe, weights)
    for name in node["training"]:
        module.get_submodule(name).training = True
    return module


def _show(node, view):
    built = node["build"]
    if "zoo" in built:
        return printable(f"sklearn_flipad.zoo:{built['zoo']}")
    return printable(str(built.get("object", "a network of the library")))


def _network_class(node, reader):
    if node["class"] not in networks.__all__:
        raise ValueError(f"{str(node['class'])[:100]!r} is no network of the library")
    return getattr(networks, node["class"])


KINDS = (
    Kind(
        "module",
        lambda value, path: isinstance(value, nn.Module),
        _take_apart,
        _put_together,
        _show,
    ),
    # Networks of DeepSADDetector.
    Kind(
        "network_class",
        lambda value, path: isinstance(value, type) and value.__module__ == networks.__name__,
        lambda cls, path, writer: {"class": cls.__name__},
        _network_class,
    ),
)
