"""State dicts in files of weights: read without running code, found behind prefixes."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from re import search

import safetensors.torch
import torch
from safetensors import SafetensorError

from sklearn_flipad.storage.files import check_regular, printable

__all__ = ["fitting_parts", "read_checkpoint", "states_in"]

#: What torch.compile puts into the names of what it compiled, wherever that is.
_COMPILED = "_orig_mod."
#: Counters of batch normalization, which old files lack.
_COUNTER = "num_batches_tracked"
#: How deep state dicts may lie in a file.
_MAX_DEPTH = 3


def read_checkpoint(path):
    """Tensors in a safetensors file or one of torch.save, in dicts; ValueError if there is more."""
    check_regular(path)
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load(path.read_bytes())
        if _is_torchscript(path):
            raise ValueError(
                f"{printable(path)} is a TorchScript file, which holds code. Where you trust it, "
                "write its weights alone: torch.save(torch.jit.load(path).state_dict(), other_path)"
                ". Pass that file, and the generator's class"
            )
        return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ValueError(f"{printable(path)} is no complete safetensors file: {error}") from error
    except UnpicklingError as error:
        raise ValueError(
            f"{printable(path)} holds something else than tensors, which would run code when it is "
            f"read, or is damaged{_foreign(error)}"
        ) from error
    except (EOFError, KeyError, RuntimeError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"{printable(path)} is no complete file of torch.save: {lines[0]}") from (
            error
        )


def states_in(content, path=(), depth=0):
    """Yield the keys of nested dicts that lead to each state dict, joined by dots, and that."""
    if not isinstance(content, Mapping) or depth > _MAX_DEPTH:
        return
    if content and all(isinstance(value, torch.Tensor) for value in content.values()):
        yield ".".join(path), {str(name): value for name, value in content.items()}
        return
    for key, part in content.items():
        yield from states_in(part, (*path, str(key)), depth + 1)


def fitting_parts(states, expected, *, shapes=True):
    """Parts of state dicts that have the names of another, and its shapes, by where they are.

    Where a part is, is a key of `states`, a prefix of names in it, or both, joined by dots. Names
    of a part are those of `expected`.
    """
    wanted = {name.replace(_COMPILED, ""): name for name in expected}
    found = {}
    for key, state in states.items():
        state = {name.replace(_COMPILED, ""): tensor for name, tensor in state.items()}
        for prefix in _prefixes(state, wanted):
            behind = {
                name.removeprefix(prefix): tensor
                for name, tensor in state.items()
                if name.startswith(prefix)
            }
            part = _renamed(behind, wanted, expected, shapes)
            if part is not None:
                found[".".join(filter(None, (key, prefix.rstrip("."))))] = part
    if found or not (outer := _common_prefix(wanted)):
        return found
    # The generator is a wrapper of the module whose weights the file has.
    names = {name.removeprefix(outer): wanted[name] for name in wanted}
    inner = {name: expected[own] for name, own in names.items()}
    parts = fitting_parts(states, inner, shapes=shapes)
    return {
        where: {names[name]: tensor for name, tensor in part.items()}
        for where, part in parts.items()
    }


def _prefixes(state, wanted):
    """Prefixes before a wanted name in a state dict: empty, or with a dot at the end."""
    last = next((name for name in wanted if not name.endswith(_COUNTER)), None)
    if last is None:
        return []
    before = (name.removesuffix(last) for name in state if name.endswith(last))
    return [prefix for prefix in dict.fromkeys(before) if not prefix or prefix.endswith(".")]


def _renamed(part, wanted, expected, shapes):
    """A part by the names of `expected`, or None if it has others or other shapes."""
    names = [{name for name in some if not name.endswith(_COUNTER)} for some in (part, wanted)]
    if names[0] != names[1] or not set(part) <= set(wanted):
        return None
    part = {wanted[name]: tensor for name, tensor in part.items()}
    if shapes and any(tensor.shape != expected[name].shape for name, tensor in part.items()):
        return None
    return part


def _common_prefix(names):
    """The first component of all names with its dot, or an empty string."""
    first = {name.partition(".")[0] if "." in name else "" for name in names}
    return f"{first.pop()}." if len(first) == 1 and "" not in first else ""


def _is_torchscript(path):
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.partition("/")[2] == "constants.pkl" for name in archive.namelist())


def _foreign(error):
    """A class in a file that holds more than tensors, in parentheses, if torch names it."""
    found = search(r"GLOBAL ([\w.]+)", str(error))
    return f" (it names {found[1]})" if found else ""
