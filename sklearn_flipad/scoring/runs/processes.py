"""Batches in several processes, in order, with few of them under way.

The executor is loky's: unlike the standard library's, it sets variables of the environment before
workers import numpy, pickles classes of a script, and can kill its workers. Like that one it is
broken for good when a worker ends. Here it is made anew, and a file that crashes its worker becomes
a row.
"""

import os
import pickle
import threading
import time
from collections import deque
from concurrent.futures import Future

import joblib
import torch
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend.reduction import dumps
from joblib.externals.loky.process_executor import BrokenProcessPool

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.scoring.runs.attributors import load_checked
from sklearn_flipad.scoring.runs.batches import BatchScorer, row_of

__all__ = ["in_processes"]

#: Batches under way for each process: one that it works on, and the next.
_AHEAD = 2
#: How often a file may crash the process that reads it alone.
_ATTEMPTS = 2
#: Seconds between looks at the parent.
_LOOK = 0.5
#: Numbers of threads, which numerical libraries read when they are imported.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")

#: How glibc keeps memory that is freed, in bytes: solvers free and take the same again in each
#: iteration, and pages that the system has taken back have to be faulted in each time.
_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 2**28, "MALLOC_MMAP_THRESHOLD_": 2**25}

#: In a worker process: what it was sent, and the scorer that the first batch makes of it.
_sent = _scorer = None


def in_processes(source, decoder, batches, n_jobs):
    """Yield the rows of each batch, in order; each process is sent the attributor once."""
    n_threads = max(1, min(torch.get_num_threads(), joblib.cpu_count() // n_jobs))
    sent = bytes(dumps((source, decoder, n_threads)))  # classes of a script included
    batches, waiting, executor = iter(batches), deque(), _pool(n_jobs, sent, n_threads)
    try:
        while True:
            while len(waiting) < _AHEAD * n_jobs and (batch := next(batches, None)) is not None:
                waiting.append((batch, _submit(executor, batch)))
            if not waiting:
                executor.shutdown()  # so that processes tidy up what they hold
                return
            batch, future = waiting.popleft()
            try:
                rows = future.result()
            except BrokenProcessPool:
                # A file crashed a process, or it was killed. Reading the files one by one tells
                # which one, if any; the batches that wait begin again.
                executor.shutdown(kill_workers=True)
                rows = _one_by_one(batch, sent, n_threads)
                executor = _pool(n_jobs, sent, n_threads)
                waiting = deque((later, _submit(executor, later)) for later, _ in waiting)
            yield rows
    finally:
        executor.shutdown(kill_workers=True)


def _pool(n_jobs, sent, n_threads):
    memory = {name: os.environ.get(name, str(value)) for name, value in _MEMORY.items()}
    environment = {**dict.fromkeys(_THREADS, str(n_threads)), **memory}
    arguments = sent, os.getpid()
    return ProcessPoolExecutor(n_jobs, initializer=_receive, initargs=arguments, env=environment)


def _submit(executor, batch):
    try:
        return executor.submit(_score, batch)
    except BrokenProcessPool as error:
        future = Future()
        future.set_exception(error)
        return future


def _one_by_one(batch, sent, n_threads):
    """Rows of a batch that may hold a file which crashes the process that reads it."""
    rows, executor = [], None
    try:
        for path, problem in batch:
            for _ in range(_ATTEMPTS):
                executor = executor or _pool(1, sent, n_threads)
                try:
                    _submit(executor, []).result()
                except BrokenProcessPool as error:
                    raise RuntimeError(
                        Message(
                            "Processes end before they have read a file, perhaps for lack of "
                            "memory. What is done is kept: call again with fewer ",
                            Term("n_jobs", "n_jobs"),
                            ".",
                        )
                    ) from error
                try:
                    rows += _submit(executor, [(path, problem)]).result()
                    break
                except BrokenProcessPool:
                    executor.shutdown(kill_workers=True)
                    executor = None
            else:
                rows.append(row_of(path, ValueError("it crashes the process that reads it")))
    finally:
        if executor is not None:
            executor.shutdown(kill_workers=True)
    return rows


def _receive(sent, parent):
    # Unpickled with the first batch: an error here would look like a crash.
    global _sent
    _sent = sent
    threading.Thread(target=_outlive_nobody, args=(parent,), daemon=True).start()


def _outlive_nobody(parent):
    """End this process when its parent is gone: a parent that was killed tells nobody."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)


def _score(batch):
    global _scorer
    if _scorer is None:
        source, decoder, n_threads = pickle.loads(_sent)
        torch.set_num_threads(n_threads)
        _scorer = BatchScorer(load_checked(source), decoder, source)
    return _scorer(batch)
