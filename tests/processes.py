"""Processes forked from one that has imported the package, which takes seconds each time."""

import multiprocessing
import os

import torch

from sklearn_flipad.scoring.runs import processes as scoring

_PRELOADED = ("sklearn_flipad.zoo", "sklearn_flipad.scoring", "torch._dynamo", "tests.processes")
#: That of Windows imports everything anew.
_METHODS = multiprocessing.get_all_start_methods()
METHOD = "forkserver" if "forkserver" in _METHODS else "spawn"


def preload():
    """Say what the process imports that others are forked from, if it is not there yet."""
    context = multiprocessing.get_context(METHOD)
    context.set_forkserver_preload(list(_PRELOADED))
    return context


def start(target, *args):
    """A process that runs a function of a module, with as many threads as this one."""
    arguments = torch.get_num_threads(), target, *args
    process = preload().Process(target=_with_threads, args=arguments)
    process.start()
    return process


def run(target, *args):
    """Run a function of a module in a process, to its end."""
    process = start(target, *args)
    process.join()
    assert process.exitcode == 0


def _with_threads(n_threads, target, *args):
    torch.set_num_threads(n_threads)  # another number gives other last digits
    target(*args)


def receive(sent, parent):
    """Begin as a worker of `score_files` whose parent is the process that it was forked from."""
    scoring._receive(sent, os.getppid())
