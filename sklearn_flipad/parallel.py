"""Independent jobs in threads, with one of torch's threads inside each."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import torch

__all__ = ["in_threads", "n_workers_on"]


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
    return torch.get_num_threads() if device.type == "cpu" else 1


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
    n_threads = torch.get_num_threads()
    try:
        if n_workers <= 1:
            torch.set_num_threads(1)
            for job in jobs:
                with torch.no_grad():
                    result = function(job)
                yield result
            return
        yield from _pooled(function, jobs, n_workers)
    finally:
        # A worker sets the number that threads begin with, though not that of its caller.
        torch.set_num_threads(n_threads)


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
