"""The benchmark of diffusion models, with networks that are hardly trained."""

import numpy as np
import pytest

from benchmarks.attribution import diffusion as benchmark

pytest.importorskip("diffusers")


def test_small(run_small):
    rows = run_small("diffusion")
    assert len(rows) == 8
    found = {(row["source"], row["clipped"]): row for row in rows}
    assert found["own", False]["identical"] == 2
    assert found["own", False]["correlation"] > 0.2
    assert found["real", False]["identical"] == found["copy trained on", False]["identical"] == 0
    table = benchmark.table(rows)
    assert np.array_equal(table["steps"], [3] * 8)
