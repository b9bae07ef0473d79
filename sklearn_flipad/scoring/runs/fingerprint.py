"""Digests of estimators that are the same in every process."""

import hashlib
import types
from functools import partial

import numpy as np
import torch
from scipy import sparse
from skorch import NeuralNet

__all__ = ["fingerprint"]

_ATOMS = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), torch.dtype)
_CODE = (types.FunctionType, types.BuiltinFunctionType, np.ufunc)


def fingerprint(value):
    """SHA-256 of an estimator's class, parameters and fitted state, hexadecimal.

    Equal objects have equal digests, whether they were fitted twice, copied or sent to another
    process: pickles and what hashes them differ by which parts are shared. TypeError if a part
    cannot be pickled.
    """
    return _Digester().digest(value).hex()


class _Digester:
    def __init__(self):
        self._known = {}  # by id, with the object, so that no other one gets its id
        self._open = []

    def digest(self, value):
        if isinstance(value, _ATOMS):
            return _hashed(type(value).__name__, repr(value).encode())
        key = id(value)
        if key in self._known:
            return self._known[key][0]
        if key in self._open:  # a cycle: how far up it leads
            return _hashed("cycle", str(len(self._open) - self._open.index(key)).encode())
        self._open.append(key)
        found = _hashed(*self._parts(value))
        self._open.pop()
        self._known[key] = found, value
        return found

    def _parts(self, value):
        """Kind and content of anything but atoms, as bytes."""
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(value))
        if isinstance(value, torch.Tensor):
            array = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            return "tensor", f"{value.dtype}{tuple(value.shape)}".encode(), array.tobytes()
        if sparse.issparse(value):
            coo = value.tocoo()
            return type(value).__name__, *map(self.digest, (coo.shape, coo.row, coo.col, coo.data))
        if isinstance(value, dict):
            items = ((self.digest(k), self.digest(v)) for k, v in value.items())
            return type(value).__qualname__, *(part for item in sorted(items) for part in item)
        if isinstance(value, list | tuple) and type(value).__reduce_ex__ is object.__reduce_ex__:
            return type(value).__qualname__, *map(self.digest, value)
        if isinstance(value, set | frozenset):
            return type(value).__qualname__, *sorted(map(self.digest, value))
        if isinstance(value, type):
            return "class", _name(value)
        if isinstance(value, _CODE):
            # What a function does may change under the same name.
            cells = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
            names = ("__code__", "__defaults__", "__kwdefaults__")
            parts = [*(getattr(value, name, None) for name in names), cells]
            return "function", _name(value), *map(self.digest, parts)
        if isinstance(value, types.CodeType):
            return "code", value.co_code, *map(self.digest, (value.co_names, value.co_consts))
        if isinstance(value, partial):
            return "partial", *map(self.digest, (value.func, value.args, value.keywords))
        if isinstance(value, NeuralNet):  # the rest are times, and seeds that scoring draws
            names = [f"{name}_" for name in (*value._modules, *value._criteria)]
            return "net", _name(type(value)), *(self.digest(getattr(value, n)) for n in names)
        if isinstance(value, types.MethodType):
            return "method", self.digest(value.__self__), value.__name__.encode()
        return self._object(value)

    def _array(self, array):
        head = f"{array.dtype.str}{array.shape}".encode()
        if array.dtype.names:  # bytes between the fields may be anything
            return "records", head, *(self.digest(array[name]) for name in array.dtype.names)
        if array.dtype.hasobject:
            return "objects", head, *map(self.digest, array.ravel().tolist())
        return "array", head, np.ascontiguousarray(array).tobytes()

    def _object(self, value):
        """Kind and content of an object, by what pickle would store."""
        reduced = value.__reduce_ex__(4)
        if isinstance(reduced, str):
            return "name", _name(type(value)), reduced.encode()
        build, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        parts = build, arguments, state, list(items or ()), dict(pairs or ())
        return "object", _name(type(value)), *map(self.digest, parts)


def _name(value):
    module = getattr(value, "__module__", None)
    return f"{module}.{getattr(value, '__qualname__', repr(value))}".encode()


def _hashed(kind, *parts):
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
