"""A generator from its code and its weights."""

from textwrap import shorten

import torch
from torch import nn

from sklearn_flipad.base.modules import evaluating, unwrap
from sklearn_flipad.cli.imports import call, import_object
from sklearn_flipad.storage.checkpoints import fitting_parts, read_checkpoint, states_in
from sklearn_flipad.storage.files import printable

__all__ = ["latent_shape_of", "load_generator"]

#: State dicts that are named in a message.
_MAX_LISTED = 8


def load_generator(name, *, weights=None, weights_key=None, arguments=None, tell=None):
    """Generator from a name or from code, with its weights, in eval mode on the CPU.

    `name` is one of a shipped generator, or where a class, a function or a module is. `weights_key`
    names a state dict, or a prefix of its names, in a file of several; `arguments` is a JSON
    object. `tell` is called with a text if only a part of the file is the generator's.
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
        where, state = _fitting(_read(weights), generator, weights, weights_key)
        if where and tell is not None:
            tell(f"weights: {printable(where)} in {printable(weights.name)}")
        _give(generator, state, weights)
    return generator.eval().requires_grad_(False)


def _read(path):
    try:
        return read_checkpoint(path)
    except ValueError as error:
        advice = " Load it where you trust it, and save its state_dict() alone."
        advice = advice if "holds something else than tensors" in str(error) else ""
        raise ValueError(f"{error}.{advice}") from error


def _fitting(content, generator, path, key):
    """The one state dict in a file that is the generator's, and where it is in the file."""
    states, expected = dict(states_in(content)), generator.state_dict()
    if not states:
        raise ValueError(f"{printable(path)} holds no state dict, a dict of names and tensors.")
    fitting = fitting_parts(states, expected)
    # Of other shapes, so that loading them says which.
    alike = fitting or fitting_parts(states, expected, shapes=False)
    if key is not None:
        named = {name: part for name, part in alike.items() if f".{name}".endswith(f".{key}")}
        if not named:
            named = {name: part for name, part in alike.items() if name.startswith(f"{key}.")}
        if not named and key in states:
            named = {key: states[key]}
        if not named:
            raise ValueError(
                f"{printable(path)} holds no state dict {key!r}, but "
                f"{_listed({**alike, **states})}."
            )
        alike = named
    if not alike and len(states) == 1:
        alike = states
    if len(alike) == 1:
        return next(iter(alike.items()))
    if alike:
        raise ValueError(
            f"{printable(path)} holds the state dicts {_listed(alike)}, and several of them fit: "
            "pass --weights-key."
        )
    raise ValueError(
        f"{printable(path)} holds the state dicts {_listed(states)}, and none of them fits the "
        "generator: build it with the arguments with which it was trained, or pass --weights-key."
    )


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
