"""The benchmark of near-copies."""

import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance

from benchmarks.attribution import ladder
from benchmarks.attribution.ladder_methods import METHODS, Mahalanobis
from benchmarks.data import near_copies
from benchmarks.results import read_rows


def test_the_ladder_goes_on_where_it_was(run_small, tmp_path, capsys, monkeypatch):
    rows = run_small("ladder", "--methods", "Mahalanobis")
    assert [row["rung"] for row in rows] == ["other seeds", "int8", "noise 0.2 last"]
    for row in rows:
        for name in ("tnr", "fnr"):
            value, low, high = row[name]
            assert 0 <= low <= value <= high <= 1
        assert 0 <= row["auc"] <= 1
        assert row["ms"] > 0
        assert (row["n_own"], row["n_suspects"], row["negatives"]) == (40, 10, "none")
    assert "rms" not in rows[0]
    assert 0 < rows[1]["rms"] < rows[2]["rms"]
    shown = capsys.readouterr().out
    assert "Mahalanobis" in shown.rpartition("fashion/dcgan-1\n")[2]

    # A run that was cut off.
    path = tmp_path / "small" / "ladder.jsonl"
    path.write_text(path.read_text()[:-30])
    fits = []
    method = METHODS["Mahalanobis"]
    monkeypatch.setitem(METHODS, "Mahalanobis", lambda *a: fits.append(1) or method(*a))
    for _ in range(2):
        run_small("ladder", "--methods", "Mahalanobis")
        again = read_rows(path)
        assert [row["rung"] for row in again] == [row["rung"] for row in rows]
        assert again[2]["tnr"] == rows[2]["tnr"]
    assert fits == [1]


@pytest.mark.filterwarnings("ignore:.*too few to whiten")
def test_every_method_and_negatives_of_copies(run_small):
    rows = run_small("ladder", "--rungs", "int8", "--near-copies-as-negatives")
    assert [row["method"] for row in rows] == list(METHODS)
    for row in rows:
        with_copies = row["method"] not in ladder.WITHOUT_NEGATIVES
        assert row["negatives"] == (ladder.COPIES if with_copies else "none")


def test_suspects(tmp_path):
    owner = near_copies.Owner("fashion/dcgan-1", tmp_path / "networks", n_steps=2)
    assert len(owner.suspects("other architectures")) == 3
    assert len(owner.suspects("other seeds")) == 2
    trained = [owner.suspects("distilled") for _ in range(2)]
    weights = [generator.main[0].weight for (generator,) in trained]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(owner.generator.main[0].weight)
    (path,) = owner.folder.iterdir()
    modified = path.stat().st_mtime_ns
    owner.suspects("distilled")
    assert path.stat().st_mtime_ns == modified
    assert owner.negatives(10).shape == owner.negative_copies(10).shape == (10, 1, 32, 32)
    mixed = owner.mixture(owner.suspects("other seeds"), 5, 0)
    assert len(mixed) == 5


def test_suspects_of_the_public_generator(tmp_path, monkeypatch):
    with torch.random.fork_rng():
        public = near_copies.DCGANGenerator()
    monkeypatch.setattr(near_copies, "generator_by_name", lambda name, folder: public)
    owner = near_copies.Owner(near_copies.PUBLIC, tmp_path / "networks", n_steps=1)
    assert owner.suspects("other seeds") == owner.suspects("other architectures") == []
    assert owner.negatives(2).shape == (2, 3, 64, 64)


def test_mahalanobis():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))
    detector = Mahalanobis(ridge=1e-8).fit(X)
    expected = EmpiricalCovariance().fit(X).mahalanobis(X) * 499 / 500
    np.testing.assert_allclose(-detector.score_samples(X), expected, rtol=1e-4)
    # Fewer samples than features: as with the ridge added to the full covariance.
    few = X[:4]
    detector = Mahalanobis(ridge=0.1).fit(few)
    covariance = np.cov(few.T)
    covariance += 0.1 * np.trace(covariance) / 6 * np.eye(6)
    moved = X - few.mean(axis=0)
    expected = np.einsum("ij,ij->i", moved, np.linalg.solve(covariance, moved.T).T)
    np.testing.assert_allclose(-detector.score_samples(X), expected)
