"""A generator from its code and its weights."""

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from sklearn_flipad.base.modules import evaluating, unwrap
from sklearn_flipad.cli.imports import call, import_object
from sklearn_flipad.storage.files import check_regular, printable

__all__ = ["latent_shape_of", "load_generator"]

#: Names that wrappers put in front of all others.
_PREFIXES = ("module.", "_orig_mod.")
#: How deep state dicts may lie in a file, and how many are named in a message.
_MAX_DEPTH = 3
_MAX_LISTED = 8


def load_generator(name, *, weights=None, weights_key=None, arguments=None):
    """Generator from a name or from code, with its weights, in eval mode on the CPU.

    `name` is one of a shipped generator, or where a class, a function or a module is. `weights_key`
    names a state dict in a file of several; `arguments` is a JSON object.
    """
    from sklearn_flipad.zoo import list_pretrained, load_pretrained

    if name in list_pretrained():
        generator, has_weights = load_pretrained(name), True
    elif ":" not in name:
        raise ValueError(
            f"There is no generator {name!r}. Pass one of {', '.join(list_pretrained())}; or where "
            "its code is, as package.module:Generator or model.py:Generator."
        )
    else:
        thing = import_object(name, "a generator")
        # A function may load weights by itself, a class has random ones.
        has_weights = not isinstance(thing, type)
        generator = thing if isinstance(thing, nn.Module) else call(thing, name, arguments)
    generator = unwrap(generator).cpu()
    if weights is None and not has_weights:
        raise ValueError(
            f"{name} is a class, whose weights are random: pass --weights, or a function that "
            "returns the trained generator."
        )
    if weights is not None:
        _give(generator, _fitting(_read(weights), generator, weights, weights_key), weights)
    return generator.eval().requires_grad_(False)


def _read(path):
    check_regular(path)
    try:
        if Path(path).suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ValueError(f"{printable(path)} is no complete safetensors file: {error}.") from error
    except UnpicklingError as error:
        raise ValueError(
            f"{printable(path)} holds something else than tensors, which would run code when it is "
            "read, or is damaged. Load it where you trust it, and save its state_dict() alone."
            f"{_foreign(error)}"
        ) from error
    except (EOFError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{printable(path)} is no complete file of torch.save: {error}."
        ) from error


def _foreign(error):
    """Name of a class in a file that holds more than tensors, as a sentence, if torch tells it."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" (It names {found[1]}.)" if found else ""


def _fitting(content, generator, path, key):
    """The one state dict in a file that is the generator's."""
    states = dict(_states(content))
    if not states:
        raise ValueError(f"{printable(path)} holds no state dict, a dict of names and tensors.")
    if key is not None:
        if key not in states:
            raise ValueError(
                f"{printable(path)} holds no state dict {key!r}, but {_listed(states)}."
            )
        return states[key]
    if len(states) == 1:
        return next(iter(states.values()))
    shapes = _shapes(generator.state_dict())
    fitting = {name: state for name, state in states.items() if _shapes(state) == shapes}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    found = "several of them fit" if fitting else "none of them fits the generator"
    raise ValueError(
        f"{printable(path)} holds the state dicts {_listed(states)}, and {found}: pass "
        "--weights-key."
    )


def _states(content, path=(), depth=0):
    """State dicts by their keys in nested dicts."""
    if not isinstance(content, Mapping) or depth > _MAX_DEPTH:
        return
    tensors = {k: v for k, v in content.items() if isinstance(v, torch.Tensor)}
    if tensors and len(tensors) == len(content):
        yield ".".join(path), _without_prefix(content)
        return
    for key, part in content.items():
        yield from _states(part, (*path, str(key)), depth + 1)


def _without_prefix(state):
    for prefix in _PREFIXES:
        if all(str(name).startswith(prefix) for name in state):
            return {name.removeprefix(prefix): value for name, value in state.items()}
    return dict(state)


def _shapes(state):
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _listed(states):
    names = [printable(name) for name in states]
    return ", ".join(names[:_MAX_LISTED]) + (" and others" if names[_MAX_LISTED:] else "")


def _give(generator, state, path):
    try:
        generator.load_state_dict(state)
    except RuntimeError as error:
        reasons = " ".join(line.strip() for line in str(error).splitlines()[1:4])
        reasons = shorten(reasons, 500, placeholder="...")
        raise ValueError(
            f"The weights of {printable(path)} are not those of this {type(generator).__name__}: "
            f"{reasons} Build it with the arguments with which it was trained."
        ) from error


def latent_shape_of(generator):
    """Shape of a latent, told from the first layer; None if the generator says it itself."""
    if hasattr(type(generator), "sampler") or getattr(generator, "latent_shape", None) is not None:
        return None
    first = next((m for m in generator.modules() if any(True for _ in m.parameters(False))), None)
    shape = None
    if isinstance(first, nn.Linear):
        shape = (first.in_features,)
    elif isinstance(first, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        shape = (first.in_channels,) + (1,) * (first.weight.ndim - 2)
    if shape is not None:
        try:
            with evaluating(generator):
                generator(torch.zeros(2, *shape))
        except Exception:
            shape = None
    if shape is None:
        raise ValueError(
            f"The shape of a latent of {type(generator).__name__} cannot be told from its first "
            "layer: pass --latent-shape, for example 100,1,1; or --sampler, where its inputs are "
            "not normal."
        )
    return shape
