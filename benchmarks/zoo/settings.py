"""Settings that decide the result of a training."""

import hashlib
import re

import numpy as np
import torch
from sklearn.utils import gen_batches

__all__ = ["compare_settings", "training_settings"]


def training_settings(networks, X, labels, objective, **values):
    """Describe a training by strings, numbers, tuples and None, to be stored and compared.

    Of the networks, layers and the shapes of weights count, but not the weights; of the samples and
    labels, a digest; of the objective its ``repr``, without addresses in memory.
    """
    settings = {
        **values,
        "objective": _without_addresses(repr(objective)),
        "X": _digest(X),
        "labels": None if labels is None else _digest(labels),
    }
    for name, network in networks.items():
        for path, module in network.named_modules():
            layer = f"{type(module).__qualname__}({module.extra_repr()})"
            settings[f"{name}.{path}".rstrip(".")] = _without_addresses(layer)
        for path, value in network.state_dict(keep_vars=True).items():
            settings[f"{name}.{path}"] = _describe(value)
    return settings


def compare_settings(stored, given):
    """Lines that say in which settings two trainings differ, with both values."""
    names = [*given, *(name for name in stored if name not in given)]
    return [
        f"{name}: {stored.get(name, 'absent')} in the checkpoint, {given.get(name, 'absent')} given"
        for name in names
        if name not in stored or name not in given or stored[name] != given[name]
    ]


def _digest(array):
    sha = hashlib.sha256()
    for rows in gen_batches(len(array), 1000):  # in parts, since it may be a memory map
        sha.update(np.ascontiguousarray(array[rows]))
    return f"{array.dtype} {array.shape}, SHA-256 {sha.hexdigest()[:16]}"


def _describe(value):
    if not isinstance(value, torch.Tensor):
        return type(value).__qualname__
    frozen = ", frozen" if isinstance(value, torch.nn.Parameter) and not value.requires_grad else ""
    return f"{value.dtype} {tuple(value.shape)}{frozen}"


def _without_addresses(text):
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
