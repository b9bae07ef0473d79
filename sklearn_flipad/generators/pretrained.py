"""Saving generators of the zoo and loading those that are part of the package.

A generator is two files: its weights (safetensors, half precision) and its model card
(JSON), which names the architecture.
"""

import json
import os
from importlib.resources import files

import safetensors.torch

from sklearn_flipad.generators import architectures

__all__ = [
    "list_pretrained",
    "load_generator",
    "load_pretrained",
    "pretrained_card",
    "save_generator",
]


def save_generator(generator, card, stem):
    """Write a generator's weights in half precision, and its model card.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    card : dict
        JSON values; ``card["generator"]`` is a pair of the name of a class in
        :mod:`sklearn_flipad.generators` and its parameters.
    stem : pathlib.Path
        Path of the two files without their suffixes.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: value.half().contiguous().cpu()
        for name, value in generator.state_dict().items()
        if value.is_floating_point()
    }
    for suffix, content in {
        ".safetensors": safetensors.torch.save(tensors),
        ".json": (json.dumps(card, indent=1) + "\n").encode(),
    }.items():
        partial = stem.with_suffix(suffix + ".partial")
        partial.write_bytes(content)
        os.replace(partial, stem.with_suffix(suffix))


def load_generator(stem):
    """Read a generator that :func:`save_generator` wrote.

    Parameters
    ----------
    stem : pathlib.Path
        Path of the two files without their suffixes.

    Returns
    -------
    torch.nn.Module
        In eval mode, in single precision, on the CPU.
    """
    name, params = json.loads(stem.with_suffix(".json").read_text())["generator"]
    generator = getattr(architectures, name)(**params)
    tensors = safetensors.torch.load(stem.with_suffix(".safetensors").read_bytes())
    weights = {name: tensor.float() for name, tensor in tensors.items()}
    # Counters of batches seen are not floats and not needed.
    generator.load_state_dict({**generator.state_dict(), **weights})
    return generator.eval().requires_grad_(False)


def _stem(name):
    stem = files(__package__) / "weights" / name.replace("/", "-")
    if not stem.with_suffix(".json").is_file():
        raise ValueError(
            f"Unknown pretrained generator {name!r}; there are {', '.join(list_pretrained())}."
        )
    return stem


def list_pretrained():
    """Names of the generators that are part of the package.

    Returns
    -------
    list of str
        Names for :func:`load_pretrained`.
    """
    cards = (files(__package__) / "weights").glob("*.json")
    return sorted(json.loads(card.read_text())["name"] for card in cards)


def load_pretrained(name):
    """Load a generator that is part of the package.

    Parameters
    ----------
    name : str
        One of :func:`list_pretrained`, as ``"fashion/dcgan-0"``.

    Returns
    -------
    torch.nn.Module
        The generator in eval mode, on the CPU, with attributes ``latent_shape`` and
        ``output_shape``.

    Raises
    ------
    ValueError
        If there is no such generator.
    """
    return load_generator(_stem(name))


def pretrained_card(name):
    """Model card of a shipped generator: architecture, data, seed, command, losses.

    Parameters
    ----------
    name : str
        One of :func:`list_pretrained`.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If there is no such generator.
    """
    return json.loads(_stem(name).with_suffix(".json").read_text())
