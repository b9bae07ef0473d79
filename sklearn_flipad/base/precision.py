"""Arithmetic in the precision of a tensor's type."""

from contextlib import contextmanager

import torch

from sklearn_flipad.base.shared_settings import SharedSetting

__all__ = ["full_precision", "plain_defaults"]


@contextmanager
def full_precision():
    """Compute float32 as float32, with the same result each time.

    On CUDA, torch by default rounds the inputs of convolutions to 10 bits (TensorFloat-32), about
    a thousandth, which is more than rounding a sample to gray levels. Within the block that, its
    equivalent for matrix products, autocast and nondeterministic algorithms are off. A generator
    that turns autocast on itself still gets it.
    """
    autocast_off = torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False)
    with _SETTING.changed(), autocast_off[0], autocast_off[1]:
        yield


@contextmanager
def plain_defaults():
    """Create tensors and layers in float32 on the CPU, whatever defaults the caller has set.

    The default type is global, so networks are built under the lock of
    :func:`~sklearn_flipad.base.randomness.seeded`.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


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


def _apply_full_precision():
    _apply(["ieee"] * len(_operations()), False, "highest", True, False)


def _apply(precisions, tf32, matmul, deterministic, benchmark):
    # Set in both ways: if they contradict each other, torch refuses to read either.
    cudnn = torch.backends.cudnn
    if tf32 is not None:
        cudnn.allow_tf32 = tf32
    torch.set_float32_matmul_precision(matmul)
    for operation, precision in zip(_operations(), precisions, strict=True):
        operation.fp32_precision = precision
    cudnn.deterministic, cudnn.benchmark = deterministic, benchmark


_SETTING = SharedSetting(_settings, lambda before: _apply(*before), _apply_full_precision)
