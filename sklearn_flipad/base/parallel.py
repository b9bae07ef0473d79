"""Independent samples in threads of their own, where the machine is busy or operations small.

Torch's own threads meet after each operation, and spin until the last has come. On a quiet
machine that is the fastest way for large operations; small ones gain nothing. Where somebody else
needs the cores, it takes many times as long as the work. Threads that go their own way wait for
nobody.
"""

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from sklearn_flipad.base.precision import full_precision

__all__ = ["in_batches"]

#: Where Linux counts what runs at this moment, ourselves included.
_LOAD = "/proc/loadavg"
#: Looks at it, and seconds between them: torch's threads spin a little after their work.
_N_LOOKS = 5
_PAUSE = 2e-3

#: Uses of the pool under way, and the number of torch's threads before the first.
_LOCK = threading.Lock()
_N_ACTIVE = 0
_N_THREADS = 1


def in_batches(function, n_samples, *, batch_size, lanes=1, device=None, small=False):
    """Yield what a function makes of the samples of one batch after another.

    Parameters
    ----------
    function : callable
        Called with a slice of samples, without gradients and in full precision, perhaps in
        another thread. What it returns of a sample must not depend on the others.
    n_samples : int
        How many samples there are.
    batch_size : int
        Samples that are at most under way at a time.
    lanes : int, default=1
        Where threads share a batch, each gets a multiple of this, as far as that is possible.
    device : torch.device, default=None
        Where the function computes; the CPU by default. Elsewhere there is one thread.
    small : bool, default=False
        Whether the function's operations are too small for torch's threads, so that samples go
        their own ways on a quiet machine, too.

    Yields
    ------
    object
        What `function` returns, in order.
    """
    function = full_precision()(torch.no_grad()(function))
    batch_size = min(batch_size, n_samples)
    on_cpu = device is None or device.type == "cpu"
    n_workers = _n_torch_threads() if on_cpu else 1
    share = min(batch_size, -(-batch_size // (n_workers * lanes)) * lanes)
    n_workers = min(n_workers, batch_size // share)
    start = 0
    while start < n_samples:
        if n_workers > 1 and (small or _is_busy()):
            rest = _slices(start, n_samples, share)
            with _restored_threads():
                yield from _pooled(function, rest, n_workers)
            return
        rows = slice(start, min(start + batch_size, n_samples))
        yield function(rows)
        start = rows.stop


def _slices(start, stop, size):
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


def _is_busy():
    """Whether others run, now and in the next few milliseconds; where unknown, they might."""
    for look in range(_N_LOOKS):
        if look:
            time.sleep(_PAUSE)
        try:
            with open(_LOAD) as file:
                n_running = int(file.read().split()[3].partition("/")[0])
        except (OSError, ValueError, IndexError):
            return True
        if n_running <= 1:
            return False
    return True


def _n_torch_threads():
    with _LOCK:
        return _N_THREADS if _N_ACTIVE else torch.get_num_threads()


@contextmanager
def _restored_threads():
    """Leave torch's number of threads as it was before the first of concurrent uses.

    What a worker sets is the number that new threads begin with. So somebody who comes in
    between reads that of the workers, and must not put it back as the user's.
    """
    global _N_ACTIVE, _N_THREADS
    with _LOCK:
        if not _N_ACTIVE:
            _N_THREADS = torch.get_num_threads()
        _N_ACTIVE += 1
    try:
        yield
    finally:
        with _LOCK:
            _N_ACTIVE -= 1
            torch.set_num_threads(_N_THREADS)


def _pooled(function, jobs, n_workers):
    """Results of independent jobs in order, each with one of torch's threads."""
    pool = ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(1,))
    waiting = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(function, job))
            # No more jobs are under way than there are threads, so that memory stays flat.
            if len(waiting) >= n_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
