"""The scripts of the benchmarks: their arguments, and how rows become tables."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance

from sklearn_flipad.calibration import Conformal, OpenSetEvidence
from sklearn_flipad.calibration._weighing import Calibration

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Import a script by its name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.mark.parametrize(
    "name",
    [
        "command",
        "detectors",
        "files",
        "ladder",
        "latent_diffusion",
        "latent_search",
        "medical",
        "open_set",
        "scaling",
        "solvers",
        "sound",
        "stylegan2",
        "super_resolution",
        "tables",
        "tabular",
        "tabular_speed",
        "tolerance",
        "whitening",
        "windows",
    ],
)
def test_committed_results_are_not_the_default(script, name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        script(name).main()
    assert stopped.value.code == 0
    assert "folder of the results, output/benchmarks by default" in " ".join(
        capsys.readouterr().out.split()
    )


def test_arguments_of_the_tables(script, tmp_path):
    parse = script("tables").parse_arguments
    full = parse(["methods"])
    assert full.out == Path("output/benchmarks")
    assert full.owners == [f"fashion/{name}-0" for name in ("dcgan", "ebgan", "lsgan", "wgan-gp")]
    assert "SM-Inv features" in full.methods
    assert len(parse(["seeds"]).owners) == 12
    small = parse(["seeds", "--small", "--out", str(tmp_path), "--methods", "RawPAD"])
    assert (small.owners, small.methods, small.out) == (["fashion/dcgan-0"], ["RawPAD"], tmp_path)
    for wrong in ([], ["other"], ["seeds", "--methods", "other"], ["seeds", "--owners", "other"]):
        with pytest.raises(SystemExit):
            parse(wrong)


def row(owner, source, accuracy, **changed):
    return {
        "owner": owner,
        "source": source,
        "method": "RawPAD",
        "perturbation": "none",
        "fnr": 0.005,
        "accuracy": accuracy,
        "auc": 0.9,
        "found_fnr": [0.004, 0.001, 0.01],
        "found_fpr": [0.2, 0.1, 0.3],
        "fit_min": 1.0,
        "score_min": 0.5,
        **changed,
    }


def test_summary_of_methods(script):
    rows = [
        row("fashion/dcgan-0", "fashion/lsgan-0", 0.9, method="FLIPAD"),
        row("fashion/dcgan-0", "fashion/lsgan-0", 0.7),
        row("fashion/dcgan-0", "fashion/ebgan-0", 0.9),
        row("fashion/dcgan-0", "fashion/ebgan-0", 0.1, fnr=0.05),  # of another rate: left out
        row("fashion/dcgan-0", "real", 1.0),
    ]
    shown = script("tables").summary("methods", rows)
    assert list(shown["method"]) == ["RawPAD", "FLIPAD"]  # in the order of the paper
    first = shown.iloc[0]
    assert first["accuracy"] == pytest.approx(0.8)
    assert first["accuracy, real"] == 1.0
    assert (first["FNR"], first["FPR"], first["minutes"]) == (0.004, 0.2, 1.5)


def test_any_method_may_be_asked_of_any_table(script):
    rows = [row("fashion/dcgan-0", "fashion/lsgan-0", 0.6, method="combined")]
    assert script("tables").summary("methods", rows)["method"].tolist() == ["combined"]


@pytest.mark.parametrize("table", ["methods", "seeds", "perturbed"])
def test_committed_tables_are_those_of_the_committed_rows(script, table, tmp_path):
    rows = json.loads((FOLDER / "results" / f"{table}.json").read_text())
    script("tables").write(tmp_path / f"{table}.json", table, rows)
    for path in tmp_path.glob("*.csv"):
        committed = pd.read_csv(FOLDER / "results" / path.name)
        pd.testing.assert_frame_equal(pd.read_csv(path), committed)


def test_committed_table_of_whitening(script, tmp_path):
    rows = json.loads((FOLDER / "results" / "whitening.json").read_text())
    script("whitening").write(tmp_path / "whitening.json", rows)
    committed = pd.read_csv(FOLDER / "results" / "whitening.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "whitening.csv"), committed)
    assert committed.set_index("method").loc["whitened preactivation"].min() >= 0.97


def test_joint_decision_of_whitening(script):
    whitening = script("whitening")
    p_values = {
        whitening.PREACTIVATION: np.array([0.5, 0.5, 0.001, 0.5]),
        whitening.FLIPAD: np.array([0.5, 0.002, 0.5, 0.5]),
    }
    tests = {"own": [None] * 2, "other": [None] * 2}
    strict, loose = whitening.rows_of_both("own", 0, p_values, tests)
    assert strict["found_fnr"][0] == 0.5  # 2 * 0.002 <= 0.005
    assert (strict["found_fpr"][0], loose["found_fpr"][0]) == (0.5, 0.5)


def test_summary_of_seeds_and_perturbations(script):
    tables = script("tables")
    rows = [
        row("fashion/dcgan-0", "fashion/dcgan-1", 0.6, method="FLIPAD"),
        row("fashion/dcgan-1", "fashion/dcgan-0", 0.8, method="FLIPAD"),
        row("fashion/lsgan-0", "fashion/lsgan-1", 0.5, method="FLIPAD"),
    ]
    shown = tables.summary("seeds", rows).set_index("method")
    assert shown.loc["FLIPAD"].to_dict() == {"fashion/dcgan": 0.7, "fashion/lsgan": 0.5}
    cells = tables.matrix(rows).set_index("owner")
    assert cells.loc["fashion/dcgan-1", "seed 0"] == 0.8
    assert cells.isna().loc["fashion/dcgan-0", "seed 0"]
    rows = [row("o-0", "s-0", 0.6 + fnr, perturbation="blur 3", fnr=fnr) for fnr in (0.005, 0.05)]
    shown = tables.summary("perturbed", rows)
    assert list(shown["RawPAD"]) == [0.605, 0.65]


def test_rows_of_several_models(script):
    open_set = script("open_set")
    p_values = np.array([[0.5, 0.001], [0.2, 0.3], [0.001, 0.4], [0.001, 0.001]])
    by_model = {
        name: Calibration(Conformal(), -np.linspace(0, 1, 400), 0.005).weigh(-column)
        for name, column in zip("ab", p_values.T, strict=True)
    }
    evidence = OpenSetEvidence(by_model, "other")
    row = open_set.row("whitened", 0.005, "a", evidence)
    assert row["in_set"] == {"a": 2, "b": 2}
    assert (row["empty"], row["one"], row["several"]) == (1, 2, 1)
    assert (row["covered"], row["alone"], row["right"], row["empty_without_it"]) == (2, 1, 1, 2)
    real = open_set.row("whitened", 0.005, "real", evidence)
    assert (real["right"], "covered" in real) == (1, False)


def test_committed_tables_of_several_models(script, tmp_path):
    open_set = script("open_set")
    rows = open_set.read_rows(FOLDER / "results" / "open_set.jsonl")
    open_set.write_tables(tmp_path / "open_set.jsonl", rows)
    for name in ("open_set.csv", "open_set_models.csv"):
        assert (tmp_path / name).read_text() == (FOLDER / "results" / name).read_text()


LADDER = ["--owners", "fashion/dcgan-1", "--rungs", "other seeds", "int8", "noise 0.2 last"]
LADDER += ["--n-own", "800", "--n-negatives", "40", "--n-suspects", "30"]


def test_ladder(script, tmp_path, capsys, monkeypatch):
    ladder = script("ladder")
    args = [*LADDER, "--methods", "Mahalanobis", "--out", str(tmp_path)]
    ladder.main(args)
    path = tmp_path / "ladder.jsonl"
    rows = ladder.read(path)
    assert [row["rung"] for row in rows] == ["other seeds", "int8", "noise 0.2 last"]
    for row in rows:
        for name in ("tnr", "fnr"):
            value, low, high = row[name]
            assert 0 <= low <= value <= high <= 1
        assert 0 <= row["auc"] <= 1
        assert row["ms"] > 0
        assert (row["n_own"], row["n_suspects"], row["negatives"]) == (800, 30, "none")
    assert "rms" not in rows[0]
    assert 0 < rows[1]["rms"] < rows[2]["rms"]
    shown = capsys.readouterr().out
    assert "Mahalanobis" in shown.rpartition("fashion/dcgan-1\n")[2]

    # A run that was cut off goes on where it was.
    path.write_text(path.read_text()[:-30])
    fits = []
    method = ladder.METHODS["Mahalanobis"]
    monkeypatch.setitem(ladder.METHODS, "Mahalanobis", lambda *a: fits.append(1) or method(*a))
    for _ in range(2):
        ladder.main(args)
        again = ladder.read(path)
        assert [row["rung"] for row in again] == [row["rung"] for row in rows]
        assert again[2]["tnr"] == rows[2]["tnr"]
    assert fits == [1]


def test_suspects_of_the_ladder(script, tmp_path, monkeypatch):
    suspects = script("ladder_suspects")
    owner = suspects.Owner("fashion/dcgan-1", tmp_path, n_steps=2)
    assert len(owner.suspects("other architectures")) == 3
    assert len(owner.suspects("other seeds")) == 2
    trained = [owner.suspects("distilled") for _ in range(2)]
    weights = [generator.main[0].weight for (generator,) in trained]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(owner.generator.main[0].weight)
    (path,) = tmp_path.iterdir()
    modified = path.stat().st_mtime_ns
    owner.suspects("distilled")
    assert path.stat().st_mtime_ns == modified
    assert owner.negatives(10).shape == owner.negative_copies(10).shape == (10, 1, 32, 32)
    mixed = owner.mixture(owner.suspects("other seeds"), 5, 0)
    assert len(mixed) == 5

    with torch.random.fork_rng():
        public = suspects.DCGANGenerator()
    monkeypatch.setattr(suspects, "public_dcgan", lambda: public)
    owner = suspects.Owner(suspects.PUBLIC, tmp_path, n_steps=1)
    assert owner.suspects("other seeds") == owner.suspects("other architectures") == []
    assert owner.negatives(2).shape == (2, 3, 64, 64)


def test_tables_of_the_ladder(script):
    cell = {"owner": "o", "method": "RawPAD", "rung": "int8", "negatives": "real", "rms": 1.0}
    rows = [
        {**cell, "tnr": [0.4, 0.3, 0.6]},
        {**cell, "tnr": [0.6, 0.5, 0.7]},  # another seed
        {**cell, "negatives": "real and copies", "tnr": [0.7, 0.6, 0.8]},
        {**cell, "method": "SM-F", "negatives": "none", "tnr": [0.1, 0.0, 0.2]},
        {**cell, "rung": "other seeds", "tnr": [0.9, 0.8, 1.0]},
    ]
    del rows[-1]["rms"]
    table = script("ladder").tables(rows)["o"]
    assert list(table.index) == ["other seeds", "int8"]
    assert list(table.columns) == ["rms", "SM-F", "RawPAD", "RawPAD + copies"]
    assert table.loc["int8"].tolist() == pytest.approx([1.0, 0.1, 0.5, 0.7])
    assert table.loc["other seeds"].isna().tolist() == [True, True, False, True]


def test_mahalanobis_of_the_ladder(script):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))
    detector = script("ladder_methods").Mahalanobis(ridge=1e-8).fit(X)
    expected = EmpiricalCovariance().fit(X).mahalanobis(X) * 499 / 500
    np.testing.assert_allclose(-detector.score_samples(X), expected, rtol=1e-4)
    # Fewer samples than features: as with the ridge added to the full covariance.
    few = X[:4]
    detector = script("ladder_methods").Mahalanobis(ridge=0.1).fit(few)
    covariance = np.cov(few.T)
    covariance += 0.1 * np.trace(covariance) / 6 * np.eye(6)
    moved = X - few.mean(axis=0)
    expected = np.einsum("ij,ij->i", moved, np.linalg.solve(covariance, moved.T).T)
    np.testing.assert_allclose(-detector.score_samples(X), expected)


@pytest.mark.parametrize(
    "name",
    [
        "reproduction",
        "ladder",
        "ladder_copies",
        "processed",
        "latent_diffusion",
        "medical",
        "super_resolution",
        "gpu",
    ],
)
def test_committed_tables_are_those_of_their_rows(name, script):
    summaries = script("summaries")
    source = summaries.SOURCES.get(name, name)
    rows = summaries.read_rows(FOLDER / "results" / f"{source}.jsonl")
    table = summaries.TABLES[name](rows)
    committed = (FOLDER / "results" / f"{name}.csv").read_text()
    assert table.to_csv(index=False) == committed


def test_spectrograms_of_the_vocoders(script):
    data = script("sound_data")
    filters = data._mel_filters()
    assert filters.shape == (80, 513)
    # Each is a triangle of area one; narrow ones are sampled coarsely.
    np.testing.assert_allclose(filters[40:].sum(axis=1) * 22050 / 1024, 1, atol=0.03)
    tone = np.sin(2 * np.pi * 2000 * np.arange(data.LENGTH) / data.RATE)[None, None]
    spectrogram = data.mel_spectrograms(0.5 * tone)
    assert spectrogram.shape == (1, 80, 86)
    # 2 kHz is mel 25.08 of 0 to 45.25 on Slaney's scale.
    assert (spectrogram[0, :, 5:-5].argmax(axis=0) == round(25.08 / 45.25 * 81) - 1).all()


def test_surrogates_have_the_spectrum_of_what_they_are_made_of(script):
    X = np.random.default_rng(0).normal(0, 0.1, (3, 1, 501))
    found = script("sound_data").surrogates(X, 0)
    np.testing.assert_allclose(
        np.abs(np.fft.rfft(found))[..., 1:], np.abs(np.fft.rfft(X))[..., 1:], atol=2e-3
    )
    assert np.abs(found - X).max() > 0.1
