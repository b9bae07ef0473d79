"""The settings that decide the result of a training."""

import hashlib
import re

import numpy as np
import torch
from sklearn.utils import gen_batches

__all__ = ["compare_settings", "training_settings"]


def training_settings(networks, X, labels, objective, **values):
    """Describe a training by values that can be stored and compared.

    Parameters
    ----------
    networks : dict of str to torch.nn.Module
        The networks by name. Their layers and the shapes of their weights count, the
        weights themselves do not.
    X : ndarray, shape (n, ...)
        Training samples, of which a digest is kept.
    labels : ndarray, shape (n,), or None
        Their classes, likewise.
    objective : object
        Told by its ``repr``, without addresses in memory.
    **values
        Further settings: numbers or tuples of numbers.

    Returns
    -------
    dict
        Strings, numbers, tuples of numbers and None by name.
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
    """Say in which settings two trainings differ.

    Parameters
    ----------
    stored, given : dict
        What :func:`training_settings` returned for the one and the other.

    Returns
    -------
    list of str
        A line for each setting that differs, with both values.
    """
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
