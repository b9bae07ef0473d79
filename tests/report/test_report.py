"""The report agrees with the table, the files and the attributor."""

import base64
import hashlib
import io
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import OneClassSVM
from torch import nn

from sklearn_flipad import (
    FinalLayer,
    FNRThresholdCalibrator,
    load_attributor,
    make_combined,
    make_flipad,
    make_rawpad,
    make_sminv,
    save_attributor,
)
from sklearn_flipad.calibration import simes_p_value, true_discovery_bound
from sklearn_flipad.generators import sample
from sklearn_flipad.pipelines import METHODS, Method
from sklearn_flipad.report import weights_digest, write_report
from sklearn_flipad.report._methods import fingerprints, views
from sklearn_flipad.report._text import visible
from sklearn_flipad.scoring import score_files
from tests.test_docs import shown_code

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (600, 1, 6, 6), dtype=np.uint8)
X[300:] //= 2
Y = np.repeat([1, -1], 300)
REFERENCE = "dark <b>noise</b> & more"


class Generator(nn.Module):
    """Two latents to images of 6 x 6, or to signals."""

    latent_shape = (2,)

    def __init__(self, shape=(1, 6, 6)):
        super().__init__()
        torch.manual_seed(0)
        self.shape = shape
        self.hidden = nn.Linear(2, 8)
        self.last = nn.Linear(8, int(np.prod(shape)))

    def forward(self, z):
        return torch.tanh(3 * self.last(torch.tanh(self.hidden(z)))).reshape(-1, *self.shape)


class Page(HTMLParser):
    """Tags, text and pictures of a page, as a browser would see them."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.parts = [], []
        self.feed(Path(path).read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.parts.append(" ")

    def handle_data(self, data):
        if self.tags[-1:] and self.tags[-1][0] != "style":
            self.parts.append(data)

    @property
    def text(self):
        """All text, with single blanks as white space."""
        return " ".join("".join(self.parts).split())

    def pictures(self, alt):
        """Pixels of the PNG files whose description contains a text."""
        found = [a["src"] for tag, a in self.tags if tag == "img" and alt in a["alt"]]
        found = [base64.b64decode(src.removeprefix("data:image/png;base64,")) for src in found]
        return [np.asarray(Image.open(io.BytesIO(content))) for content in found]


def fitted(**options):
    detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    attributor = make_rawpad(detector=detector, fnr=0.1, random_state=0, **options)
    return attributor.set_params(detect__reference=REFERENCE).fit(X, Y)


@pytest.fixture(scope="module")
def attributor():
    return fitted()


@pytest.fixture
def folder(tmp_path):
    """Thirteen images, own and others, of which one is a copy, and a damaged file."""
    folder = tmp_path / "images"
    folder.mkdir()
    for k in range(12):
        Image.fromarray(X[k if k < 6 else 300 + k, 0]).save(folder / f"{k:02d}.png")
    shutil.copy(folder / "00.png", folder / "copy.png")
    (folder / "damaged.png").write_bytes(b"no image")
    return folder


def scored(attributor, folder, suffix=".csv", **options):
    out = folder.parent / f"verdicts{suffix}"
    return Path(score_files(attributor, folder, out, mode="L", **options).out)


def report(table, attributor, **options):
    out = table.parent / "report.html"
    assert (
        write_report(table, attributor, out, **{"overwrite": True, "max_suspects": 2, **options})
        == out
    )
    return Page(out)


def test_it_says_what_the_table_says(attributor, folder):
    table = scored(attributor, folder)
    page, rows = report(table, attributor, model="the DCGAN"), pd.read_csv(table)
    assert "Which of these 14 files were made by the DCGAN" in page.text
    for verdict, n in rows["verdict"].value_counts().items():
        assert re.search(rf"{verdict} [a-z ,]+ {n} ", page.text)
    assert f"All names begin with {folder}/" in page.text
    for k, row in rows.iterrows():
        shown = f" {k + 1} {Path(row['path']).name} "
        if row["status"] == "refused":
            assert f"{shown}none {row['reason']}" in page.text
            continue
        assert f"{shown}{row['verdict']}" in page.text
        assert f"{row['p_own']:.3g} {row['p_reference']:.3g}" in page.text
        assert row["sha256"] in page.text
        assert f"{row['n_bytes']} {row['decoding']}" in page.text
    assert "dark <b>noise</b> & more" in page.text
    assert not [tag for tag, _ in page.tags if tag == "b" and "noise" in tag]
    assert (
        "at most 10 % are called “not own” (the false-negative rate, fnr), on average" in page.text
    )


class Middle(OutlierMixin, BaseEstimator):
    """Minus the distance to the mean, a distance that no generator is searched for."""

    def fit(self, X, y=None):
        self.mean_ = np.mean(X if y is None else X[np.asarray(y) == 1], axis=0)
        return self

    def score_samples(self, X):
        return -np.abs(X - self.mean_).reshape(len(X), -1).mean(axis=1)


def test_a_distance_of_a_method_without_a_generator(folder, monkeypatch):
    method = Method("middle", Middle, Middle, "distance to the mean", is_distance=True)
    monkeypatch.setitem(METHODS, "middle", method)
    attributor = FNRThresholdCalibrator(Middle(), fnr=0.1, random_state=0).fit(X, Y)
    assert (fingerprints(attributor), views(attributor, X[:2])) == ([], [])
    page = report(scored(attributor, folder), attributor)
    assert "Features of samples are all that the method knows" in page.text


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_all_formats_give_the_same_page(attributor, folder, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")

    def text(table):
        page = re.sub(r"Written [\d: -]+UTC", "", report(table, attributor).text)
        return page.replace(hashlib.sha256(table.read_bytes()).hexdigest(), "")

    assert text(scored(attributor, folder)) == text(scored(attributor, folder, suffix))


def test_all_files_together_and_copies_count_once(attributor, folder):
    table = scored(attributor, folder)
    page, rows = report(table, attributor), pd.read_csv(table).dropna(subset="score")
    p_own, p_reference = (
        rows[~rows["sha256"].duplicated()][f"p_{n}"] for n in ("own", "reference")
    )
    assert len(p_own) == 12
    assert f"“All of these files are from the model”: p = {simes_p_value(p_own):.2g}." in page.text
    assert f"from the reference”: p = {simes_p_value(p_reference):.2g}." in page.text
    for p, of in ((p_own, "it"), (p_reference, "the reference")):
        bound = true_discovery_bound(p)
        assert bound > 0
        assert f"at least {bound} of 12 are not from {of}" in page.text
    assert "exact copies that were left out: 1)" in page.text


def test_the_strongest_are_shown_as_they_were_decoded(attributor, folder):
    table = scored(attributor, folder)
    page, rows = report(table, attributor, max_suspects=3), pd.read_csv(table)
    strongest = rows.sort_values("score", ascending=False, kind="stable")[:3]
    shown = re.findall(r"No\. (\d+): ([\w.]+)", page.text)
    assert shown == [(str(k + 1), Path(row["path"]).name) for k, row in strongest.iterrows()]
    for picture, path in zip(page.pictures("decoded"), strongest["path"], strict=True):
        assert np.array_equal(picture, np.asarray(Image.open(path)))
    assert "3 of 13 scored files" in page.text
    assert "10 are left out" in page.text
    assert "No." not in report(table, attributor, max_suspects=0, max_files=0).text


def test_long_tables_are_cut_and_counted_whole(attributor, folder):
    table = scored(attributor, folder)
    whole, cut = report(table, attributor).text, report(table, attributor, max_files=4).text
    assert "The first 4 files; 10 more are in the table of verdicts." in cut
    assert cut.partition("What this does")[0].split("UTC")[1] in whole


def test_files_that_are_gone_or_changed_have_no_picture(attributor, folder):
    table = scored(attributor, folder)
    (folder / "00.png").unlink()
    shutil.copy(folder / "02.png", folder / "01.png")
    with open(folder / "02.png", "ab") as file:
        file.write(b"more")
    page = report(table, attributor, max_suspects=13)
    assert len(page.pictures("decoded")) == 10
    assert page.text.count("The file is no longer where it was scored: no picture.") == 1
    assert page.text.count("The file was changed after it was scored") == 2


def test_a_table_of_another_attributor_is_refused(attributor, folder, tmp_path):
    path, other = tmp_path / "model.flipad", tmp_path / "other.flipad"
    save_attributor(attributor, path)
    save_attributor(fitted(rule="pac"), other)
    table = scored(path, folder)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in report(table, path).text
    for wrong in (other, attributor, fitted(cv=0.3)):
        with pytest.raises(ValueError, match="made with another attributor"):
            report(table, wrong)
    # What was given as an object is known again, also after it was loaded in another place.
    loaded = load_attributor(path)
    table = scored(loaded, folder, ".jsonl")
    report(table, loaded)
    report(table, load_attributor(path))


def test_tables_that_were_changed_are_refused(attributor, folder):
    table = scored(attributor, folder)
    run = Path(f"{table}.run.json")
    content, description = table.read_text(), run.read_text()
    table.write_text(content.replace("not own", "own"))
    with pytest.raises(ValueError, match="changed since it was written"):
        report(table, attributor)
    fields = json.loads(description)
    for old, new, message in (
        ("not own", "not known", "row [0-9]+ is not a row"),
        ("not own", "own", "do not follow from its scores"),
        ("refused", "scored", "row 14 is not a row"),
        ("score,", "points,", "no table of verdicts"),
    ):
        table.write_text(content.replace(old, new))
        fields["sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
        run.write_text(json.dumps(fields))
        with pytest.raises(ValueError, match=message):
            report(table, attributor)
    table.write_text(content)
    for text, message in (("{", "damaged"), ("[]", "damaged"), (json.dumps(fields), "changed")):
        run.write_text(text)
        with pytest.raises(ValueError, match=message):
            report(table, attributor)
    run.write_text(description.replace("score_files", "something"))
    with pytest.raises(ValueError, match="describes"):
        report(table, attributor)
    run.unlink()
    with pytest.raises(FileNotFoundError, match="says how it was made"):
        report(table, attributor)


def test_another_score_is_said(attributor, folder):
    """A score in the table that the file does not have, with the right p-values."""
    table = scored(attributor, folder, ".jsonl")
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    worst = min((row for row in rows if row["score"] is not None), key=lambda row: row["score"])
    worst["score"] = min(-attributor[-1].reference_scores_[-1], worst["score"]) - 100.0
    p_own, p_reference = attributor.weigh([-worst["score"]]).to_frame().iloc[0, 1:3]
    worst |= {"p_own": p_own, "p_reference": p_reference}
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = Path(f"{table}.run.json")
    fields = json.loads(run.read_text())
    fields["sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
    run.write_text(json.dumps(fields))
    page = report(table, attributor, max_suspects=13)
    assert page.text.count("Scored again for this page") == 1
    assert page.text.count("beyond the end of the axis") == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"out": "report.pdf"}, ValueError, "must end in .html"),
        ({"out": "there.html"}, FileExistsError, "overwrite=True"),
        ({"max_suspects": -1}, ValueError, "max_suspects"),
        ({"max_files": 1.5}, ValueError, "max_files"),
        ({"decoder": len}, ValueError, "not the decoder of these files"),
        ({"verdicts": "nowhere.csv"}, FileNotFoundError, "nowhere"),
        ({"attributor": object()}, TypeError, "attributor"),
    ],
)
def test_what_is_refused_leaves_no_page(attributor, folder, options, error, message):
    there = folder.parent / "there.html"
    there.write_text("something else")
    given = {"verdicts": scored(attributor, folder), "attributor": attributor, **options}
    given["out"] = folder.parent / given.get("out", "report.html")
    with pytest.raises(error, match=message):
        write_report(**given)
    assert [path.name for path in folder.parent.glob("*.html")] == ["there.html"]
    assert there.read_text() == "something else"


def test_notes_of_the_file_are_listed(attributor, folder, tmp_path):
    notes = {
        "own_samples_from": "latents of seed 3",
        "own_formats": ["JPEG", "PNG"],
        "negatives": {"PNG": 5, "more": {"<i>": None}},
        "<script>alert(1)</script>": "</dd><img src=x>\u202egnp",
        **{f"filler {k}": k for k in range(60)},
    }
    path, out = tmp_path / "model.flipad", tmp_path / "noted.csv"
    save_attributor(attributor, path, notes=notes)
    score_files(path, folder, out, mode="L")
    page = report(out, path)
    assert "noted: own_samples_from latents of seed 3" in page.text
    assert "noted: own_formats JPEG, PNG" in page.text
    assert "noted: negatives PNG: 5, more: <i>: null" in page.text
    assert r"noted: <script>alert(1)</script> </dd><img src=x>\u202egnp" in page.text
    assert not [tag for tag, _ in page.tags if tag in ("script", "i")]
    assert "noted: filler 45 45" in page.text
    assert "noted 14 more, not listed" in page.text
    # Steps that do nothing are left out.
    assert "method RawTransformer → LinearDiscriminantAnalysis" in page.text
    # Of an object they are not known, unless they are passed.
    assert "noted" not in report(scored(attributor, folder), attributor).text
    assert "noted: a 1" in report(out, path, notes={"a": 1}).text


def test_rules_say_what_their_levels_mean(folder):
    attributor = fitted(rule="pac")
    assert (
        "at most 10 % are called “not own” (the false-negative rate, fnr), with 95 % confidence"
        in (report(scored(attributor, folder), attributor).text)
    )
    attributor = fitted(rule="quantile")
    page = report(scored(attributor, folder, ".jsonl"), attributor).text
    assert "So there are no p-values here" in page
    assert "p_own" not in page
    assert "below the threshold" in page


def test_without_a_reference_nothing_is_said_of_one(folder):
    attributor = make_rawpad(detector=OneClassSVM(), fnr=0.1, random_state=0).fit(X[:300])
    page = report(scored(attributor, folder), attributor).text
    assert "No file is called “own”, since no population was compared" in page
    assert "cannot be bounded from below without a reference" in page
    assert "p_reference" not in page


def test_nothing_scored(attributor, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="None of the first"):
        table = scored(attributor, folder)
    page = report(table, attributor).text
    assert "Was this file made by the model" in page
    assert "no file has a score" in page


def test_reproductions_are_shown_with_their_differences(tmp_path):
    generator, folder = Generator(), tmp_path / "images"
    own = sample(generator, 64, random_state=0)
    attributor = make_sminv(generator, max_iter=5, n_restarts=1, fnr=0.1, rule="conformal").fit(own)
    folder.mkdir()
    for k in range(4):
        Image.fromarray(own[k, 0]).save(folder / f"{k}.png")
    table = scored(attributor, folder)
    page, rows = report(table, attributor, max_suspects=4), pd.read_csv(table)
    order = rows["score"].argsort()[::-1]
    result = attributor[-1].estimator_.estimator.reconstruct(own[:4])
    made = page.pictures("nearest that the model makes")
    assert np.array_equal(made, result.reconstructions[order][:, 0])
    assert len(page.pictures("file minus reproduction")) == 4
    for equal in result.equal:
        assert f"{equal:.1%} of the 36 values are identical" in page.text
    assert weights_digest(generator) in page.text
    assert "Reproduction compares a file with what the model can make" in page.text
    with torch.no_grad():
        generator.last.bias[0] += 1e-6
    assert weights_digest(generator) not in page.text


def test_final_layers_show_activations_and_combinations_show_all(dcgan_layer, tmp_path):
    own = RNG.integers(0, 256, (120, 1, 32, 32), dtype=np.uint8)
    detector, folder = OneClassSVM(), tmp_path / "images"
    parts = {
        "flipad": make_flipad(dcgan_layer, detector=detector, pool_size=4, fnr=0.2),
        "raw": make_rawpad(detector=detector, fnr=0.2),
    }
    attributor = make_combined(parts, fnr=0.2, random_state=0).fit(own)
    folder.mkdir()
    Image.fromarray(own[0, 0]).save(folder / "0.png")
    page = report(scored(attributor, folder), attributor)
    assert len(page.pictures("change, channel")) == 3
    assert dcgan_layer.fingerprint in page.text
    assert "Models that share it, or share a decoder, cannot be told apart by it" in page.text


def as_signal(data):
    return np.frombuffer(data, "<f4").reshape(2, -1), ["raw floats"]


def as_row(data):
    return np.frombuffer(data, "<f4"), ["raw floats"]


@pytest.mark.parametrize("decoder", [as_signal, as_row])
def test_other_files_than_images(decoder, tmp_path):
    generator, folder = Generator((2, 40) if decoder is as_signal else (5,)), tmp_path / "files"
    own = sample(generator, 60, dtype="float32", random_state=0)
    folder.mkdir()
    own[0].tofile(folder / "a.raw")
    attributor = make_sminv(generator, max_iter=3, n_restarts=1, fnr=0.1, rule="conformal").fit(own)
    out = tmp_path / "verdicts.csv"
    score_files(attributor, folder, out, decoder=decoder)
    page = report(out, attributor, decoder=decoder)
    if decoder is as_signal:
        figures = [a["alt"] for tag, a in page.tags if tag == "img"]
        assert figures[:3] == [
            "the file, decoded",
            "the file, and what the model makes that is nearest",
            "file minus reproduction",
        ]
    else:
        values = [f"{value:.4g}".replace("-", "\u2212") for value in own[0]]
        assert "No. value reproduction difference" in page.text
        assert all(value in page.text for value in values)
    without = report(out, attributor)
    assert "the decoder of the file is not known here" in without.text


def test_dense_layers_have_no_maps(linear_layer, tmp_path):
    own = RNG.normal(size=(100, 5)).astype("f4")
    attributor = make_flipad(linear_layer, detector=OneClassSVM(), fnr=0.2, random_state=0).fit(own)
    (tmp_path / "a.raw").write_bytes(own[0].tobytes())
    out = tmp_path / "verdicts.csv"
    score_files(attributor, tmp_path / "a.raw", out, decoder=as_row)
    assert "Activations of shape 12 cannot be drawn" in report(out, attributor, decoder=as_row).text


def test_layers_of_signals_show_lines(tmp_path):
    torch.manual_seed(0)
    layer = FinalLayer.from_module(nn.Conv1d(4, 1, 3, padding=1), input_shape=(4, 30))
    own = RNG.normal(size=(100, 1, 30)).astype("f4")
    attributor = make_flipad(layer, detector=OneClassSVM(), fnr=0.2, random_state=0).fit(own)
    (tmp_path / "a.raw").write_bytes(own[0].tobytes())
    out = tmp_path / "verdicts.csv"
    score_files(attributor, tmp_path / "a.raw", out, decoder=one_channel)
    page = report(out, attributor, decoder=one_channel)
    assert "estimated minus mean activation" in page.text


def one_channel(data):
    return np.frombuffer(data, "<f4").reshape(1, -1), ["raw floats"]


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_missing_packages_name_the_extra(attributor, folder, missing, monkeypatch):
    table = scored(attributor, folder)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"sklearn-flipad\[report\]"):
        report(table, attributor)


def test_the_documented_calls(folder, monkeypatch):
    save_attributor(fitted(lr="logistic"), folder.parent / "model.flipad")
    folder.rename(folder.parent / "suspects")
    monkeypatch.chdir(folder.parent)
    Path("known").mkdir()
    labels = ["path,label"]
    for k, image in enumerate(
        np.random.default_rng(1).integers(0, 256, (20, 6, 6), dtype=np.uint8)
    ):
        Image.fromarray(image if k < 10 else image // 2).save(f"known/{k}.png")
        labels.append(f"known/{k}.png,{'own' if k < 10 else 'other'}")
    Path("known.csv").write_text("\n".join(labels))
    exec(compile(shown_code("docs/report.rst"), "docs/report.rst", "exec"), {})
    assert "made by our face generator" in Page("report.html").text
    assert "The file was made by our face generator" in Page("evaluative.html").text
    assert "of 10" in Page("validation.html").text


def test_what_cannot_be_seen_is_written_out():
    assert visible("a\u202eb\u200b\n\x00\ud800\u2028") == r"a\u202eb\u200b\n\x00\ud800\u2028"
    assert visible("Zu\u0308rich 東京") == "Zu\u0308rich 東京"
    stacked = visible("x" + 40 * "\u0301")
    assert stacked.count("\u0301") == 3
    long = visible("a" * 5000 + "b" * 5000, 100)
    assert len(long) == 100
    assert long.startswith("aa")
    assert long.endswith("bb")
