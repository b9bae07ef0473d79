"""State dicts from local files, without unpickling anything."""

import pickle

import safetensors.torch
import torch
from safetensors import SafetensorError

__all__ = ["differing_shapes", "read_weights"]


def read_weights(path, part, advice):
    """State dict of a generator in a safetensors or torch file, without ``DataParallel``'s prefix.

    Checkpoints of several networks keep it under the key `part`. `advice` ends the message about
    files that would have to be unpickled.
    """
    try:
        if path.suffix == ".safetensors":
            content = safetensors.torch.load(path.read_bytes())
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} is not a file of weights alone ({str(error).splitlines()[0]}). {advice}"
        ) from error
    if isinstance(content, dict):
        content = content.get(part, content)
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        raise ValueError(f"{path} holds no state dict of a generator.")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def differing_shapes(state, expected):
    """Keys of state dicts whose shapes differ, with both shapes, or ``"absent"`` for a shape."""
    found = {key: tuple(value.shape) for key, value in state.items()}
    wanted = {key: tuple(value.shape) for key, value in expected.items()}
    shapes = {
        key: (found.get(key, "absent"), wanted.get(key, "absent")) for key in {**wanted, **found}
    }
    return {key: pair for key, pair in shapes.items() if pair[0] != pair[1]}
