"""Batches of independent samples, one after the other or in worker threads."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import torch

from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.base.shared_settings import SharedSetting

__all__ = ["in_batches", "in_order"]

#: New threads begin with the number that a worker has set, so a pool that starts while another is
#: under way must neither read that number nor restore it as the user's.
_N_THREADS = SharedSetting(torch.get_num_threads, torch.set_num_threads)


def in_batches(function, n_samples, *, batch_size, lanes=1, device=None, apart=False):
    """Yield ``function(rows)`` for slices of samples, in order, of at most ``batch_size`` together.

    The function runs without gradients and in full precision. What it returns for a sample must
    not depend on the others. Torch's threads share its operations, and meet after each of them.
    If samples are computed ``apart``, workers with one of these threads each share the samples
    instead, in multiples of ``lanes`` as far as possible, possibly in other threads than the
    caller's.
    """
    function = full_precision()(torch.no_grad()(function))
    size, n_workers = min(batch_size, n_samples), 1
    if apart and (device is None or device.type == "cpu"):
        n_threads = _N_THREADS.outside()
        share = min(size, -(-size // (n_threads * lanes)) * lanes)
        n_workers = min(n_threads, size // share)
        size = share if n_workers > 1 else size
    jobs = (slice(k, min(k + size, n_samples)) for k in range(0, n_samples, size))
    if n_workers > 1:
        yield from _pooled(function, jobs, n_workers)
    else:
        yield from map(function, jobs)


def in_order(submit, jobs, n_ahead):
    """Yield the results of the futures ``submit(job)`` in order, with ``n_ahead`` under way."""
    waiting = deque()
    for job in jobs:
        waiting.append(submit(job))
        # No more are under way, so that memory stays flat.
        if len(waiting) >= n_ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _pooled(function, jobs, n_workers):
    pool = ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(1,))
    with _N_THREADS.changed():
        try:
            yield from in_order(lambda job: pool.submit(function, job), jobs, n_workers)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
