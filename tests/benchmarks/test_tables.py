"""Rows become tables, and the committed tables are those of the committed rows."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import tables
from benchmarks.attribution import (
    ladder,
    likelihood_ratios,
    methods,
    open_set,
    perturbed,
    seeds,
    whitening,
)
from benchmarks.paper.figures import FIGURES
from benchmarks.registry import BENCHMARKS
from benchmarks.results import read_results, read_rows
from sklearn_flipad.calibration import Conformal, OpenSetEvidence
from sklearn_flipad.calibration._weighing import Calibration

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
#: The benchmark that makes each table.
TABLES = {
    table: name
    for name, benchmark in BENCHMARKS.items()
    for table in getattr(benchmark.module, "TABLES", {})
}
PAGES = (*(ROOT / "docs").glob("*.rst"), ROOT / "README.md", ROOT / "CONTRIBUTING.md")


@pytest.mark.parametrize("name", dict.fromkeys(TABLES.values()))
def test_committed_tables_are_those_of_the_committed_rows(name, tmp_path):
    made = tables.write(name, read_rows(RESULTS / f"{name}.jsonl"), tmp_path)
    assert {path.stem for path in made} == {table for table, of in TABLES.items() if of == name}
    for path in made:
        assert path.read_text() == (RESULTS / path.name).read_text()


def test_committed_files_are_results_and_their_tables():
    for path in RESULTS.iterdir():
        if path.suffix == ".jsonl":
            headers, rows = read_results(path)
            assert headers[0]["benchmark"] in BENCHMARKS
            assert rows
        else:
            known = {"solvers", *(f"paper_{name.replace('-', '_')}" for name in FIGURES)}
            assert path.stem in (TABLES if path.suffix == ".csv" else known)


def test_pages_name_the_commands_of_their_tables():
    n_tables = 0
    for page in PAGES:
        text = page.read_text()
        assert not re.search(r"python\s+benchmarks/", text), page
        named = {*re.findall(r"python\s+-m\s+benchmarks\s+([a-z]\w+)", text)}
        assert named <= {*BENCHMARKS, "list", "size", "tables"}, page
        for table in re.findall(r":file: \.\./benchmarks/results/(\w+)\.csv", text):
            assert TABLES[table] in named, (page, table)
            n_tables += 1
    assert n_tables >= 22


def test_tables_of_a_folder(tmp_path, capsys):
    for name in ("detectors", "seeds"):
        (tmp_path / f"{name}.jsonl").write_bytes((RESULTS / f"{name}.jsonl").read_bytes())
    tables.main(["--out", str(tmp_path)])
    written = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert written == ["seeds.csv", "seeds_flipad.csv", "detectors.csv"]
    tables.main(["detectors", "--out", str(tmp_path)])
    assert capsys.readouterr().out.count("\n") == 1


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


def test_table_of_methods():
    rows = [
        row("fashion/dcgan-0", "fashion/lsgan-0", 0.9, method="FLIPAD"),
        row("fashion/dcgan-0", "fashion/lsgan-0", 0.7),
        row("fashion/dcgan-0", "fashion/ebgan-0", 0.9),
        row("fashion/dcgan-0", "fashion/ebgan-0", 0.1, fnr=0.05),  # of another rate: left out
        row("fashion/dcgan-0", "real", 1.0),
    ]
    shown = methods.table(rows)
    assert list(shown["method"]) == ["RawPAD", "FLIPAD"]  # in the order of the paper
    first = shown.iloc[0]
    assert first["accuracy"] == pytest.approx(0.8)
    assert first["accuracy, real"] == 1.0
    assert (first["FNR"], first["FPR"], first["minutes"]) == (0.004, 0.2, 1.5)


def test_any_method_may_be_asked_of_any_table():
    rows = [row("fashion/dcgan-0", "fashion/lsgan-0", 0.6, method="combined")]
    assert methods.table(rows)["method"].tolist() == ["combined"]
    assert {"combined", "SM-Inv l2"} <= {*methods.OPTIONS[1].choices}


def test_committed_whitening_tells_seeds():
    committed = pd.read_csv(RESULTS / "whitening.csv").set_index("method")
    assert committed.loc["whitened preactivation"].min() >= 0.97


def test_tables_of_seeds_and_perturbations():
    rows = [
        row("fashion/dcgan-0", "fashion/dcgan-1", 0.6, method="FLIPAD"),
        row("fashion/dcgan-1", "fashion/dcgan-0", 0.8, method="FLIPAD"),
        row("fashion/lsgan-0", "fashion/lsgan-1", 0.5, method="FLIPAD"),
    ]
    shown = seeds.TABLES["seeds"](rows).set_index("method")
    assert shown.loc["FLIPAD"].to_dict() == {"fashion/dcgan": 0.7, "fashion/lsgan": 0.5}
    cells = seeds.flipad_by_seed(rows).set_index("owner")
    assert cells.loc["fashion/dcgan-1", "seed 0"] == 0.8
    assert cells.loc["fashion/dcgan-0", "seed 0"] == "own"
    assert seeds.flipad_by_seed([row("o-0", "o-1", 0.6, method="RawPAD")]).empty
    rows = [row("o-0", "s-0", 0.6 + fnr, perturbation="blur 3", fnr=fnr) for fnr in (0.005, 0.05)]
    assert list(perturbed.table(rows)["RawPAD"]) == [0.605, 0.65]


def test_joint_decision_of_whitening():
    p_values = {
        whitening.PREACTIVATION: {"own": np.array([0.5, 0.5]), "other": np.array([0.001, 0.5])},
        whitening.FLIPAD: {"own": np.array([0.5, 0.002]), "other": np.array([0.5, 0.5])},
    }
    options = whitening.OPTIONS[2:]
    values = {option.name: option.default for option in options}
    strict, loose = whitening.rows_of_both(
        "own", type("Options", (), values), p_values, {"own": None, "other": None}
    )
    assert strict["found_fnr"][0] == 0.5  # 2 * 0.002 <= 0.005
    assert (strict["found_fpr"][0], loose["found_fpr"][0]) == (0.5, 0.5)


def test_tables_of_accuracies():
    def of(owner, accepted, **accuracies):
        return [
            {
                "owner": owner,
                "method": "FLIPAD",
                "source": source,
                "accuracy": accuracy,
                "found_fnr": [1 - accepted, 0, 1],
            }
            for source, accuracy in accuracies.items()
        ]

    rows = [*of("0", 0.94, one=0.97, real=0.5), *of("1", 1.0, real=0.75)]
    table = tables.accuracy_table(rows, "owner")
    assert table.columns.tolist() == ["owner", "method", "own accepted", "one", "real"]
    assert table.to_numpy().tolist() == [
        ["0", "FLIPAD", "0.940", "0.970", "0.500"],
        ["1", "FLIPAD", "1.000", "", "0.750"],
    ]


def test_rows_of_several_models():
    p_values = np.array([[0.5, 0.001], [0.2, 0.3], [0.001, 0.4], [0.001, 0.001]])
    calibration = Calibration(Conformal(), -np.linspace(0, 1, 400), 0.005)
    by_model = {
        name: calibration.weigh(-column) for name, column in zip("ab", p_values.T, strict=True)
    }
    evidence = OpenSetEvidence(by_model, "other")
    found = open_set.row_of("whitened", 0.005, "a", evidence)
    assert found["in_set"] == {"a": 2, "b": 2}
    assert (found["empty"], found["one"], found["several"]) == (1, 2, 1)
    assert (found["covered"], found["alone"], found["right"]) == (2, 1, 1)
    assert found["empty_without_it"] == 2
    real = open_set.row_of("whitened", 0.005, "real", evidence)
    assert (real["right"], "covered" in real) == (1, False)


def test_rates_of_the_ladder():
    cell = {"owner": "o", "method": "RawPAD", "rung": "int8", "negatives": "real", "rms": 1.0}
    rows = [
        {**cell, "tnr": [0.4, 0.3, 0.6]},
        {**cell, "tnr": [0.6, 0.5, 0.7]},  # another seed
        {**cell, "negatives": "real and copies", "tnr": [0.7, 0.6, 0.8]},
        {**cell, "method": "SM-F", "negatives": "none", "tnr": [0.1, 0.0, 0.2]},
        {**cell, "rung": "other seeds", "tnr": [0.9, 0.8, 1.0]},
    ]
    del rows[-1]["rms"]
    table = ladder.rates(rows)["o"]
    assert list(table.index) == ["other seeds", "int8"]
    assert list(table.columns) == ["rms", "SM-F", "RawPAD", "RawPAD + copies"]
    assert table.loc["int8"].tolist() == pytest.approx([1.0, 0.1, 0.5, 0.7])
    assert table.loc["other seeds"].isna().tolist() == [True, True, False, True]


def test_tables_of_likelihood_ratios():
    ratios = {"cllr": 0.02, "cllr_min": 0.01, "log10_bounds": [-2.0, 2.5]}
    cell = {"case": "FLIPAD", "source": "real", "calibrator": "logistic", **ratios}
    rows = [
        {**cell, "n_reference": 500},
        {**cell, "n_reference": 5000, "cllr": 0.015, "log10_bounds": [-2.1, 3.25]},
        {**cell, "n_reference": 500, "calibrator": "isotonic", "cllr": 9.0},
        {**cell, "n_reference": 500, "case": "reproduction"},
    ]
    shown = likelihood_ratios.shipped_table(rows).set_index("method")
    assert shown.loc["FLIPAD", "Cllr, 500"] == "0.0200"
    assert shown.loc["FLIPAD", "bounds, 5,000"] == "-2.10 to 3.25"
    assert shown.loc["reproduction", "Cllr, 5,000"] == ""
    assert not len(likelihood_ratios.simulated_table(rows))


def test_quality_of_ratios_of_known_densities():
    options = SimpleNamespace(seed=0, n_sets=4, n_fresh=2000)
    logistic, isotonic, _, gaussian = likelihood_ratios.simulate("normal", options)
    for row in (logistic, gaussian):
        assert row["cllr"][0] == pytest.approx(row["true_cllr"], abs=0.03)
        assert row["mean_lr"][0] < row["mean_lr_unbounded"][0] == pytest.approx(1, abs=0.5)
        assert row["misleading_high"][0] < 1
    assert isotonic["mean_lr_unbounded"] is None
