"""Fixtures of several benchmarks."""

import numpy as np
import pytest

from benchmarks.__main__ import run
from benchmarks.data import diffusion
from sklearn_flipad.datasets import load_fashion_sample


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


@pytest.fixture
def shipped_images(monkeypatch):
    """The images that are part of the package in place of those that train diffusion networks."""
    images = load_fashion_sample(50), np.arange(50, dtype=np.uint8) % diffusion.N_CLASSES
    monkeypatch.setattr(diffusion, "load_fashion_mnist", lambda split, return_X_y: images)
