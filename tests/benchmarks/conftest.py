"""Fixtures of several benchmarks."""

import pytest

from benchmarks.__main__ import run


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    """A folder that keeps what small runs train."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def run_small(tmp_path, work):
    """Run a benchmark with ``--small``, and return its rows."""

    def run_it(name, *argv):
        folders = ["--out", str(tmp_path), "--work", str(work)]
        return run(name, ["--small", "--threads", "1", *folders, *argv]).rows

    return run_it
