"""Threads that wait sleep, whichever is imported first, unless the user has chosen otherwise."""

import os
import subprocess
import sys

import pytest

from sklearn_flipad.base import threads
from sklearn_flipad.base.threads import loaded_runtimes, wait_passively

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
"""
POLICY = """
import os
print(os.environ.get("OMP_WAIT_POLICY"))
"""
POOL = """
from sklearn_flipad.scoring.runs.processes import _pool
if __name__ == "__main__":
    pool = _pool(1, b"", 1)
    print(pool.submit(os.getenv, "OMP_WAIT_POLICY").result())
    pool.shutdown()
"""
#: Many times what the operations themselves take, and a fraction of what spinning does.
SPINNING_MS = 200

needs_gnu = pytest.mark.skipif(
    not loaded_runtimes() or len(os.sched_getaffinity(0)) == 1,
    reason="needs GNU's OpenMP runtime and two CPUs",
)


def run(code, **variables):
    """Words that a new process prints."""
    environment = {name: value for name, value in os.environ.items() if name not in CHOICES}
    environment.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@needs_gnu
def test_threads_that_wait_sleep():
    cpu_time, policy = run("import torch\nimport sklearn_flipad" + MEASURE + POLICY)
    assert float(cpu_time) < SPINNING_MS
    assert policy == "PASSIVE"


def test_the_command_and_its_workers_wait_passively():
    cpu_time, policy, policy_of_worker = run("import sklearn_flipad.cli" + MEASURE + POLICY + POOL)
    if loaded_runtimes():
        assert float(cpu_time) < SPINNING_MS
    assert policy == policy_of_worker == "PASSIVE"


@pytest.mark.parametrize("chosen", CHOICES)
def test_what_the_user_has_chosen_stays(chosen, monkeypatch):
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(chosen, "ACTIVE" if chosen == "OMP_WAIT_POLICY" else "3000000")
    monkeypatch.setattr(threads, "_shorten_spinning", None)
    before = dict(os.environ)
    wait_passively()
    assert dict(os.environ) == before


def test_imports_leave_what_the_user_has_chosen():
    assert run("import sklearn_flipad.cli" + POLICY, OMP_WAIT_POLICY="ACTIVE") == ["ACTIVE"]
