"""Generators in files: weights in half precision, and a model card that names the architecture."""

import json
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from sklearn_flipad.zoo import architectures, stylegan2, table_networks
from sklearn_flipad.zoo.files.weights import differing_shapes

__all__ = ["build_generator", "file_of", "floating", "load_generator", "read_card"]

_CLASSES = {
    name: getattr(module, name)
    for module in (architectures, stylegan2, table_networks)
    for name in module.__all__
}
#: Weights that are named in a message.
_MAX_LISTED = 3


def load_generator(stem):
    """Generator in the files ``<stem>.json`` and ``<stem>.safetensors``, in eval mode, on the CPU.

    Its weights are in single precision and have no gradients.
    """
    card, weights = file_of(stem, ".json"), file_of(stem, ".safetensors")
    try:
        tensors = safetensors.torch.load(weights.read_bytes())
    except SafetensorError as error:
        raise ValueError(
            f"{weights} is not a complete safetensors file ({error}). Copy it again from its "
            "source."
        ) from error
    return build_generator(read_card(card), tensors, card, weights)


def file_of(stem, suffix):
    """Path of one of a generator's files."""
    # Not by with_suffix: what follows a dot in the stem would be lost.
    return Path(f"{stem}{suffix}")


def read_card(path):
    """Content of a model card, a dict."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not a model card: it is not valid JSON ({error}). Copy it again from its "
            "source."
        ) from error


def build_generator(card, tensors, card_source, weights_source):
    """Generator of a model card with its weights; messages name the two sources."""
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
    other = differing_shapes(tensors, floating(state))
    if other:
        listed = ", ".join(
            f"{key} ({found} instead of {expected})"
            for key, (found, expected) in list(other.items())[:_MAX_LISTED]
        )
        raise ValueError(
            f"The weights of {weights_source} are not those of the {name} that {card_source} "
            f"describes: {listed}{' and others' if len(other) > _MAX_LISTED else ''}."
        )
    # Counters of batches seen are not floats and not needed.
    generator.load_state_dict({**state, **{key: part.float() for key, part in tensors.items()}})
    return generator.eval().requires_grad_(False)


def floating(state):
    """Tensors of a state dict that hold floats."""
    return {name: value for name, value in state.items() if value.is_floating_point()}
