"""State dicts from local files, without unpickling anything."""

import torch

from sklearn_flipad.storage.checkpoints import read_checkpoint

__all__ = ["differing_shapes", "read_weights"]


def read_weights(path, part, advice):
    """State dict of a generator in a safetensors or torch file, without prefixes of wrappers.

    Checkpoints of several networks keep it under the key `part`. `advice` ends the message about
    files that would have to be unpickled.
    """
    try:
        content = read_checkpoint(path)
    except ValueError as error:
        raise ValueError(f"{path} is not a file of weights alone ({error}). {advice}") from error
    if isinstance(content, dict):
        content = content.get(part, content)
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        raise ValueError(f"{path} holds no state dict of a generator.")
    return {_without_wrappers(str(key)): value for key, value in content.items()}


def _without_wrappers(name):
    for prefix in ("module.", "_orig_mod."):
        name = name.removeprefix(prefix)
    return name


def differing_shapes(state, expected):
    """Keys of state dicts whose shapes differ, with both shapes, or ``"absent"`` for a shape."""
    found = {key: tuple(value.shape) for key, value in state.items()}
    wanted = {key: tuple(value.shape) for key, value in expected.items()}
    shapes = {
        key: (found.get(key, "absent"), wanted.get(key, "absent")) for key in {**wanted, **found}
    }
    return {key: pair for key, pair in shapes.items() if pair[0] != pair[1]}
