"""Files in, verdicts out: every file has a row, every row is right, whatever is interrupted."""

import json
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image
from sklearn.base import BaseEstimator, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.svm import OneClassSVM

from sklearn_flipad import DeepSADDetector, make_rawpad, save_attributor
from sklearn_flipad.datasets import load_images
from sklearn_flipad.detectors import MLP
from sklearn_flipad.scoring import ImageDecoder, path_of, score_files
from sklearn_flipad.scoring.runs.fingerprint import fingerprint
from tests.fuzz import damaged
from tests.processes import run, start

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (300, 1, 6, 6), dtype=np.uint8)
X[150:] //= 2
Y = np.repeat([1, -1], 150)


def fitted(detector, **options):
    return make_rawpad(detector=detector, fnr=0.1, random_state=0, **options).fit(X, Y)


@pytest.fixture(scope="module")
def attributor():
    return fitted(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))


def deep():
    network = {"module": MLP, "module_params": {"hidden": (16,)}}
    return fitted(DeepSADDetector(max_epochs=1, random_state=0, **network))


@pytest.fixture
def images(tmp_path):
    """A folder of 45 images, and what they show in the order of their names."""
    folder = tmp_path / "images"
    for k in range(45):
        path = folder / f"{k % 3}" / f"{k:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[k, 0]).save(path)
    order = sorted(range(45), key=lambda k: (k % 3, k))
    return folder, X[order]


def read(out):
    if Path(out).suffix == ".jsonl":
        return pd.DataFrame(map(json.loads, Path(out).read_text().splitlines()))
    if Path(out).suffix == ".csv":
        return pd.read_csv(out, float_precision="round_trip")  # the default of pandas 2 is not
    return pd.read_parquet(out)


def left(out):
    """Endings of the files beside an output."""
    return {path.name.removeprefix(out.name) for path in out.parent.glob(f"{out.name}*")}


def test_scores_are_those_of_the_attributor(images, tmp_path):
    attributor = deep()
    folder, expected = images
    tables = []
    for options in ({}, {"batch_size": 1}, {"batch_size": 7, "n_jobs": 2}, {"batch_size": 1000}):
        out = tmp_path / f"{len(tables)}.jsonl"
        done = score_files(attributor, folder, out, mode="L", **options)
        assert (done.n_files, done.n_scored) == (45, 45)
        tables.append(out.read_bytes())
    assert len(set(tables)) == 1
    table = read(out)
    scores = attributor.score_samples(expected)
    np.testing.assert_array_equal(table["score"], scores)
    np.testing.assert_array_equal(table["prediction"], attributor.predict(expected))
    assert set(table["threshold"]) == {attributor[-1].offset_}
    reversed_paths = [path_of(uri) for uri in table["uri"][::-1]]
    score_files(attributor, reversed_paths, tmp_path / "r.jsonl", mode="L")
    np.testing.assert_array_equal(read(tmp_path / "r.jsonl")["score"], scores[::-1])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_formats(images, tmp_path, attributor, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    folder, expected = images
    out = tmp_path / f"verdicts{suffix}"
    done = score_files(attributor, [folder / "1", folder / "0", folder / "gone"], out, mode="L")
    assert (done.n_files, done.n_scored) == (31, 30)
    assert left(out) == {"", ".lock", ".run.json"}
    table = read(out)
    order = [*range(15, 30), *range(15)]
    np.testing.assert_allclose(
        table["score"][:30], attributor.score_samples(expected[order]), rtol=1e-15
    )
    assert table["reason"][30] == "No such file or directory"
    assert table["reason"][:30].isna().all()
    assert table["shape"][0] == "1x6x6"
    assert table["decoding"][0] == "PNG 6x6 L"
    path = path_of(table["uri"][0])
    assert path == folder / "1" / "01.png"
    assert table["n_bytes"][0] == path.stat().st_size
    verdicts = table["verdict"][:30]
    assert set(verdicts) == {"not own", "undecided"} == set(done.verdicts)
    assert done.formats == {"PNG": 30}
    assert ((verdicts == "not own") == (table["prediction"][:30] == -1)).all()
    assert done.n_rejected == done.verdicts["not own"]


@pytest.mark.usefixtures("forked_workers")
def test_other_levels_than_those_of_the_attributor(images, tmp_path, attributor):
    folder, shown = images
    attributor = clone(attributor).set_params(detect__reference="dark images").fit(X, Y)
    tables = {}
    for k, levels in enumerate(({}, {"fnr": 0.4, "fpr": 0.2}, {"fnr": 0.4})):
        out = tmp_path / f"{k}.jsonl"
        done = score_files(attributor, folder, out, mode="L", n_jobs=1 + (k == 1), **levels)
        tables[k] = table = read(out)
        expected = attributor.evidence(shown, **levels)
        assert done.n_rejected == expected.own_rejected.sum()
        assert table["verdict"].tolist() == expected.verdicts.tolist()
        assert set(table["threshold"]) == {-expected.threshold}
        assert ((table["prediction"] == -1) == expected.own_rejected).all()
        run = json.loads(Path(f"{out}.run.json").read_text())
        assert run["levels"] == {"fnr": expected.fnr, "fpr": expected.fpr}
        assert score_files(attributor, folder, out, mode="L", **run["levels"]) == done
    assert tables[0]["verdict"].tolist() != tables[1]["verdict"].tolist()
    assert tables[0]["score"].tolist() == tables[1]["score"].tolist()
    with pytest.raises(FileExistsError, match="levels: "):
        score_files(attributor, folder, tmp_path / "0.jsonl", mode="L", fnr=0.2)


def test_levels_that_cannot_be_had(images, tmp_path, attributor):
    folder, _ = images
    for levels in ({"fnr": 0.0}, {"fpr": 1.5}, {"fnr": 0.001}):
        with pytest.raises(ValueError, match=next(iter(levels))):
            score_files(attributor, folder, tmp_path / "out.csv", mode="L", **levels)
    quantile = fitted(OneClassSVM(), rule="quantile")
    for other in (quantile, Crashing()):
        with pytest.raises(ValueError, match="levels of p-values"):
            score_files(other, folder, tmp_path / "out.csv", mode="L", fnr=0.2)


def test_what_was_done_to_images(tmp_path, attributor):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(RNG.integers(0, 256, (8, 9, 4), dtype=np.uint8))
    image.save(tmp_path / "a.png", exif=exif)
    out = tmp_path / "out.jsonl"
    score_files(attributor, tmp_path / "a.png", out, size=6, mode="L")
    (row,) = read(out).to_dict("records")
    steps = "PNG 9x8 RGBA; laid on white; EXIF orientation 6 applied; RGBA converted to L; "
    assert row["decoding"] == steps + "8x9 resized and cropped to 6x6"
    sample, _ = ImageDecoder(size=6, mode="L")((tmp_path / "a.png").read_bytes())
    assert row["score"] == attributor.score_samples(sample[None])[0]


def test_files_unlike_those_of_own_samples(tmp_path, attributor):
    for k in range(20):  # one in ten is of quality 60, and one in a hundred would be too few
        quality = 60 if k < 2 else 80
        Image.fromarray(np.tile(X[k, 0], (2, 2))).save(tmp_path / f"{k:02}.jpg", quality=quality)
    own = load_images(tmp_path, mode="L", size=6)
    assert own.file_facts["quality"] == {"JPEG of quality 80": 18, "JPEG of quality 60": 2}
    detector = clone(attributor).set_params(detect__file_facts=own.file_facts)
    suspects = tmp_path / "suspects"
    suspects.mkdir()
    large = Image.fromarray(np.tile(X[0, 0], (2, 2)))
    for quality in (50, 60, 70, 80, 90):
        large.save(suspects / f"{quality}.jpg", quality=quality)
    Image.fromarray(X[0, 0]).save(suspects / "as_is.jpg", quality=80)
    large.save(suspects / "png.png")
    Image.merge("RGB", [large] * 3).save(suspects / "gray_in_color.jpg", quality=80)
    (suspects / ".hidden.png").touch()
    path, out = tmp_path / "model.flipad", tmp_path / "out.jsonl"
    for fnr, usual in ((0.05, True), (0.25, False)):
        fitted = detector.set_params(detect__fnr=fnr).fit(X, Y)
        save_attributor(fitted, path)
        with pytest.warns(UserWarning, match="scored files are") as caught:
            done = score_files(path, suspects, out, mode="L", size=6, resume=False)
        found = read(out).set_index("path")["warning"]
        found.index = [Path(name).name for name in found.index]
        expected = {"50.jpg", "90.jpg", "as_is.jpg", "png.png"} | (set() if usual else {"60.jpg"})
        if not usual:
            expected.add("70.jpg")  # no longer between
        assert set(found.dropna().index) == expected
        assert done.n_warnings == len(expected)
        assert "JPEG of quality 50, own samples JPEG of quality 80 or JPEG" in found["50.jpg"]
        assert "not resized, own samples resized by 0.5" in found["as_is.jpg"]
        assert "not compressed with loss, own samples compressed as JPEG" in found["png.png"]
        assert done.unlike["resizing"] == {"not resized": 1}
        assert (done.n_files, done.n_hidden) == (8, 1)
        assert len(caught) == 3
    # Without facts there is nothing to compare with.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = score_files(attributor, suspects, tmp_path / "b.jsonl", mode="L", size=6)
    assert done.unlike == {}


def test_links_beside_the_output_are_not_followed(images, tmp_path, attributor):
    folder, _ = images
    for suffix in (".journal", ".run.json", ".lock"):
        victim, out = tmp_path / "victim", tmp_path / f"out{suffix}.csv"
        victim.write_text("of somebody else")
        link = Path(f"{out}{suffix}")
        link.symlink_to(victim)
        with pytest.raises(ValueError, match="is a link or no file"):
            score_files(attributor, folder, out, mode="L")
        assert victim.read_text() == "of somebody else"
        link.unlink()
        assert score_files(attributor, folder, out, mode="L").n_scored == 45
    os.mkfifo(tmp_path / "fifo.csv")
    with pytest.raises(ValueError, match="is a FIFO, not a file"):
        score_files(attributor, folder, tmp_path / "fifo.csv", mode="L")


NAMES = [
    b"=cmd|' C calc'!A0.png",
    b"+1.png",
    b"-1.png",
    b"@x.png",
    b"a,b.png",
    b'quo"te.png',
    b"new\nline.png",
    b"re\rturn.png",
    b"tab\t.png",
    b"not \xff utf-8.png",
    b"\xe2\x80\xae gnp.exe.png",
    b"back\\slash.png",
    b"%41 ?#;.png",
    b"NA",
    b"null",
    b"007",
    b"1e5",
    b" leading.png",
    b"\x1b[31m.png",
]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_hostile_names(tmp_path, attributor, monkeypatch, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    folder = tmp_path / "suspects"
    folder.mkdir()
    for k, name in enumerate(NAMES):
        (folder / "image").write_bytes(b"")
        Image.fromarray(X[k, 0]).save(folder / "image", "PNG")
        os.replace(folder / "image", folder / os.fsdecode(name))
    monkeypatch.chdir(folder)
    out = tmp_path / f"out{suffix}"
    paths = [os.fsdecode(name) for name in NAMES]
    done = score_files(attributor, paths, out, mode="L")
    assert done.n_scored == len(NAMES)
    table = read(out)
    assert [os.fsencode(path_of(uri).name) for uri in table["uri"]] == NAMES
    assert table["uri"].str.fullmatch(r"file:///[!-~]*").all()
    assert table["path"].str.startswith("./").all()
    assert table["path"].map(str.isascii).sum() == len(NAMES) - 1
    assert not table["path"].str.contains(r"[\x00-\x1f]").any()
    np.testing.assert_allclose(table["score"], attributor.score_samples(X[: len(NAMES)]), 1e-15)


@pytest.mark.usefixtures("forked_workers")
def test_every_bad_file_is_a_row_and_every_good_one_is_scored(tmp_path, attributor):
    folder = tmp_path / "suspects"
    folder.mkdir()
    good = {}
    for k in range(20):
        Image.fromarray(X[k, 0]).save(folder / f"{k:02d} good.png")
        good[f"{k:02d} good.png"] = X[k]
    data = (folder / "00 good.png").read_bytes()
    for k in range(100):
        (folder / f"{k % 20:02d} odd {k}.png").write_bytes(damaged(data, np.random.default_rng(k)))
    os.mkfifo(folder / "fifo.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    (folder / "device").symlink_to("/dev/zero")
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "empty.png").write_bytes(b"")
    (folder / ".hidden.png").write_bytes(data)
    frames = [Image.fromarray(x[0]) for x in X[:3]]
    frames[0].save(folder / "animated.webp", save_all=True, append_images=frames[1:])
    Image.fromarray(np.zeros((7, 6), np.uint8)).save(folder / "size.png")
    paths = [folder, folder / "nul\0", tmp_path / "gone.png"]
    out = folder / "out.csv"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = score_files(attributor, paths, out, mode="L", n_jobs=2, batch_size=16)
    table = read(out)
    assert done.n_files == len(table) == 20 + 100 + 9 + 2
    table.index = [os.path.basename(path) for path in table["path"]]
    scored = table["status"] == "scored"
    assert done.n_scored == scored.sum()
    assert (table["reason"].isna() == scored).all()
    assert (table["score"].isna() != scored).all()
    for name, image in good.items():
        assert table["score"][name] == attributor.score_samples(image[None])[0]
    reasons = {
        "fifo.png": "a FIFO",
        "socket": "a socket",
        "device": "a device",
        "dangling": "does not exist",
        "loop": "symbolic links",
        "linked": "a folder or a link to one",
        "empty.png": "an empty file",
        "animated.webp": "an animation of 3 frames",
        "size.png": "cannot be scored: X has 42 features",
        "nul\\x00": "null",
        "gone.png": "No such file",
    }
    for name, reason in reasons.items():
        assert reason in table["reason"][name]
    assert 20 <= scored.sum() < 60


def test_a_generator_and_a_custom_decoder(tmp_path, attributor):
    for k in range(5):
        (tmp_path / f"{k}.raw").write_bytes(X[k].tobytes())
    (tmp_path / "5.raw").write_bytes(b"=1")
    out = tmp_path / "out.jsonl"
    paths = (tmp_path / f"{k}.raw" for k in range(6))
    score_files(attributor, paths, out, decoder=RawDecoder())
    table = read(out)
    np.testing.assert_array_equal(table["score"][:5], attributor.score_samples(X[:5]))
    assert table["decoding"][0] == "raw"
    assert table["reason"][5] == "error: =1 is short"
    with pytest.raises(ValueError, match="leave them out with decoder="):
        score_files(attributor, tmp_path, out, decoder=RawDecoder(), size=6)


class RawDecoder:
    def __call__(self, data):
        if len(data) < 36:
            raise ValueError(f"{data.decode()} is short")
        return np.frombuffer(data, np.uint8).reshape(1, 6, 6), ["raw"]


def kill_after(process, journal, n_lines):
    """Kill a process that writes a journal as soon as that has some lines, if it comes to that."""
    while process.is_alive():
        if journal.exists() and journal.read_bytes().count(b"\n") >= n_lines:
            process.kill()
        time.sleep(0.0002)


def _score_singly(attributor, folder, out):
    score_files(attributor, folder, out, mode="L", batch_size=1)


def _score_by_two(attributor, folder, out, pipe):
    os.dup2(pipe.fileno(), sys.stdout.fileno())  # which its processes inherit
    score_files(attributor, folder, out, mode="L", batch_size=2, n_jobs=2)


def test_killed_at_any_moment(images, tmp_path, attributor):
    folder, _ = images
    (folder / "1" / "bad.png").write_bytes(b"no image")
    expected, out = tmp_path / "expected.jsonl", tmp_path / "out.jsonl"
    score_files(attributor, folder, expected, mode="L")
    journal, n_unfinished, n_whole = Path(f"{out}.journal"), 0, 1
    for n_lines in (1, 2, 5, 10, 20, 46):
        process = start(_score_singly, attributor, folder, out)
        kill_after(process, journal, n_lines)
        if journal.exists():
            n_unfinished += 1
            before, n_whole = n_whole, journal.read_bytes().count(b"\n")
            assert n_whole >= before
    assert n_unfinished > 2
    done = score_files(attributor, folder, out, mode="L", batch_size=3)
    assert (done.n_files, done.n_scored) == (46, 45)
    assert out.read_bytes() == expected.read_bytes()
    assert left(out) == {"", ".lock", ".run.json"}


def test_killed_with_its_processes_at_work(images, tmp_path, attributor):
    folder, expected = images
    out = tmp_path / "out.jsonl"
    journal = Path(f"{out}.journal")
    here, there = multiprocessing.Pipe(duplex=False)
    process = start(_score_by_two, attributor, folder, out, there)
    there.close()
    kill_after(process, journal, 3)
    assert here.poll(30)
    with pytest.raises(EOFError):  # no process is left that might write to it
        here.recv()
    assert not out.exists()
    with open(journal, "ab") as file:
        file.write(b"0123456789abcdef [[torn")
    assert score_files(attributor, folder, out, mode="L").n_scored == 45
    np.testing.assert_array_equal(read(out)["score"], attributor.score_samples(expected))


class StoppedError(Exception):
    """Stands for what ends a run from outside."""


def interrupted(paths, after):
    for k, path in enumerate(paths):
        if k == after:
            raise StoppedError
        yield path


@pytest.fixture
def unfinished(images, tmp_path, attributor):
    """The paths and the output of a run that ended after 20 of 45 files."""
    folder, _ = images
    paths, out = sorted(folder.rglob("*.png")), tmp_path / "out.jsonl"
    with pytest.raises(StoppedError):
        score_files(attributor, interrupted(paths, 25), out, mode="L", batch_size=10)
    assert left(out) == {".journal", ".lock"}
    return paths, out


def test_nothing_is_scored_twice(unfinished, attributor):
    paths, out = unfinished
    for path in paths[:20]:
        path.unlink()  # what a row says of a file holds, whatever becomes of the file
    done = score_files(attributor, iter(paths), out, mode="L")
    assert done.n_scored == 45
    again = score_files(attributor, paths, out, mode="L", n_jobs=2)
    assert again == done


def test_a_damaged_journal_loses_what_follows_the_damage(unfinished, attributor, tmp_path):
    paths, out = unfinished
    score_files(attributor, paths, tmp_path / "expected.jsonl", mode="L")
    journal = Path(f"{out}.journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"scored", b"scared", 1)
    journal.write_bytes(b"".join(lines))
    score_files(attributor, paths, out, mode="L")
    assert out.read_bytes() == (tmp_path / "expected.jsonl").read_bytes()


def test_another_run_is_not_mixed_in(unfinished, attributor):
    paths, out = unfinished
    before = Path(f"{out}.journal").read_bytes()
    other = fitted(OneClassSVM())
    with pytest.raises(ValueError, match=r"verdicts are not mixed:\n  attributor: .* then, .* now"):
        score_files(other, paths, out, mode="L")
    with pytest.raises(ValueError, match="verdicts are not mixed:\n  decoder: "):
        score_files(attributor, paths, out, mode="L", size=6)
    swapped = [*paths[:3], paths[4], paths[3], *paths[5:]]
    for wrong in (swapped, paths[:15]):
        with pytest.raises(ValueError, match="other files than in the run that was interrupted"):
            score_files(attributor, wrong, out, mode="L")
    assert Path(f"{out}.journal").read_bytes() == before
    refitted = clone(attributor).fit(X, Y)
    assert score_files(refitted, paths, out, mode="L").n_scored == 45
    with pytest.raises(FileExistsError, match=r"attributor: (.|\n)*pass resume=False"):
        score_files(other, paths, out, mode="L")
    with pytest.raises(FileExistsError, match="paths lead to other files"):
        score_files(attributor, paths[:5], out, mode="L")
    score_files(other, paths[:5], out, mode="L", resume=False)
    np.testing.assert_array_equal(
        read(out)["score"],
        other.score_samples(np.stack([np.asarray(Image.open(p))[None] for p in paths[:5]])),
    )


def test_a_table_of_somebody_else_stays(images, tmp_path, attributor):
    folder, _ = images
    out = tmp_path / "out.csv"
    out.write_text("mine")
    with pytest.raises(FileExistsError, match="nothing says how it was made"):
        score_files(attributor, folder, out, mode="L")
    assert out.read_text() == "mine"
    score_files(attributor, folder, out, mode="L", resume=False)
    out.write_text("changed")
    with pytest.raises(FileExistsError, match="was changed since it was written"):
        score_files(attributor, folder, out, mode="L")
    Path(f"{out}.journal").write_bytes(b"something else\n")
    with pytest.raises(ValueError, match="no journal of score_files"):
        score_files(attributor, folder, out, mode="L")


def test_one_writer_at_a_time(images, tmp_path, attributor):
    folder, _ = images
    out = tmp_path / "out.csv"
    with FileLock(f"{out}.lock"), pytest.raises(RuntimeError, match="being written by another"):
        score_files(attributor, folder, out, mode="L")


class Crashing(BaseEstimator):
    """Ends the process on images that begin with 255."""

    def __sklearn_is_fitted__(self):
        return True

    offset_ = 0.0

    def fit(self, X):
        return self

    def score_samples(self, X):
        if (X[:, 0, 0, 0] == 255).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return X.reshape(len(X), -1).mean(axis=1) - 100.0


@pytest.mark.usefixtures("forked_workers")
def test_a_file_that_crashes_its_process_is_a_row(tmp_path):
    for k in range(6):
        image = np.full((4, 4), 255 if k == 5 else k, np.uint8)
        Image.fromarray(image).save(tmp_path / f"{k:02d}.png")
    out = tmp_path / "out.jsonl"
    paths = sorted(tmp_path.glob("*.png"))
    score_files(Crashing(), paths, out, mode="L", n_jobs=2)
    table = read(out)
    assert table["reason"].dropna().to_dict() == {5: "it crashes the process that reads it"}
    assert table["score"].drop(5).tolist() == [k - 100.0 for k in range(5)]


class Reporting(Crashing):
    """Scores with a warning, p-values, and no memory for some."""

    def score_samples(self, X):
        if (X == 7).all(axis=(1, 2, 3)).any():
            raise MemoryError
        if (X == 3).all(axis=(1, 2, 3)).any():
            warnings.warn("1 sample missed", ConvergenceWarning, stacklevel=2)
        return super().score_samples(X)

    def weigh(self, anomaly_scores):
        class Evidence:
            p_own = np.full(len(anomaly_scores), 0.25)
            p_reference = None
            fnr, fpr, ratios = 0.1, 0.05, None
            verdicts = np.where(anomaly_scores > 98, "not own", "own")

        return Evidence()


def test_warnings_p_values_and_memory(tmp_path):
    for k in range(8):
        Image.fromarray(np.full((4, 4), k, np.uint8)).save(tmp_path / f"{k}.png")
    paths, out = sorted(tmp_path.glob("*.png")), tmp_path / "out.jsonl"
    with pytest.warns(UserWarning, match="2 of 6 files were scored with a warning"):
        score_files(Reporting(), paths[:6], out, mode="L", batch_size=2)
    table = read(out)
    assert table["warning"].dropna().to_dict() == dict.fromkeys(
        [2, 3], "in a batch of 2: 1 sample missed"
    )
    assert table["verdict"].tolist() == ["not own"] * 2 + ["own"] * 4
    assert set(table["p_own"]) == {0.25}
    assert table["p_reference"].isna().all()
    with pytest.raises(MemoryError):  # not the fault of the file
        score_files(Reporting(), paths, tmp_path / "other.jsonl", mode="L", batch_size=8)


def test_an_attributor_by_its_path(images, tmp_path, attributor, monkeypatch):
    folder, expected = images
    path, out = tmp_path / "attributor", tmp_path / "out.jsonl"
    path.write_bytes(b"first")
    loads = []

    def load_attributor(path):
        loads.append(path)
        return attributor

    name = "sklearn_flipad.persistence.attributors"
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(load_attributor=load_attributor))
    score_files(path, folder, out, mode="L", batch_size=5)
    np.testing.assert_array_equal(read(out)["score"], attributor.score_samples(expected))
    assert loads == [str(path)]
    path.write_bytes(b"second")
    with pytest.raises(FileExistsError, match="attributor: "):
        score_files(path, folder, out, mode="L")


def test_what_is_refused_at_once(images, tmp_path, attributor):
    folder, _ = images
    out = tmp_path / "made" / "out.csv"
    with pytest.raises(TypeError, match="got <class"):
        score_files(type(attributor), folder, out)
    with pytest.raises(TypeError, match="fitted attributor"):
        score_files({"a": 1}, folder, out)
    with pytest.raises(NotFittedError):
        score_files(clone(attributor), folder, out)
    with pytest.raises(ValueError, match=r"\.csv, \.jsonl, \.parquet"):
        score_files(attributor, folder, tmp_path / "out.xlsx")
    with pytest.raises(FileNotFoundError, match="gone"):
        score_files(attributor, tmp_path / "gone", out)
    with pytest.raises(TypeError, match="number 1 is None"):
        score_files(attributor, [folder / "0", None], tmp_path / "out.csv")
    for wrong in ({"n_jobs": 0}, {"batch_size": 0}, {"size": 0}, {"mode": "CMYK"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            score_files(attributor, folder, out, **wrong)
    assert not out.parent.exists()
    with pytest.warns(UserWarning, match="None of the first 45 files could be scored.*108 feat"):
        done = score_files(attributor, folder, out)  # as colors
    assert done.n_scored == 0


def test_no_files(tmp_path, attributor):
    (tmp_path / "empty").mkdir()
    done = score_files(attributor, tmp_path / "empty", tmp_path / "out.csv")
    assert done.n_files == 0
    assert list(read(done.out).columns[:2]) == ["path", "verdict"]


def test_parquet_without_pyarrow_names_the_extra(tmp_path, attributor, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"sklearn-flipad\[parquet\]"):
        score_files(attributor, tmp_path, tmp_path / "out.parquet")


def _measure_memory(attributor, folder):
    def peak(n):
        paths = (f"/nowhere/{'x' * 200}/{k}.png" for k in range(n))
        score_files(attributor, paths, folder / f"{n}.jsonl")
        # Not ru_maxrss, which begins with the size of whoever started the process.
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

    warnings.simplefilter("ignore")
    (folder / "peaks").write_text(f"{peak(2_000)} {peak(40_000)}")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_is_flat(tmp_path, attributor):
    run(_measure_memory, attributor, tmp_path)
    first, second = map(int, (tmp_path / "peaks").read_text().split())
    # Kilobytes; the paths alone would be 8 MB, their rows many times that.
    assert second - first < 4_000


@pytest.mark.parametrize("make", [deep, lambda: fitted(OneClassSVM())])
def test_fingerprints(make):
    attributor = make()
    found = fingerprint(attributor)
    attributor.score_samples(X[:3])
    assert fingerprint(attributor) == found
    assert fingerprint(make()) == found
    assert fingerprint(pickle.loads(pickle.dumps(attributor))) == found
    attributor[-1].offset_ = np.nextafter(attributor[-1].offset_, 1)
    assert fingerprint(attributor) != found


def scale_by(factor):
    return lambda x: (lambda y: y * factor)(x)


def test_fingerprints_of_parts():
    a = np.arange(3.0)
    loop = [1]
    loop.append(loop)
    records = np.zeros(2, [("a", "i1"), ("b", "f8")])
    different = [a, a.astype("f4"), a[:2], [a], (a,), {"x": a}, {a[0]}, records, loop, "x", b"x"]
    different += [scale_by(2), scale_by(3), lambda x: x - 1, lambda x: x + 1, lambda x: x - 2]
    different += [1, 1.0, True, None, np.sin, len, list, ImageDecoder(), ImageDecoder(mode="L")]
    assert len(set(map(fingerprint, different))) == len(different)
    assert fingerprint([a, a]) == fingerprint([a, a.copy()])
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
