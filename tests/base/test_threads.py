"""Threads that wait sleep, whichever is imported first, unless the user has chosen otherwise."""

import os
import subprocess
import sys

import pytest

from sklearn_flipad.base.threads import loaded_runtimes

CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
#: CPU time, in milliseconds, after operations that threads share. Spinning takes about 10
#: of each other thread after each of them.
MEASURE = """
import os, time
import torch
torch.set_num_threads(len(os.sched_getaffinity(0)))
x = torch.ones(300_000)
x.add(1)
began = time.process_time()
for _ in range(40):
    x.add(1)
    time.sleep(0.02)
print(1000 * (time.process_time() - began))
print(os.environ.get("OMP_WAIT_POLICY"))
"""
PACKAGE = "import sklearn_flipad\n"
#: Many times what the operations themselves take, and a fraction of what spinning does.
SPINNING_MS = 200

needs_gnu = pytest.mark.skipif(
    not loaded_runtimes() or len(os.sched_getaffinity(0)) == 1,
    reason="needs GNU's OpenMP runtime and two CPUs",
)


def run(code, **variables):
    """CPU time of the measurement in a new process, and the policy that its children inherit."""
    environment = {name: value for name, value in os.environ.items() if name not in CHOICES}
    environment.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    cpu_time, policy = done.stdout.split()
    return float(cpu_time), policy


@needs_gnu
@pytest.mark.parametrize("first", ["", "import torch\n"], ids=["package first", "torch first"])
def test_threads_that_wait_sleep(first):
    cpu_time, policy = run(first + PACKAGE + MEASURE)
    assert cpu_time < SPINNING_MS
    assert policy == "PASSIVE"


@needs_gnu
@pytest.mark.parametrize("first", ["", "import torch\n"], ids=["package first", "torch first"])
def test_what_the_user_has_chosen_stays(first):
    assert run(first + PACKAGE + MEASURE, GOMP_SPINCOUNT="3000000")[1] == "None"


def test_other_variables_stay():
    code = "import os, sklearn_flipad\nprint(0, os.environ['OMP_WAIT_POLICY'])"
    assert run(code, OMP_WAIT_POLICY="ACTIVE")[1] == "ACTIVE"


def test_the_command_and_its_workers_wait_passively():
    code = """
import sys
from sklearn_flipad.scoring.runs.processes import _pool
import os
if __name__ == "__main__":
    pool = _pool(1, b"", 1)
    print(0, pool.submit(os.getenv, "OMP_WAIT_POLICY").result())
    pool.shutdown()
"""
    assert run(code)[1] == "PASSIVE"
    code = "import sklearn_flipad.cli, os, sys\nprint(0, os.environ['OMP_WAIT_POLICY'])"
    assert run(code)[1] == "PASSIVE"
