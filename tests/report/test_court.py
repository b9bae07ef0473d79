"""Evaluative reports and validations say what the ratios and the labels say."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline

from sklearn_flipad import ReproductionDetector, ResidualTransformer, make_rawpad, save_attributor
from sklearn_flipad.calibration.likelihood_ratios import VerbalScale
from sklearn_flipad.cli.app import app
from sklearn_flipad.evaluation import cllr
from sklearn_flipad.final_layer import LatentDecoder
from sklearn_flipad.report import write_report, write_validation
from sklearn_flipad.report._evaluative import ratio_text
from sklearn_flipad.report._methods import limits
from sklearn_flipad.scoring import score_files
from tests.report.test_report import Page

RNG = np.random.default_rng(0)
#: Own images are darker than others; the last 60 of each are new to all attributors.
OWN, OTHERS = (RNG.integers(low, low + 200, (360, 1, 6, 6), dtype=np.uint8) for low in (0, 24))
REFERENCE = "bright <i>noise</i>"


def attributor_of(**options):
    detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    options = {"reference": REFERENCE, "lr": "logistic", "fnr": 0.05, **options}
    X = np.concatenate([OWN[:300], OTHERS[:300]])
    return make_rawpad(detector=detector, cv=0.5, random_state=0, **options).fit(
        X, np.repeat([1, -1], 300)
    )


@pytest.fixture(scope="module")
def attributor():
    return attributor_of()


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A folder with files of known origin, a copy among them, and the file of labels."""
    folder = tmp_path_factory.mktemp("known")
    rows = []
    for label, images in (("own", OWN[300:]), ("other", OTHERS[300:])):
        for k, image in enumerate(images):
            name = f"images/{label}{k:02}.png"
            (folder / "images").mkdir(exist_ok=True)
            Image.fromarray(image[0]).save(folder / name)
            rows.append({"path": name, "label": label, "source": f"{label} {k % 2}"})
    (folder / "images/copy.png").write_bytes((folder / "images/own00.png").read_bytes())
    rows.append({"path": "images/copy.png", "label": "own", "source": "own 0"})
    write_labels(folder / "labels.csv", rows)
    return folder


def write_labels(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def table(attributor, known, tmp_path_factory):
    out = tmp_path_factory.mktemp("table") / "verdicts.csv"
    return Path(score_files(attributor, known / "images", out, mode="L").out)


def test_an_evaluative_report(attributor, table, tmp_path):
    page = write_report(
        table, attributor, tmp_path / "r.html", model="the DCGAN", evaluative=True, max_suspects=2
    )
    text = Page(page).text
    assert "Evaluative report" in text
    assert "H1 The file was made by the DCGAN." in text
    assert REFERENCE in text
    evidence = attributor.evidence(np.concatenate([OTHERS[300:], OWN[300:]]))
    rows = {}
    for line in csv.DictReader(table.read_text().splitlines()):
        rows[Path(line["path"]).name] = line
    for name, of in (("own07.png", 67), ("other03.png", 3)):
        logs = evidence.log10_lr[of]
        assert float(rows[name]["log10_lr"]) == pytest.approx(logs)
        side, other = ("H1", "H2") if logs > 0 else ("H2", "H1")
        bound = "*" if evidence.ratios.at_bound[of] else ""
        said = f"{name} {ratio_text(abs(logs))} times as probable if {side} is true as if {other} "
        said += f"is true{bound}"
        assert said in text.replace("images/", "")
    assert "same content as No." in text
    # What an evaluative report leaves to the court, or to the other report.
    assert "undecided" not in text
    assert "threshold of the reference" not in page.read_text()
    assert "p_own" not in text
    assert "The odds before" in text
    assert "Cllr" in text
    assert re.search(r"misleading, samples of the model \d+ of 150", text)


def test_a_scale_of_the_user(attributor, table, tmp_path):
    scale = VerbalScale((3,), (None, "some <b>support</b>"))
    page = write_report(
        table, attributor, tmp_path / "r.html", evaluative=True, scale=scale, max_suspects=0
    )
    found = Page(page)
    assert "some <b>support</b> for H1 over H2" in found.text
    assert "moderate support" not in found.text
    with pytest.raises(TypeError, match="scale must be a VerbalScale"):
        write_report(table, attributor, tmp_path / "s.html", evaluative=True, scale="enfsi")


def test_no_ratios_no_evaluative_report(known, tmp_path):
    attributor = attributor_of(lr=None)
    table = score_files(attributor, known / "images", tmp_path / "v.csv", mode="L").out
    with pytest.raises(ValueError, match="lr='logistic'"):
        write_report(table, attributor, tmp_path / "r.html", evaluative=True)
    assert not (tmp_path / "r.html").exists()
    result = write_validation(table, attributor, known / "labels.csv", tmp_path / "v.html")
    assert result.cllr is None
    assert "Likelihood ratios" not in Page(result.out).text


@pytest.mark.parametrize(
    ("log10_lr", "text"),
    [(0, "1.0"), (0.3, "2.0"), (1.04, "11"), (2.096, "120"), (3.66, "4,600"), (5, "100,000")],
)
def test_numbers_of_ratios(log10_lr, text):
    assert ratio_text(log10_lr) == text


def test_a_validation(attributor, known, table, tmp_path):
    result = write_validation(
        table, attributor, known / "labels.csv", tmp_path / "v.html", model="the DCGAN"
    )
    evidence = [attributor.evidence(X[300:]) for X in (OWN, OTHERS)]
    rejected, called = evidence[0].own_rejected, evidence[1].verdicts == "own"
    assert (result.own_rejected.count, result.own_rejected.n) == (rejected.sum(), 60)
    assert (result.others_called_own.count, result.others_called_own.n) == (called.sum(), 60)
    y, logs = np.repeat([1, -1], 60), np.concatenate([e.log10_lr for e in evidence])
    assert result.cllr == pytest.approx(cllr(y, logs))
    assert [group.name for group in result.by_source] == ["other 0", "other 1", "own 0", "own 1"]
    assert result.by_source[0].own_rejected is None
    assert result.by_source[2].own_rejected.count == rejected[::2].sum()
    assert [group.name for group in result.by_stratum] == ["PNG"]
    assert result.findings == ()
    text = Page(result.out).text
    assert f"{rejected.sum()} of 60" in text
    assert "nothing was found that contradicts" in text
    assert "1 copies were left out" in text
    assert "0 labeled files have no score" in text
    assert result.by_source[0].misleading.n == 30
    rows = list(csv.DictReader((known / "labels.csv").read_text().splitlines()))
    write_labels(known / "more.csv", [*rows, {**rows[0], "path": "images/missing.png"}])
    more = write_validation(table, attributor, known / "more.csv", tmp_path / "w.html")
    assert more.n_unscored == 1


def test_ratios_that_mislead(attributor, known, table, tmp_path):
    """With the labels exchanged, nearly all ratios favor the wrong proposition."""
    rows = list(csv.DictReader((known / "labels.csv").read_text().splitlines()))
    exchanged = {"own": "other", "other": "own"}
    write_labels(known / "no.csv", [{**r, "label": exchanged[r["label"]]} for r in rows])
    result = write_validation(table, attributor, known / "no.csv", tmp_path / "v.html")
    assert result.cllr > 1
    findings = " ".join(result.findings)
    assert "mislead as often as they help" in findings
    assert "strongest ratio for the wrong proposition" in findings


def test_a_file_that_fits_neither_population(attributor, known, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    Image.fromarray(np.zeros((6, 6), np.uint8)).save(folder / "black.png")
    Image.fromarray(np.full((6, 6), 255, np.uint8)).save(folder / "white.png")
    table = score_files(attributor, folder, tmp_path / "v.csv", mode="L").out
    page = write_report(table, attributor, tmp_path / "r.html", evaluative=True)
    assert "may come from a third source" in Page(page).text


def test_files_of_the_model_that_changed(attributor, known, tmp_path):
    """Brighter own files are rejected more often, and score otherwise."""
    folder = tmp_path / "brighter"
    folder.mkdir()
    rows = []
    for label, images in (("own", OWN[300:] + np.uint8(20)), ("other", OTHERS[300:])):
        for k, image in enumerate(images):
            Image.fromarray(image[0]).save(folder / f"{label}{k}.png")
            rows.append({"path": f"brighter/{label}{k}.png", "label": label, "stratum": label[:2]})
    write_labels(tmp_path / "labels.csv", rows)
    table = score_files(attributor, folder, tmp_path / "v.csv", mode="L").out
    result = write_validation(table, attributor, tmp_path / "labels.csv", tmp_path / "v.html")
    assert "more often than chosen" in result.findings[0]
    assert "score differently" in result.findings[1]
    assert all(finding in Page(result.out).text for finding in result.findings)
    assert [group.name for group in result.by_stratum] == ["ot", "ow"]


def test_what_is_no_validation(attributor, known, table, tmp_path):
    rows = list(csv.DictReader((known / "labels.csv").read_text().splitlines()))

    def refused(rows, message, table=table):
        write_labels(known / "bad.csv", rows)
        with pytest.raises(ValueError, match=message):
            write_validation(table, attributor, known / "bad.csv", tmp_path / "v.html")
        assert not (tmp_path / "v.html").exists()

    refused(rows[1:], "1 scored files have no label, the first is .*own00.png")
    refused([{**row, "label": "own"} for row in rows], "No scored file is labeled other")
    refused([{**rows[0], "label": "ours"}, *rows[1:]], "line 2: the label must be own or other")
    refused([*rows, {**rows[3], "label": "other"}], "listed twice")
    refused([*rows, {**rows[3], "source": "elsewhere"}], "listed twice")
    refused([*rows, {**rows[3], "path": ""}], "line 123: there is no path")
    refused([*rows[:-1], {**rows[-1], "label": "other"}], "same content")
    refused([{"path": row["path"]} for row in rows], "no column label")
    (known / "utf16.csv").write_text("path,label\n", encoding="utf-16")
    (known / "empty.csv").write_text("path,label\n")
    for name, message in (("utf16.csv", "utf16.csv is not UTF-8"), ("empty.csv", "no labels")):
        with pytest.raises(ValueError, match=message):
            write_validation(table, attributor, known / name, tmp_path / "v.html")
    folder = tmp_path / "seen"
    folder.mkdir()
    for k, image in enumerate([OWN[5], OWN[305], OTHERS[305], *OTHERS[:10]]):
        Image.fromarray(image[0]).save(folder / f"{k}.png")
    seen = score_files(attributor, folder, tmp_path / "seen.csv", mode="L").out
    labels = ("own", "own", *["other"] * 11)
    rows = [{"path": str(folder / f"{k}.png"), "label": label} for k, label in enumerate(labels)]
    # Those that calibrated the ratios are among them.
    refused(rows, "11 of 13 files are equal to samples", table=seen)


def test_three_commands(known, tmp_path):
    """From files to a validated attributor and an evaluative report."""
    from typer.testing import CliRunner

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    save_attributor(attributor_of(), tmp_path / "a.flipad")
    assert "likelihood ratios" in run("inspect", tmp_path / "a.flipad")
    out = tmp_path / "labels.html"
    labels = ("--labels", known / "labels.csv", "--out", out, "--quiet")
    validate = ("validate", tmp_path / "a.flipad", known / "images")
    assert "of 60" in run(*validate, *labels)
    assert "Validation report" in Page(out).text
    # No file that is read is replaced, by whatever name.
    before = (known / "labels.csv").read_bytes()
    beside = ("--labels", known / "labels.csv", "--out", known / "labels.html", "--overwrite")
    run(*validate, *beside, "--quiet")
    assert (known / "labels.csv").read_bytes() == before
    wrong = ("--table", known / "labels.csv"), ("--labels", known / "nowhere.csv")
    for options, message in zip(wrong, ("would replace", "no such file"), strict=True):
        result = CliRunner().invoke(app, [str(a) for a in (*validate, *beside, *options)])
        assert result.exit_code == 1
        assert message in result.output
    report = ("--out", tmp_path / "s.csv", "--report", tmp_path / "s.html", "--evaluative")
    run("score", tmp_path / "a.flipad", known / "images", *report, "--quiet")
    assert "Evaluative report" in Page(tmp_path / "s.html").text
    again = ("--attributor", tmp_path / "a.flipad", "--evaluative", "--out", tmp_path / "t.html")
    run("report", tmp_path / "s.csv", *again, "--quiet")
    save_attributor(attributor_of(lr=None), tmp_path / "b.flipad")
    result = CliRunner().invoke(
        app, ["score", str(tmp_path / "b.flipad"), str(known / "images"), *map(str, report)]
    )
    assert result.exit_code == 1
    assert "--lr logistic" in result.output


def test_decoders_may_be_given_any_picture():
    autoencoder = torch.nn.Identity()
    decodes = limits(Pipeline([("residual", ResidualTransformer(autoencoder))]))
    assert [rest for _, rest in decodes if "decoded by the model" in rest]
    diffusers = pytest.importorskip("diffusers")
    vae = diffusers.AutoencoderKL(block_out_channels=(32,), sample_size=16)
    decoder = LatentDecoder(vae)
    decodes = limits(Pipeline([("detect", ReproductionDetector(decoder, encoder=None))]))
    assert [rest for _, rest in decodes if "decoded by the model" in rest]
    plain = limits(Pipeline([("detect", ReproductionDetector(autoencoder, encoder=None))]))
    assert not [rest for _, rest in plain if "decoded by the model" in rest]
