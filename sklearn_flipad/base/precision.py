"""Arithmetic in the precision that a tensor's type promises."""

import threading
from contextlib import contextmanager

import torch

__all__ = ["full_precision", "plain_defaults"]

#: Torch has one set of these settings in a process: the first block that is entered changes
#: them, and the last that is left restores them.
_LOCK = threading.Lock()
_N_ACTIVE = 0
_BEFORE = None


@contextmanager
def full_precision():
    """Float32 that is computed as float32, and the same result each time.

    On CUDA, torch rounds what enters a convolution to 10 bits unless it is told otherwise
    (TensorFloat-32), about a thousandth, which is more than the rounding of a sample to gray
    levels. Within the block that, the like for matrix products, autocast and algorithms whose
    result changes from call to call are switched off. A generator that switches autocast on
    itself still has it.
    """
    _enter()
    try:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        _leave()


@contextmanager
def plain_defaults():
    """New tensors and layers are float32 and on the CPU, whatever the caller has set.

    The type is one for the process, so this is for the making of networks under the lock of
    :func:`~sklearn_flipad.base.randomness.seeded`.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


def _enter():
    global _N_ACTIVE, _BEFORE
    with _LOCK:
        if not _N_ACTIVE:
            _BEFORE = _settings()
            _apply(["ieee"] * len(_operations()), False, "highest", True, False)
        _N_ACTIVE += 1


def _leave():
    global _N_ACTIVE
    with _LOCK:
        _N_ACTIVE -= 1
        if not _N_ACTIVE:
            _apply(*_BEFORE)


def _operations():
    backends = torch.backends
    parts = [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn]
    return [*parts, backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn]


def _settings():
    cudnn = torch.backends.cudnn
    precisions = [operation.fp32_precision for operation in _operations()]
    try:
        tf32 = cudnn.allow_tf32
    except RuntimeError:  # the user has set the precision of one kind of operation alone
        tf32 = None
    matmul = torch.get_float32_matmul_precision()
    return precisions, tf32, matmul, cudnn.deterministic, cudnn.benchmark


def _apply(precisions, tf32, matmul, deterministic, benchmark):
    # Both ways to set them: where they contradict each other, torch refuses to read either.
    cudnn = torch.backends.cudnn
    if tf32 is not None:
        cudnn.allow_tf32 = tf32
    torch.set_float32_matmul_precision(matmul)
    for operation, precision in zip(_operations(), precisions, strict=True):
        operation.fp32_precision = precision
    cudnn.deterministic, cudnn.benchmark = deterministic, benchmark
