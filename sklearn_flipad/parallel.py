"""Independent jobs in threads, with one of torch's threads inside each."""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

__all__ = ["in_threads", "n_workers_on"]


#: Uses of :func:`in_threads` under way, and the number of torch's threads before the first.
_LOCK = threading.Lock()
_N_ACTIVE = 0
_N_THREADS = 1


def n_workers_on(device):
    """Threads that serve a device: as many as torch may use on a CPU, one elsewhere.

    Parameters
    ----------
    device : torch.device
        Where the jobs compute.

    Returns
    -------
    int
    """
    if device.type != "cpu":
        return 1
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


def in_threads(function, jobs, n_workers):
    """Yield the results of independent jobs, in order.

    Torch's own threads meet after each operation, and spin until the last has come. Where
    operations are small and the machine is busy, that takes many times as long as the work.
    Jobs that go their own way wait for nobody.

    Parameters
    ----------
    function : callable
        Called with each job. It runs in threads, without gradients.
    jobs : iterable
        Arguments of `function`.
    n_workers : int
        Threads. With 1 or less, the jobs run in the caller's thread, with one of torch's.

    Yields
    ------
    object
        What `function` returns.
    """
    with _restored_threads():
        if n_workers > 1:
            yield from _pooled(function, jobs, n_workers)
            return
        torch.set_num_threads(1)
        for job in jobs:
            with torch.no_grad():
                result = function(job)
            yield result


def _pooled(function, jobs, n_workers):
    pool = ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(1,))
    waiting = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(torch.no_grad()(function), job))
            # No more jobs are under way than there are threads, so that memory stays flat.
            if len(waiting) >= n_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
