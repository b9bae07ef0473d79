"""Torch modules as weights and a way to build them, without code from a file."""

import copy
import inspect
from importlib import import_module

import numpy as np
import torch
from torch import nn

__all__ = [
    "build",
    "check_output",
    "check_state",
    "describe",
    "fill",
    "how_to_write",
    "import_path",
    "state_of",
]

_ZOO = "sklearn_flipad.zoo.architectures"
#: Largest difference between outputs, as a part of the largest output, that other processors and
#: versions of torch may bring about.
_TOLERANCE = 1e-4


def import_path(thing):
    """Where the code of a class, a function or an object is, as ``package.module:name``."""
    if not hasattr(thing, "__qualname__"):
        thing = type(thing)
    return f"{getattr(thing, '__module__', None)}:{thing.__qualname__}"


def how_to_write(thing):
    """How a user might write an object whose code is imported; ``...`` where that is not known."""
    cls = type(thing)
    if isinstance(thing, nn.Module):
        parameters = inspect.signature(cls).parameters.values()
        if any(parameter.default is parameter.empty for parameter in parameters):
            return f"lambda: {cls.__name__}(...)"
        return cls.__name__
    name = getattr(thing, "__qualname__", "")
    return name if name.isidentifier() else "..."


def state_of(module):
    """Parameters and buffers as arrays.

    Raises
    ------
    ValueError
        If one is of a type that arrays do not have.
    """
    state = {}
    for name, tensor in module.state_dict().items():
        is_array = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided
        if not is_array or tensor.is_complex() or tensor.dtype == torch.bfloat16:
            what = getattr(tensor, "dtype", type(tensor).__name__)
            raise ValueError(
                f"{name!r} of {type(module).__name__} is {what}; only plain tensors of integers "
                "and of floats of 16, 32 and 64 bits are stored. Pass a copy, "
                "copy.deepcopy(module).float(), when the attributor is made"
            )
        state[name] = tensor.detach().cpu().numpy()
    return state


def describe(module, name_object, default=None):
    """How to build a module, as JSON values.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    name_object : callable
        ``name_object(module)`` is the name under which the user will be asked for it.
    default : list, default=None
        Arguments of the library's own encoder network, if it is one.
    """
    if default is not None:
        return {"encoder_network": default}
    if type(module).__module__ == _ZOO:
        arguments = {key: _as_json(value) for key, value in module.arguments.items()}
        description = {"zoo": type(module).__name__, "arguments": arguments}
        if _is_as_built(module, description):
            return description
    return {"object": name_object(module)}


def _is_as_built(module, description):
    """Whether a generator is what its constructor makes of its arguments, but for its weights."""
    try:
        rebuilt = build(description, state_of(module), {})
    except (TypeError, ValueError):
        return False
    return repr(rebuilt) == repr(module)


def build(description, state, objects):
    """The module of a description, with its weights, in eval mode and without gradients.

    Parameters
    ----------
    description : dict
        What :func:`describe` returned.
    state : dict of str to ndarray
        Parameters and buffers.
    objects : dict of str to object
        What the user passed.
    """
    match description:
        case {"zoo": str(name), "arguments": dict(arguments)}:
            known = import_module(_ZOO)
            if name not in known.__all__:
                raise ValueError(f"{name[:100]!r} is no generator of sklearn_flipad.zoo")
            arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
            # Without memory, so that a file cannot ask for more than it brings.
            with torch.device("meta"):
                module = getattr(known, name)(**arguments)
            return fill(module, state, name, assign=True)
        case {"encoder_network": [list(sample_shape), int(n_outputs)]}:
            from sklearn_flipad.reproduction.encoding.networks import make_encoder_network

            with torch.device("meta"):
                module = make_encoder_network(tuple(sample_shape), n_outputs)
            return fill(module, state, "the encoder's network", assign=True)
        case {"object": str(name)}:
            return fill(_from_user(name, objects[name]), state, f"objects[{name!r}]")
    raise ValueError("a network has no valid description")


def check_state(module, state, name):
    """Refuse weights of other names, shapes or types than a module has."""
    found = {key: (value.shape, str(value.dtype)) for key, value in state.items()}
    expected = {
        key: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for key, tensor in module.state_dict().items()
        if isinstance(tensor, torch.Tensor)
    }
    if found != expected:
        other = next(k for k in {**expected, **found} if found.get(k) != expected.get(k))
        raise ValueError(
            f"the stored weights are not those of {name}: {other} is stored as "
            f"{found.get(other, 'nothing')}, and should be {expected.get(other, 'absent')}. Build "
            "it with the class and the arguments with which the stored one was built"
        )


def fill(module, state, name, assign=False):
    """A module given its weights, in eval mode and without gradients."""
    check_state(module, state, name)
    # Copies, so that they are aligned as torch aligns its tensors.
    tensors = {key: torch.from_numpy(np.array(value)).clone() for key, value in state.items()}
    module.load_state_dict(tensors, strict=True, assign=assign)
    return module.eval().requires_grad_(False)


def check_output(found, expected, name):
    """Refuse a module that makes something else of the same inputs than when it was stored."""
    expected = np.asarray(expected)
    scale = np.abs(expected).max(initial=0.0)
    if found.shape == expected.shape and np.abs(found - expected).max() <= _TOLERANCE * scale:
        return
    raise ValueError(
        f"{name} returns something else than what was stored: its weights are the same, but its "
        "code is not, or what it was built with. Use the code with which the attributor was fitted"
    )


def _from_user(name, given):
    if not isinstance(given, nn.Module):
        try:
            given = given()
        except TypeError as error:
            raise ValueError(
                f"objects[{name!r}] cannot be called without arguments ({error}). Pass a module "
                "that was built with the right ones, or a function without arguments that builds it"
            ) from error
        if not isinstance(given, nn.Module):
            raise ValueError(f"objects[{name!r}] returned {type(given).__name__}, no torch module")
        return given
    try:
        return copy.deepcopy(given)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"objects[{name!r}] cannot be copied ({error}). Pass a function without arguments that "
            "builds it"
        ) from error


def _as_json(value):
    return list(value) if isinstance(value, tuple) else value
