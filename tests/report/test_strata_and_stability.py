"""Files of several strata, and files slightly changed: the table and the report say so."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import OneClassSVM

from sklearn_flipad import make_rawpad, save_attributor
from sklearn_flipad.calibration import FileStrata
from sklearn_flipad.datasets.files.facts import facts_of
from sklearn_flipad.evaluation import slight_changes
from sklearn_flipad.report import write_report, write_validation
from sklearn_flipad.report._calibration import CalibrationPlot
from sklearn_flipad.scoring import ImageDecoder, score_files
from tests.report.test_report import Page

#: Quality of the files of samples in turn.
QUALITIES = (40, 90, 95)


def smooth(levels, seed):
    """Images of these mean levels that JPEG keeps, about."""
    noise = np.random.default_rng(seed).normal(0, 20, (len(levels), 1, 4, 4))
    images = (noise + np.reshape(levels, (-1, 1, 1, 1))).repeat(4, axis=2).repeat(4, axis=3)
    return np.clip(images, 0, 255).astype(np.uint8)


def write(folder, images, qualities):
    """Files of images, as they are decoded, with their strata."""
    folder.mkdir()
    for k, (image, quality) in enumerate(zip(images, qualities, strict=True)):
        Image.fromarray(image[0]).save(folder / f"{k:03}.jpg", quality=int(quality))
    decoded = [ImageDecoder(mode="L")(path.read_bytes()) for path in sorted(folder.iterdir())]
    stratum_of = FileStrata(qualities=(80,))
    return np.stack([x for x, _ in decoded]), [
        stratum_of(facts_of("; ".join(steps))) for _, steps in decoded
    ]


@pytest.fixture(scope="module", params=["conformal", "quantile"])
def attributor(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("training")
    n = 240
    own, of_own = write(folder / "own", smooth(np.full(n, 120), 0), np.resize(QUALITIES, n))
    others, of_others = write(
        folder / "others", smooth(np.full(n, 132), 1), np.resize(QUALITIES, n)
    )
    attributor = make_rawpad(
        detector=LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        fnr=0.1,
        rule=request.param,
        cv=0.5,
        reference="others",
        strata=FileStrata(qualities=(80,)),
        random_state=0,
    )
    X, y = np.concatenate([own, others]), np.repeat([1, -1], n)
    return attributor.fit(X, y, strata=of_own + of_others)


@pytest.fixture
def suspects(tmp_path):
    """96 JPEG files of three qualities, from own ones to others, and a PNG file."""
    levels = np.linspace(108, 140, 96)
    X, strata = write(tmp_path / "files", smooth(levels, 2), np.resize(QUALITIES, 96))
    Image.fromarray(X[0, 0]).save(tmp_path / "files" / "png.png")
    return tmp_path / "files", X, strata


def rows_of(attributor, folder, **options):
    out = folder.parent / "verdicts.csv"
    done = score_files(attributor, folder, out, mode="L", resume=False, **options)
    # The default of pandas 2 does not round as Python does.
    return done, pd.read_csv(out, float_precision="round_trip")


def test_each_file_is_judged_by_its_stratum(attributor, suspects):
    folder, X, strata = suspects
    assert set(strata) == {"JPEG of quality 1 to 79", "JPEG of quality 80 to 100"}
    path = folder.parent / "model.flipad"
    save_attributor(attributor, path)
    done, rows = rows_of(path, folder)
    assert (done.n_files, done.n_scored, done.n_unstable) == (97, 96, 0)
    refused = rows.iloc[-1]
    assert refused["stratum"] == "not compressed with loss"
    assert (
        "no own samples of its stratum, not compressed with loss, calibrated" in refused["reason"]
    )
    rows = rows.iloc[:-1]
    assert rows["stratum"].tolist() == strata
    np.testing.assert_array_equal(rows["score"], attributor.score_samples(X))
    np.testing.assert_array_equal(rows["prediction"], attributor.predict(X, strata=strata))
    thresholds = rows.groupby("stratum")["threshold"].unique().map(list).to_dict()
    expected = {name: [attributor["detect"].in_stratum(name).offset_] for name in set(strata)}
    assert thresholds == expected
    assert len({tuple(found) for found in thresholds.values()}) == 2
    if attributor["detect"].rule == "conformal":
        evidence = attributor.evidence(X, strata=strata)
        assert rows["verdict"].tolist() == evidence.verdicts.tolist()
        np.testing.assert_allclose(rows["p_own"], evidence.p_own)
    table, out = folder.parent / "verdicts.csv", folder.parent / "report.html"
    page = Page(write_report(table, path, out, max_suspects=3))
    assert "stratum JPEG of quality 1 to 79 (" in page.text
    assert "Judged by the samples of its stratum: JPEG of quality " in page.text
    has_p_values = attributor["detect"].rule == "conformal"
    plots = [a for tag, a in page.tags if tag == "img" and "the score of this" in a["alt"]]
    assert len(plots) == (3 if has_p_values else 0)


def test_an_attributor_that_cannot_know_the_stratum_of_a_file(suspects):
    folder, X, _ = suspects
    plain = make_rawpad(detector=OneClassSVM(), fnr=0.4, cv=0.5, random_state=0)
    plain.fit(X, strata=np.repeat(["a", "b"], 48))
    with pytest.raises(
        ValueError, match=r"Pass strata= to the function that makes it, such as Fil"
    ):
        score_files(plain, folder, folder.parent / "out.csv", mode="L")


def test_validation_of_strata(attributor, suspects):
    folder, *_ = suspects
    _, rows = rows_of(attributor, folder)
    labels = folder.parent / "labels.csv"
    rows.assign(label=["own"] * 48 + ["other"] * 49)[["path", "label"]].to_csv(labels, index=False)
    out = folder.parent / "validation.html"
    if attributor["detect"].rule == "quantile":
        with pytest.raises(ValueError, match="has no p-values"):
            write_validation(folder.parent / "verdicts.csv", attributor, labels, out)
        return
    found = write_validation(folder.parent / "verdicts.csv", attributor, labels, out)
    assert 0 < found.shift_p_value <= 1
    assert "stratum JPEG of quality 1 to 79 (" in Page(out).text


def test_verdicts_that_a_slight_change_flips(attributor, suspects):
    folder, X, strata = suspects
    done, rows = rows_of(attributor, folder, stability=True)
    rows = rows.iloc[:-1]
    quality = np.resize(QUALITIES, 96)
    found = [[] for _ in X]
    for name, changed in slight_changes(X, quality=quality).items():
        if attributor["detect"].rule == "conformal":
            after = attributor.verdict(changed, strata=strata)
        else:
            below = attributor.predict(changed, strata=strata) == -1
            after = np.where(below, "not own", "undecided")
        for k in np.flatnonzero(after != rows["verdict"]):
            found[k].append(f"{name}: {after[k]}")
    expected = ["; ".join(flips) or "stable" for flips in found]
    assert rows["stability"].tolist() == expected
    assert done.n_unstable == sum(text != "stable" for text in expected)
    assert 0 < done.n_unstable < 48
    table, out = folder.parent / "verdicts.csv", folder.parent / "report.html"
    page = Page(write_report(table, attributor, out, max_suspects=0))
    assert f"For {done.n_unstable} of 96 files, a slight change of the file flips" in page.text
    for text in expected:
        assert text == "stable" or text in page.text


def test_a_report_tries_what_the_table_does_not_say(attributor, suspects, monkeypatch):
    folder, *_ = suspects
    _, tried = rows_of(attributor, folder, stability=True)
    rows_of(attributor, folder)
    table, out = folder.parent / "verdicts.csv", folder.parent / "report.html"
    text = Page(write_report(table, attributor, out, max_suspects=1)).text
    assert "flips the verdict" not in text
    options = {"max_suspects": 96, "overwrite": True}
    monkeypatch.setattr(CalibrationPlot, "picture", lambda self, score: (None, False))  # slow
    text = Page(write_report(table, attributor, out, stability=True, **options)).text
    unstable = [x for x in tried["stability"].dropna() if x != "stable"]
    assert unstable
    assert text.count("A slight change of the file flips the verdict: ") == len(unstable)
    for found in unstable:
        assert f"flips the verdict: {found}." in text
