"""State dicts from local files, without unpickling anything."""

import pickle

import safetensors.torch
import torch
from safetensors import SafetensorError

__all__ = ["read_weights"]


def read_weights(path, part, advice):
    """The state dict of a generator in a file.

    Parameters
    ----------
    path : pathlib.Path
        A safetensors file, or one that ``torch.load(..., weights_only=True)`` reads.
    part : str
        Key under which checkpoints of several networks keep the generator's.
    advice : str
        What to do with a file that would have to be unpickled, a sentence.

    Returns
    -------
    dict of str to torch.Tensor
        Without the prefix of ``DataParallel``.

    Raises
    ------
    ValueError
        If the file is damaged, would have to be unpickled, or holds no state dict.
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
