"""Each benchmark runs, with ``--small``; what it finds says nothing."""

import sys

import numpy as np
import pytest

from benchmarks.data import tabular
from benchmarks.registry import BENCHMARKS
from benchmarks.speed import busy, command, files, scaling, sizes
from sklearn_flipad.cli import main
from tests.processes import preload

#: Those that have tests of their own, since what they take from elsewhere is replaced.
ELSEWHERE = {
    "constants": "test_constants.py",
    "content": "test_super_resolution.py",
    "denoisers": "test_denoisers.py",
    "diffusion": "test_diffusion.py",
    "diffusion_networks": "test_diffusion.py",
    "ladder": "test_ladder.py",
    "large_latents": "test_sound.py",
    "latent_diffusion": "test_latent_diffusion.py",
    "medical": "test_medical.py",
    "peers": "test_peers.py",
    "published": "test_published.py",
    "sound": "test_sound.py",
    "stylegan2": "test_stylegan2.py",
    "super_resolution": "test_super_resolution.py",
    "vq_model": "test_latent_diffusion.py",
}
#: Arguments of those whose small runs find something, which takes longer.
QUICKER = {
    "paper": "example-4.1 figure-4",
    "reproduction": "--quick --owners fashion/dcgan-0 --max-steps 1 --fnr 0.1 --n-own 20 "
    "--n-others 1 --adam 1 --adam-steps 2",
}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch, forked_workers):
    """No further processes, or forked ones: each would import everything anew."""
    for module in (files, scaling, sizes):
        monkeypatch.setattr(module, "in_own_process", lambda f, *args, threads=None: f(*args))
    monkeypatch.setattr(files, "get_context", lambda method: preload())
    monkeypatch.setattr(busy, "COMPETITOR", "import time; time.sleep(60)")

    def flipad(python, folder, *arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["flipad", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
        return {"seconds": 0.0, "processor_seconds": 0.0}

    monkeypatch.setattr(command, "flipad", flipad)


@pytest.fixture(autouse=True)
def no_synthesizers(monkeypatch):
    """Real rows, with noise, in place of those of SDV's synthesizers."""

    def fit_sdv(kind, table, seed, epochs):
        return table * (1 + 0.01 * np.random.default_rng(seed).normal(size=table.shape))

    def sample_sdv(table, n, random_state):
        return table.sample(n, random_state=random_state)

    monkeypatch.setattr(tabular, "fit_sdv", fit_sdv)
    monkeypatch.setattr(tabular, "sample_sdv", sample_sdv)


@pytest.mark.filterwarnings("ignore:.*too few to whiten", "ignore:.*not reproduced")
@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in ELSEWHERE])
def test_small(run_small, name):
    rows = run_small(name, *QUICKER.get(name, "").split())
    keys = BENCHMARKS[name].module.KEYS
    assert rows
    for row in rows:
        assert {*keys} <= {*row}
        for rate in ("accuracy", "auc", "FNR", "FPR"):
            assert 0 <= row.get(rate, 0) <= 1
