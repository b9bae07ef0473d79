"""Checkpoints: whole files, written by one training at a time, read by that training only."""

import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from benchmarks.zoo.settings import compare_settings
from sklearn_flipad.storage.files import remove_partials, write_atomically

__all__ = ["locked", "read_checkpoint", "write_checkpoint"]

_FORMAT = "sklearn_flipad.train_gan"
_VERSION = 1
#: Lines of a message about settings that differ.
_MAX_LINES = 10


@contextmanager
def locked(path):
    """Hold a checkpoint for one training alone; yield its path with symbolic links resolved.

    The lock is the operating system's, on a file ``<path>.lock`` that stays behind empty: when a
    process ends, however it ends, its lock is gone.
    """
    path = Path(path).resolve()  # two names of one file are one checkpoint
    if path.is_dir():
        raise ValueError(f"checkpoint must be the path of a file, but {path} is a folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RuntimeError(
            f"The checkpoint {path} is in use by another training. Wait until that has ended, "
            "or stop it; or give this training a checkpoint path of its own."
        ) from None
    try:
        remove_partials(path)
        yield path
    finally:
        lock.release()


def write_checkpoint(path, settings, state):
    """Write a checkpoint that appears whole or not at all.

    `state` has ``networks`` and ``optimizers``, state dicts by name; ``rng``, the state of the
    CPU's random numbers; and ``history``, the losses of each epoch.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "torch": _torch_version(),
        "settings": settings,
        **state,
    }
    write_atomically(path, lambda file: torch.save(content, file))


def read_checkpoint(path, settings, networks, n_epochs):
    """State in a checkpoint, on the CPU, once it is known to fit a training.

    Nothing is changed: `networks` are only compared with the stored weights, and `settings` with
    the stored ones. Another version of torch, which can differ in the last digits, is warned of.
    """
    state = _read(path)
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise ValueError(
            f"{path} exists, but is not a checkpoint of train_gan. Give another checkpoint path."
        )
    if state.get("version") != _VERSION:
        raise ValueError(
            f"The checkpoint {path} has format {state.get('version')}, and only format {_VERSION} "
            "can be read. Continue with the version of sklearn_flipad that wrote it, or give "
            "another checkpoint path to train from the start."
        )
    try:
        lines = compare_settings(state["settings"], settings)
        n_done = len(state["history"])
        if not lines:
            _check_fits(state, networks)
    except Exception as error:  # a damaged state can have any form
        raise ValueError(_damaged(path, error)) from error
    if lines:
        more = [f"and {len(lines) - _MAX_LINES} more"] if len(lines) > _MAX_LINES else []
        listed = "\n  ".join([*lines[:_MAX_LINES], *more])
        raise ValueError(
            f"The checkpoint {path} is that of a training with other settings:\n  {listed}\n"
            "Continue with the stored settings, or give this training another checkpoint path."
        )
    if n_done > n_epochs:
        raise ValueError(
            f"The checkpoint {path} holds {n_done} epochs, more than n_epochs={n_epochs}. "
            f"Pass n_epochs={n_done} or more, or another checkpoint path."
        )
    if state["torch"] != _torch_version():
        warnings.warn(
            f"The checkpoint {path} was written with torch {state['torch']}, and this is torch "
            f"{_torch_version()}. The training continues, but its weights may differ slightly from "
            "those that either version alone would have given.",
            stacklevel=3,
        )
    return state


def _torch_version():
    # Builds of one version for different devices do not differ.
    return torch.__version__.partition("+")[0]


def _read(path):
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load does not look at the checksums
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} does not match its checksum")
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file can fail in any way
        raise ValueError(_damaged(path, error)) from error


def _damaged(path, error):
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"{path} is not a checkpoint, or is damaged ({reason}). Give another checkpoint path, or "
        "delete the file, to train from the start."
    )


def _check_fits(state, networks):
    """Raise an error if a part of the state cannot be loaded."""
    if not isinstance(state["torch"], str):
        raise ValueError("it does not name a version of torch")
    for name, network in networks.items():
        _check_same_tensors(network.state_dict(), state["networks"][name])
        optimizer = state["optimizers"][name]
        parameters = list(network.parameters())
        (group,) = optimizer["param_groups"]
        if group["params"] != list(range(len(parameters))):
            raise ValueError(f"the optimizer of the {name} has other parameters")
        for index, moments in optimizer["state"].items():
            averages = {k: v for k, v in moments.items() if k != "step"}
            _check_same_tensors(dict.fromkeys(averages, parameters[index]), averages)
    torch.Generator().set_state(state["rng"])
    if not all({"discriminator", "generator"} == set(losses) for losses in state["history"]):
        raise ValueError("the history is not one of losses")


def _check_same_tensors(expected, found):
    if expected.keys() != found.keys():
        raise ValueError(f"it lacks or adds {sorted(expected.keys() ^ found.keys())}")
    for name, value in expected.items():
        if isinstance(value, torch.Tensor) and (
            value.shape != found[name].shape or value.dtype != found[name].dtype
        ):
            raise ValueError(f"{name} has another shape or type")
