"""The benchmark of style-based generators, after two steps of their training."""

from benchmarks.attribution import stylegan2
from sklearn_flipad.datasets import load_fashion_sample


def test_small(run_small, monkeypatch):
    monkeypatch.setattr(stylegan2, "load_fashion_mnist", load_fashion_sample)
    rows = run_small("stylegan2")
    assert {row["owner"] for row in rows} == {"stylegan2-0", "stylegan2-1"}
    assert [row["method"] for row in rows if row["source"] == "real"] == 2 * [*stylegan2.METHODS]
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
    assert len({row["frechet_distance"] for row in rows}) == 2
