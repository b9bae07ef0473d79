"""Digests of weights, which identify a model."""

import numpy as np
import torch

from sklearn_flipad.storage.arrays import content_digest

__all__ = ["weights_digest"]


def weights_digest(module):
    """Compute the SHA-256 of the weights and buffers of a torch module.

    The owner of a model can compare it with the digest in a report. It does not depend on the
    device, the order of the weights, or the file that they came from. It changes with any bit of a
    weight, with a name and with a type.

    Parameters
    ----------
    module : torch.nn.Module
        The generator.

    Returns
    -------
    str
        Hexadecimal digest of the names, types, shapes and values in its ``state_dict``.

    Examples
    --------
    >>> from sklearn_flipad.report import weights_digest
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> digest = weights_digest(load_pretrained("fashion/dcgan-0"))
    >>> digest == weights_digest(load_pretrained("fashion/dcgan-0"))
    True
    >>> digest == weights_digest(load_pretrained("fashion/dcgan-1"))
    False
    """
    arrays, types = {}, {}
    for name, value in module.state_dict().items():
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().contiguous()
            types[name] = [str(value.dtype), list(value.shape)]
            value = value.reshape(-1).view(torch.uint8).numpy()  # numpy lacks some types
        else:
            value = np.frombuffer(repr(value).encode(), np.uint8)
        arrays[name] = value
    return content_digest(arrays, types)
