"""The machine that benchmarks run on, and clocks."""

import os
import platform
import re
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import torch

import sklearn_flipad

__all__ = [
    "BATCH_SIZE",
    "describe_machine",
    "device_name",
    "environment",
    "in_own_process",
    "peak_memory",
    "timed",
]

#: Samples that a search of latents takes side by side, on which no result depends: a card is
#: idle with few.
BATCH_SIZE = 256 if torch.cuda.is_available() else 32


def device_name():
    """The name of the card, ``"cpu"`` where there is none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def describe_machine():
    """Device, processor, threads and versions, for the header of results."""
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return {
        "device": device_name(),
        "cpu": model[1] if model else platform.processor(),
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "sklearn_flipad": sklearn_flipad.__version__,
        },
    }


def timed(function, *args, **kwargs):
    """The result of a function, and the seconds that it took."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, time.perf_counter() - start


def peak_memory():
    """The largest memory that this process has held, in bytes."""
    # Not ru_maxrss, which begins with the size of the process that started this one.
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


def in_own_process(function, *args, threads=None):
    """The result of a function that runs in a new process, with its number of torch's threads."""
    options = {"initializer": torch.set_num_threads, "initargs": (threads,)} if threads else {}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), **options) as pool:
        return pool.submit(function, *args).result()


@contextmanager
def environment(**variables):
    """Set environment variables for processes that are started in the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
