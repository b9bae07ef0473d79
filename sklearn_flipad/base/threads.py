"""The wait of OpenMP's threads, which share torch's operations and meet after each of them.

By default those that wait spin, for milliseconds. Beside other programs, or under a quota of CPU
time, a thread that spins keeps the one that it waits for from running.
"""

import ctypes
import os
import sys
import threading

__all__ = ["loaded_runtimes", "wait_passively"]

#: Variables by which users choose how OpenMP's threads wait. Runtimes read them when loaded.
_CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
#: Spins of GNU's runtime before a thread sleeps. Training and single batches take 9 to 17 % less
#: time than without any on a quiet machine, and as long beside two competing processes, where 3,000
#: take 1.3 to 1.5 times and 10,000 twice as long (``python -m benchmarks busy``).
_SPINS = "1000"


def wait_passively():
    """Let threads that wait sleep, here and in processes started later, if the user set nothing."""
    if any(name in os.environ for name in _CHOICES):
        return
    os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"] = "PASSIVE", _SPINS
    if "torch" in sys.modules:  # it has read the variable already
        for path in loaded_runtimes():
            _shorten_spinning(ctypes.CDLL(path))


def loaded_runtimes():
    """Paths of the copies of GNU's OpenMP runtime in this process."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(maxsplit=5)[5].strip() for line in maps if "/libgomp" in line}
    except OSError:  # no Linux: other runtimes
        return []
    return sorted(path for path in paths if os.path.exists(path))


def _shorten_spinning(runtime):
    """Let threads of a runtime that is loaded spin 100 times, not 300,000 times.

    It does so where it has more threads than there are CPUs, see GOMP_SPINCOUNT in its manual. So
    a thread holds a team that is larger, and sleeps.
    """
    n_threads = runtime.omp_get_num_procs() + 1
    nothing = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)  # of a null pointer
    is_there = threading.Event()

    def hold():
        no_data, no_flags = None, 0
        runtime.GOMP_parallel(nothing, no_data, n_threads, no_flags)
        is_there.set()
        threading.Event().wait()

    threading.Thread(target=hold, name="sleeping team", daemon=True).start()
    is_there.wait()
