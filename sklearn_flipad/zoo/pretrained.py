"""Saving generators of the zoo and loading those that are part of the package.

A generator is three files: its weights (safetensors, half precision), its model card
(JSON), which names the architecture, and a grid of its samples (PNG).
"""

import json
from importlib.resources import files

import safetensors.torch

from sklearn_flipad.persistence.arrays import write_atomically
from sklearn_flipad.sampling import sample
from sklearn_flipad.zoo import architectures
from sklearn_flipad.zoo.grids import N_SAMPLES, load_grid, save_grid

__all__ = [
    "list_pretrained",
    "load_generator",
    "load_pretrained",
    "pretrained_card",
    "pretrained_samples",
    "save_generator",
]


def save_generator(generator, card, stem):
    """Write a generator's weights in half precision, its model card and its samples.

    The samples are those of the weights as saved, for the latents of seed 0.

    Parameters
    ----------
    generator : torch.nn.Module
        An image generator with outputs in [-1, 1].
    card : dict
        JSON values; ``card["generator"]`` is a pair of the name of a class in
        :mod:`sklearn_flipad.zoo` and its parameters.
    stem : pathlib.Path
        Path of the three files without their suffixes.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: value.half().contiguous().cpu()
        for name, value in generator.state_dict().items()
        if value.is_floating_point()
    }
    write_atomically(stem.with_suffix(".safetensors"), safetensors.torch.save(tensors))
    write_atomically(stem.with_suffix(".json"), (json.dumps(card, indent=1) + "\n").encode())
    samples = sample(load_generator(stem), N_SAMPLES, random_state=0)
    save_grid(samples, stem.with_suffix(".png"))


def load_generator(stem):
    """Read a generator that :func:`save_generator` wrote.

    Parameters
    ----------
    stem : pathlib.Path
        Path of the files without their suffixes.

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
    """Model card of a shipped generator: architecture, data, seed, command, losses, quality.

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


def pretrained_samples(name):
    """The grid of samples that was stored with a shipped generator when it was trained.

    ``sample(load_pretrained(name), 16, random_state=0)`` gives them again: bit for bit with
    the version of torch on the card and the same kind of processor, within one grey level
    elsewhere.

    Parameters
    ----------
    name : str
        One of :func:`list_pretrained`.

    Returns
    -------
    ndarray of uint8, shape (16, channels, height, width)

    Raises
    ------
    ValueError
        If there is no such generator.
    """
    return load_grid(_stem(name).with_suffix(".png"))
