"""Saving generators of the zoo and loading those that are part of the package.

A generator is three files: its weights (safetensors, half precision), its model card
(JSON), which names the architecture, and a few of its samples: a grid of images (PNG), or rows
of a table (CSV).
"""

import json
from importlib.resources import files
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.storage.arrays import write_atomically
from sklearn_flipad.zoo import architectures, stylegan2, table_networks
from sklearn_flipad.zoo.grids import N_SAMPLES, load_grid, load_rows, save_grid, save_rows

__all__ = [
    "list_pretrained",
    "load_generator",
    "load_pretrained",
    "pretrained_card",
    "pretrained_samples",
    "save_generator",
]

_CLASSES = {
    name: getattr(module, name)
    for module in (architectures, stylegan2, table_networks)
    for name in module.__all__
    if name.endswith("Generator")
}
#: Weights that are named in a message.
_MAX_LISTED = 3


def save_generator(generator, card, stem):
    """Write a generator's weights in half precision, its model card and its samples.

    The samples are those of the weights as saved, for the latents of seed 0. Nothing is
    written before the three files are known to belong together.

    Parameters
    ----------
    generator : torch.nn.Module
        A generator of images in [-1, 1], or of rows. Its class is one of
        :mod:`sklearn_flipad.zoo`.
    card : dict
        JSON values; ``card["generator"]`` is a pair of the name of a class in
        :mod:`sklearn_flipad.zoo` and its parameters.
    stem : path-like
        Path of the three files without their suffixes.

    Raises
    ------
    ValueError
        If `card` holds something else than JSON values, does not describe `generator`, or a
        weight is too large for half precision.
    """
    weights = _floating(generator.state_dict())
    tensors = {name: value.half().contiguous().cpu() for name, value in weights.items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has values that are not finite in half precision.")
    try:
        text = json.dumps(card, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"card must hold JSON values only: {error}.") from error
    saved = _assemble(json.loads(text), tensors, "card", "generator")
    is_table = len(saved.output_shape) == 1
    dtype = "float32" if is_table else "uint8"
    samples = sample(saved, N_SAMPLES, dtype=dtype, random_state=0)

    _file(stem, ".json").parent.mkdir(parents=True, exist_ok=True)
    write_atomically(_file(stem, ".safetensors"), safetensors.torch.save(tensors))
    if is_table:
        save_rows(samples, _file(stem, ".csv"))
    else:
        save_grid(samples, _file(stem, ".png"))
    write_atomically(_file(stem, ".json"), text.encode())


def load_generator(stem):
    """Read a generator that :func:`save_generator` wrote.

    Parameters
    ----------
    stem : path-like
        Path of the files without their suffixes.

    Returns
    -------
    torch.nn.Module
        In eval mode, in single precision, on the CPU.

    Raises
    ------
    ValueError
        If the card or the weights are damaged, or are not those of one generator.
    """
    card, weights = _file(stem, ".json"), _file(stem, ".safetensors")
    try:
        tensors = safetensors.torch.load(weights.read_bytes())
    except SafetensorError as error:
        raise ValueError(
            f"{weights} is not a complete safetensors file ({error}). Copy it again from its "
            "source."
        ) from error
    return _assemble(_read_card(card), tensors, card, weights)


def _file(stem, suffix):
    # Not by with_suffix: what follows a dot in the stem would be lost.
    return Path(f"{stem}{suffix}")


def _read_card(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not a model card: it is not valid JSON ({error}). Copy it again from its "
            "source."
        ) from error


def _assemble(card, tensors, card_source, weights_source):
    """Build the generator of a model card and give it its weights."""
    match card:
        case {"generator": [str(name), dict(params)]} if name in _CLASSES:
            pass
        case _:
            raise ValueError(
                f"{card_source} is not a model card: its entry 'generator' must be a pair of a "
                f"class, one of {', '.join(_CLASSES)}, and a dictionary of its parameters."
            )
    try:
        generator = _CLASSES[name](**params)
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        raise ValueError(f"{card_source} has parameters that {name} refuses: {error}") from error
    state = generator.state_dict()
    found = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    expected = {key: tuple(value.shape) for key, value in _floating(state).items()}
    if found != expected:
        other = [key for key in {**expected, **found} if found.get(key) != expected.get(key)]
        listed = ", ".join(
            f"{key} ({found.get(key, 'absent')} instead of {expected.get(key, 'absent')})"
            for key in other[:_MAX_LISTED]
        )
        raise ValueError(
            f"The weights of {weights_source} are not those of the {name} that {card_source} "
            f"describes: {listed}{' and others' if other[_MAX_LISTED:] else ''}."
        )
    # Counters of batches seen are not floats and not needed.
    generator.load_state_dict({**state, **{key: part.float() for key, part in tensors.items()}})
    return generator.eval().requires_grad_(False)


def _floating(state):
    return {name: value for name, value in state.items() if value.is_floating_point()}


def _stem(name):
    stem = files(__package__) / "weights" / name.replace("/", "-")
    if not _file(stem, ".json").is_file():
        raise ValueError(
            f"Unknown pretrained generator {name!r}; there are {', '.join(list_pretrained())}."
        )
    return stem


def list_pretrained(data=None):
    """Names of the generators that are part of the package.

    Parameters
    ----------
    data : {"fashion", "redwine"}, default=None
        What they were trained on; all by default.

    Returns
    -------
    list of str
        Names for :func:`load_pretrained`.

    Raises
    ------
    ValueError
        If no generator was trained on such data.
    """
    cards = (files(__package__) / "weights").glob("*.json")
    names = sorted(_read_card(card)["name"] for card in cards)
    known = sorted({name.partition("/")[0] for name in names})
    if data is not None and data not in known:
        raise ValueError(f"data must be one of {', '.join(known)}, got {data!r}.")
    return [name for name in names if data in (None, name.partition("/")[0])]


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
        ``output_shape``. Generators of tables make standardized columns;
        ``TablePreparer().fit(load_redwine())`` maps them to the units of the table and back.

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
    return _read_card(_file(_stem(name), ".json"))


def pretrained_samples(name):
    """The samples that were stored with a shipped generator when it was trained.

    ``sample(load_pretrained(name), 16, random_state=0)``, for a table with
    ``dtype="float32"``, gives them again: bit for bit with the version of torch on the card and
    the same kind of processor, within one gray level or rounding elsewhere.

    Parameters
    ----------
    name : str
        One of :func:`list_pretrained`.

    Returns
    -------
    ndarray of uint8, shape (16, channels, height, width), or of float32, shape (16, n_columns)

    Raises
    ------
    ValueError
        If there is no such generator.
    """
    rows = _file(_stem(name), ".csv")
    return load_rows(rows) if rows.is_file() else load_grid(_file(_stem(name), ".png"))
