"""Each table and figure of the paper has an entry, which is measured, taken up and rendered."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import __main__ as program
from benchmarks.attribution import stylegan2
from benchmarks.paper import (
    attribution,
    claims,
    elsewhere,
    experiments,
    figures,
    rendering,
    sources,
)
from benchmarks.paper.averages import decode_map
from benchmarks.paper.entries import ENTRIES, numbers
from benchmarks.paper.experiments import EXPERIMENTS, KEYS, cells_of
from benchmarks.paper.scales import SCALES
from benchmarks.registry import BENCHMARKS
from benchmarks.results import read_rows
from benchmarks.zoo.discriminators import ConvDiscriminator, LSGANDiscriminator
from sklearn_flipad.datasets import load_celeba
from sklearn_flipad.zoo import DCGANGenerator, LSGANGenerator
from tests.benchmarks.test_stylegan2 import untrained

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
pytestmark = pytest.mark.filterwarnings("ignore:After training, most of the training outliers")
BY_NAME = {entry.name: entry for entry in ENTRIES}
#: Table 7 and Figures 1 to 3, 5 and 6 show no measurement: related work and drawings.
IN_THE_PAPER = (
    *(f"table-{number}" for number in (*range(1, 7), *range(8, 17))),
    *(f"figure-{number}" for number in (4, *range(7, 17))),
    *(f"example-4.{number}" for number in (1, 2, 3)),
    "theorem-4.5",
)
#: Tables whose numbers the paper gives.
NUMBERED = (*IN_THE_PAPER[:15], "figure-14", "figure-15", "example-4.2")


def test_everything_in_the_paper_has_an_entry():
    assert [entry.name for entry in ENTRIES] == [*IN_THE_PAPER, "variants", "again"]
    for entry in ENTRIES:
        assert entry.caption
        assert entry.sources
        assert {*entry.experiment.split()} <= {*EXPERIMENTS}
        assert {*entry.benchmark.split()} <= {*BENCHMARKS}
        assert entry.experiment or entry.benchmark or entry.name in figures.FIGURES
        assert entry.figure == (entry.name in figures.FIGURES)
        assert bool(entry.paper) == (entry.name in NUMBERED)
    assert {*EXPERIMENTS} == {name for x in ENTRIES for name in x.experiment.split()}
    for benchmark in ("tabular", "medical", "latent_diffusion", "stylegan2"):
        assert any(benchmark in entry.benchmark for entry in ENTRIES)


def test_numbers_of_the_paper_agree_with_one_another():
    found = numbers()
    detailed = found[found["entry"] == "table-8"]
    assert len(detailed) == 6 * 4 * 8
    for (method, column), mean in BY_NAME["table-1"].paper.items():
        data, kind = column.split()
        same = detailed[
            (detailed["row"] == f"{method} {kind}") & detailed["column"].str.startswith(data)
        ]
        assert same["value"].mean() == pytest.approx(mean, abs=0.011)
    fnr_0005 = BY_NAME["table-12"].paper
    for (method, column), value in BY_NAME["table-1"].paper.items():
        if method == "FLIPAD":
            assert fnr_0005["n_tr 10000", column] == value


def test_scales():
    paper, laptop = SCALES["paper"], SCALES["laptop"]
    assert (paper.n_tr, paper.n_val, paper.n_test, paper.n_runs) == (10_000, 1000, 1000, 5)
    assert (paper.n_epochs, paper.fnrs, paper.channels) == (50, (0.005, 0.05), (128, 256, 128))
    assert len({cell.owner for cell in cells_of(ENTRIES, laptop) if cell.owner}) == 12
    runs = [cell.run for cell in cells_of(ENTRIES, laptop)]
    assert runs == sorted(runs)
    assert max(runs) == laptop.n_runs  # of what is measured again
    for scale in SCALES.values():
        cells = cells_of(ENTRIES, scale)
        assert len(set(cells)) == len(cells)


@pytest.fixture
def run_tiny(tmp_path, work):
    """Run an entry at the scale tiny, and return the file of its results."""

    def run(*names):
        folders = ["--out", str(tmp_path), "--work", str(work)]
        program.main(["paper", *names, "--scale", "tiny", "--threads", "1", *folders])
        return tmp_path / "paper.jsonl"

    return run


def test_an_entry_is_taken_up_where_it_was_killed(run_tiny, monkeypatch, capsys, tmp_path):
    owners = "fashion/dcgan-0", "fashion/wgan-gp-0"
    monkeypatch.setattr("benchmarks.paper.experiments.owners", lambda scale: owners)
    path = run_tiny("table-1")
    shown = capsys.readouterr().out
    assert "1 of 10, about" in shown
    assert "10 of 10, about 0 min left" in shown
    rows = read_rows(path)
    assert {row["scale"] for row in rows} == {"tiny"}
    assert all({*KEYS} <= {*row} for row in rows)
    judged_sources = rows[3]["sources"]
    kinds = {f"fashion/{kind}-0" for kind in ("wgan-gp", "lsgan", "ebgan")}
    assert {*judged_sources} == kinds | {"real", "fashion/dcgan-1"}
    assert all(len(found["accuracy"]) == 2 for found in judged_sources.values())

    # Killed while it wrote the last line but one: the cell before it is measured again as well,
    # to which that line may belong, and all are the same.
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]) + lines[-2][:50])
    run_tiny("table-1", "table-2")
    shown = capsys.readouterr().out
    assert "1 of 3, about" in shown
    assert "10 rows" in shown

    def result(row):
        return {key: value for key, value in row.items() if not key.endswith(("_s", "seconds"))}

    assert [*map(result, read_rows(path))] == [*map(result, rows)]

    program.main(["paper", "render", "--results", str(tmp_path), "--out", str(tmp_path / "r")])
    shown = capsys.readouterr().out
    assert f"table-1: {tmp_path / 'r' / 'paper_table_1.csv'}" in shown
    assert "table-3: nothing is measured yet" in shown
    program.main(["paper", "list", "--results", str(tmp_path)])
    assert "laptop: not run (42 cells)" in capsys.readouterr().out


def test_decoders_are_drawn(run_tiny, tmp_path):
    pytest.importorskip("diffusers")
    rows = read_rows(run_tiny("figure-10"))
    assert rows[0]["distances"]["0"] == 0
    assert min(sorted(rows[0]["distances"].values())[1:]) > 0
    assert figures.draw("figure-10", rows, tmp_path).stat().st_size > 0


def test_unknown_entries_and_missing_images_say_what_to_do(run_tiny, tmp_path, capsys):
    with pytest.raises(SystemExit, match="no entry 'table-7': see python -m benchmarks paper list"):
        run_tiny("table-7")
    assert run_tiny("table-5").exists() is False
    assert "table-5 is measured by python -m benchmarks tabular." in capsys.readouterr().out
    folders = ["--out", str(tmp_path), "--work", str(tmp_path)]
    with pytest.raises(SystemExit, match="pass --celeba and their folder, or choose --scale lap"):
        program.main(["paper", "table-1", "--scale", "paper", *folders])


def test_the_scale_of_the_paper_trains_its_generators(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    (tmp_path / "img_align_celeba").mkdir()
    for index in range(24):
        pixels = rng.integers(256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "img_align_celeba" / f"{index:06}.png")
    # 32x32 in place of 64x64, and few channels.
    monkeypatch.setitem(sources._LOADERS, "celeba", partial(load_celeba, size=32))
    channels = (4, 4, 4)
    networks = {
        "dcgan": (lambda: DCGANGenerator(4, channels), lambda: ConvDiscriminator(channels)),
        "lsgan": (
            lambda: LSGANGenerator(4, (4, *channels), image_size=32),
            lambda: LSGANDiscriminator(channels, image_size=32),
        ),
    }
    recipes = {}
    for kind, pair in networks.items():
        _, _, objective, _, settings = sources._RECIPES[kind]
        recipes[kind] = (*pair, objective, {"celeba": 1}, {**settings, "batch_size": 4})
    monkeypatch.setattr(sources, "_RECIPES", recipes)
    quick = partial(sources.recalibrate_batch_norm, n_batches=2)
    monkeypatch.setattr(sources, "recalibrate_batch_norm", quick)
    monkeypatch.setattr(sources, "ARCHITECTURES", ("dcgan", "lsgan"))
    sizes = {"data_sets": ("celeba",), "channels": (4, 4), "side": 16, "n_tr": 12, "seeds": (0,)}
    monkeypatch.setitem(SCALES, "paper", replace(SCALES["tiny"], **sizes))
    folders = ["--out", str(tmp_path), "--work", str(tmp_path), "--celeba", str(tmp_path)]
    program.main(["paper", "table-1", "--scale", "paper", "--threads", "1", *folders])
    rows = read_rows(tmp_path / "paper.jsonl")
    assert {row["owner"] for row in rows} == {"celeba/dcgan-0", "celeba/lsgan-0"}
    assert len(rows) == 2 * 5
    trained = {path.name for path in tmp_path.glob("celeba-*.safetensors")}
    assert trained == {"celeba-dcgan-0.safetensors", "celeba-lsgan-0.safetensors"}


def test_the_list_has_each_entry(capsys):
    program.main(["paper", "list", "--results", str(RESULTS)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::3]] == [*BY_NAME]
    assert all("paper: not run" in line or "nothing to run" in line for line in lines[1::3])
    for line in lines[2::3]:
        named = line.split("benchmarks ")[1].split(",")[0].split()[0]
        assert named in BENCHMARKS


def test_committed_results_render_offline(tmp_path, capsys):
    program.main(["paper", "render", "--results", str(RESULTS), "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    shown = dict(line.split(": ") for line in lines)
    assert [*shown] == [*BY_NAME]
    for name, paths in shown.items():
        assert "nothing" not in paths, name
        for path in paths.split(", "):
            assert Path(path).stat().st_size > 0
    committed = {path.name for path in RESULTS.glob("paper_figure_*.png")}
    assert committed <= {path.name for path in tmp_path.glob("*.png")}


def test_committed_rows_have_the_sizes_of_their_scale():
    cells = {("laptop", *cell) for cell in cells_of(ENTRIES, SCALES["laptop"])}
    scale = SCALES["laptop"]
    for row in read_rows(RESULTS / "paper.jsonl"):
        assert tuple(row[key] for key in KEYS) in cells
        if "sources" not in row:
            continue
        experiment, setting = row["experiment"], row["setting"]
        if experiment == "again":
            table, _, setting = setting.partition(", ")
            experiment = attribution.AGAIN[table]
        n_epochs = scale.n_epochs * attribution.VARIANTS.get(setting, 1)
        sizes = [scale.n_tr, scale.n_val, scale.n_test, n_epochs]
        if experiment == "fewer":
            sizes[0] = int(setting.removeprefix("n_tr "))
            sizes[3] = scale.fewer[sizes[0]]
        elif experiment == "perturbed":
            sizes = list(scale.perturbed)
        elif experiment == "searched":
            sizes = [0, *scale.searched, 0]
        assert row["sizes"] == sizes
        assert row["fnrs"] == list(scale.fnrs)


def judged(accuracies, run=0, method="FLIPAD", owner="fashion/dcgan-0"):
    return {
        "scale": "laptop",
        "experiment": "attribution",
        "owner": owner,
        "setting": "n_tr 1000",
        "method": method,
        "run": run,
        "fnrs": [0.005, 0.05],
        "sizes": [1000, 400, 200, 10],
        "fit_s": 1.0,
        "sources": {
            source: {"accuracy": [accuracy, 0.5], "auc": 0.9}
            for source, accuracy in accuracies.items()
        },
    }


def test_means_and_deviations_are_those_of_sources_and_runs():
    rows = [
        judged({"real": 0.9, "fashion/lsgan-0": 1.0, "fashion/dcgan-1": 0.6}),
        judged({"real": 0.8, "fashion/lsgan-0": 0.9, "fashion/dcgan-1": 0.8}, run=1),
    ]
    values = np.array([90, 100, 80, 90])
    found = rendering.TABLES["paper_table_1"](rows).iloc[0]
    assert found["dcgan"] == f"{values.mean():.2f} ({values.std(ddof=1):.2f})"
    assert found["dcgan in the paper"] == "99.34 / 97.75"
    assert found["lsgan"] == ""
    assert rendering.TABLES["paper_table_10"](rows).iloc[0]["dcgan"] == f"{values.std(ddof=1):.2f}"
    assert rendering.TABLES["paper_table_2"](rows).iloc[0]["dcgan"] == "70.00 (14.14)"
    found = rendering.TABLES["paper_table_8"](rows).iloc[0]
    assert (found["model"], found["real"], found["lsgan"]) == ("dcgan", "85.00", "95.00")


def test_losses_are_of_own_and_of_other_samples():
    row = judged({"real": 1.0, "fashion/lsgan-0": 0.8, "fashion/dcgan-1": 0.6})
    # At 0.05: 0.5 for each source, of which 0.1 are own samples.
    row |= {"found_fnrs": [0.0, 0.2]}
    strict, liberal = rendering.TABLES["paper_losses"]([row]).to_dict("records")
    assert (strict["accuracy"], strict["pairs above 97.5"]) == ("90.00", "1 of 2")
    assert (strict["lost: own rejected"], strict["lost: others accepted"]) == ("0.00", "10.00")
    assert (liberal["lost: own rejected"], liberal["lost: others accepted"]) == ("10.00", "40.00")
    (found,) = rendering.TABLES["paper_pairs"]([row]).to_dict("records")
    assert found["model"] == "fashion/dcgan-0"
    assert (found["real"], found["lsgan"], found["dcgan"]) == ("100.00", "80.00", "")


def test_cells_are_measured_again_from_scratch(run_tiny, monkeypatch, work):
    tables = {"table-2": "attribution", "table-13": "perturbed"}
    for module in (experiments, attribution):
        monkeypatch.setattr(module, "AGAIN", tables)
    monkeypatch.setattr(elsewhere, "CELLS", {})
    kept = sorted(work.glob("features/*"))
    rows = read_rows(run_tiny("again"))
    found = [(row["setting"], row["method"] == "FLIPAD") for row in rows]
    names = "table-2, n_tr 20", "table-13, blur 3"
    assert found == [(name, is_flipad) for name in names for is_flipad in (True, False)]
    assert {row["run"] for row in rows} == {SCALES["tiny"].n_runs}
    assert sorted(work.glob("features/*")) == kept


def test_cells_of_other_benchmarks_are_trained_again(run_tiny, monkeypatch):
    cell, seeds = ("table-4, style-based", "RawPAD"), []

    def trained(seed, options):
        seeds.append(seed)
        return untrained(seed, options)

    monkeypatch.setattr(stylegan2, "trained", trained)
    monkeypatch.setattr(experiments, "AGAIN", {})
    monkeypatch.setattr(elsewhere, "CELLS", {cell: elsewhere.CELLS[cell]})
    (row,) = read_rows(run_tiny("again"))
    assert seeds == [2, 3]
    assert (row["setting"], row["method"], row["training"]) == (*cell, "stylegan2-2")
    assert 0 <= row["accuracy"] <= 1
    run_tiny("again")
    assert seeds == [2, 3]


def test_cells_of_other_benchmarks_are_compared_with_their_rows():
    known = elsewhere.known_accuracies("table-5, redwine", "FLIPAD")
    assert len(known) == 5
    again = {"scale": "laptop", "experiment": "again", "owner": "", "method": "FLIPAD", "run": 5}
    for value, is_inside in ((np.mean(known), "yes"), (np.mean(known) + 10, "no")):
        row = {**again, "setting": "table-5, redwine", "accuracy": value / 100}
        (found,) = rendering.TABLES["paper_again"]([row]).to_dict("records")
        assert (found["table"], found["cell"], found["of"]) == ("table-5", "FLIPAD, redwine", 5)
        assert (found["mean"], found["again"]) == (f"{np.mean(known):.2f}", f"{value:.2f}")
        assert found["within two sd"] == is_inside


@pytest.mark.parametrize(("accuracy", "is_inside"), [(0.79, "yes"), (0.99, "no")])
def test_what_is_measured_again_lies_within_two_deviations(accuracy, is_inside):
    rows = [judged({"real": x, "fashion/dcgan-1": 0.1}, run) for run, x in enumerate((0.7, 0.8))]
    new = judged({"real": accuracy, "fashion/dcgan-1": 0.1}, run=5)
    new |= {"experiment": "again", "setting": "table-1, n_tr 1000"}
    (found,) = rendering.TABLES["paper_again"]([*rows, new]).to_dict("records")
    assert (found["of"], found["mean"], found["sd"]) == (2, "75.00", "7.07")
    assert (found["again"], found["within two sd"]) == (f"{100 * accuracy:.2f}", is_inside)
    assert found["cell"] == "FLIPAD, fashion/dcgan-0, n_tr 1000"
    # Against seeds, all are the same.
    new["setting"] = "table-2, n_tr 1000"
    (found,) = rendering.TABLES["paper_again"]([*rows, new]).to_dict("records")
    assert (found["mean"], found["again"]) == ("10.00", "10.00")
    # One run has no deviation.
    (found,) = rendering.TABLES["paper_again"]([rows[0], new]).to_dict("records")
    assert (found["mean"], found["sd"], found["within two sd"]) == ("10.00", "", "")


def test_claims_are_confirmed_or_not():
    def said(rows):
        return claims.table(rows).set_index("claim")["confirmed"]

    above = "FLIPAD is above 97.5 % for each architecture"
    nothing = said([])
    assert (nothing == "not measured").sum() == len(nothing) - 5
    assert nothing["FLIPAD is the most accurate on Redwine"] == "no"
    assert nothing["an unseen medical generator passes RawPAD and DCTPAD only"] == "yes"
    good = judged({"real": 0.99})
    assert said([good])[above] == "yes"
    poor = judged({"real": 0.9}, owner="fashion/ebgan-0")
    assert said([good, poor])[above] == "in part"
    assert said([poor])[above] == "no"
    best = "FLIPAD is the best method against other architectures"
    assert said([good])[best] == "yes"
    assert said([good, judged({"real": 1.0}, method="RawPAD")])[best] == "no"
    searched = judged({"real": 1.0}, method="SM-Inv l2") | {"experiment": "searched"}
    assert said([good, searched])[best] == "in part"
    assert said([searched])[best] == "not measured"


def test_maps_are_kept_to_a_level():
    rows = [x for x in read_rows(RESULTS / "paper.jsonl") if x["experiment"] == "averages"]
    for row in rows[:2]:
        for found in row["maps"].values():
            decoded = decode_map(json.loads(json.dumps(found)))
            assert decoded.min() == pytest.approx(found["range"][0])
            assert decoded.max() == pytest.approx(found["range"][1])
