"""The benchmark of style-based generators, with small ones that were not trained."""

from benchmarks.attribution import stylegan2
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.zoo import StyleGAN2Generator


def untrained(seed, options):
    with seeded(seed):
        generator = StyleGAN2Generator(8, 8, (8, 8, 4, 4), 1, n_mapping=1, output="tanh")
    return generator.eval().requires_grad_(False)


def test_small(run_small, monkeypatch):
    monkeypatch.setattr(stylegan2, "trained", untrained)
    rows = run_small("stylegan2")
    assert {row["owner"] for row in rows} == {"stylegan2-0", "stylegan2-1"}
    assert [row["method"] for row in rows if row["source"] == "real"] == 2 * ["RawPAD", "FLIPAD"]
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
    assert len({row["frechet_distance"] for row in rows}) == 2
