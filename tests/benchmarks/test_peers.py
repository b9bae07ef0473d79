"""Other libraries on the same scores; they need not be installed."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.attribution import peers
from benchmarks.results import read_rows
from tests.benchmarks.test_tables import RESULTS


def p_values(scores, calibration, off=0):
    """As nonconform computes them, or off by some samples."""
    n_at_least = np.array([(calibration >= score).sum() for score in scores])
    return (1 + off + n_at_least) / (1 + len(calibration))


@pytest.mark.parametrize("off", [0, 1])
def test_differences_are_found(run_small, monkeypatch, capsys, off):
    module = SimpleNamespace(calculate_p_val=lambda *scores: p_values(*scores, off))
    monkeypatch.setitem(sys.modules, "nonconform", SimpleNamespace(scoring=module))
    monkeypatch.setitem(sys.modules, "nonconform.scoring", module)
    monkeypatch.setitem(sys.modules, "lir", None)
    monkeypatch.setattr(peers, "version", lambda package: "1.0")
    rows = run_small("peers")
    assert [row["scores"] for row in rows] == ["continuous", "ties"]
    assert [row["difference"] for row in rows] == pytest.approx([off / 41] * 2, abs=1e-12)
    assert "lir is left out" in capsys.readouterr().out
    shown = peers.table(rows)
    assert list(shown.columns) == [
        "package",
        "statistic",
        "difference, continuous",
        "difference, ties",
    ]
    assert shown["package"].tolist() == ["nonconform 1.0"]


def test_equal_infinities_do_not_differ():
    pair = (lambda: [np.inf, 1.0], lambda: [np.inf, 1.5])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peers, "version", lambda package: "1.0")
        assert peers.compare("lir", "ratio", "ties", *pair)["difference"] == 0.5


def test_committed_statistics_are_those_of_the_peers():
    found = pd.DataFrame(read_rows(RESULTS / "peers.jsonl")).set_index("statistic")["difference"]
    assert {"p-values", "logistic regression", "isotonic regression", "Cllr"} <= set(found.index)
    coarse = found.index.isin(["kernel densities", f"empirical bounds, step {peers.STEP:g}"])
    assert found[~coarse].max() < 1e-12
    assert found["kernel densities"].max() < 1e-6  # densities here are pruned at 1e-6
    assert found[coarse].max() <= peers.STEP
