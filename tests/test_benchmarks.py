"""The scripts of the benchmarks: their arguments, and how rows become tables."""

import importlib
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Import a script by its name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.mark.parametrize(
    "name",
    ["detectors", "latent_search", "scaling", "solvers", "tables", "tolerance", "whitening"],
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
