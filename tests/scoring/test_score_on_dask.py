"""The same table from a Dask cluster, whatever becomes of its workers."""

import io
import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import OneClassSVM

from sklearn_flipad import make_rawpad
from sklearn_flipad.scoring import score_files
from tests import processes
from tests.test_docs import shown_code

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
pytest.importorskip("pyarrow")

X = np.random.default_rng(0).integers(0, 256, (120, 1, 6, 6), dtype=np.uint8)


@pytest.fixture(scope="module")
def attributor():
    return make_rawpad(detector=OneClassSVM(), fnr=0.1, random_state=0).fit(X)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    options["local_directory"] = str(tmp_path_factory.mktemp("dask"))
    with dask.config.set({"distributed.worker.multiprocessing-method": processes.METHOD}):
        distributed.utils.get_mp_context()  # which chooses itself what is preloaded
        processes.preload()
        with (
            distributed.LocalCluster(dashboard_address=None, **options) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for k in range(120):
        Image.fromarray(X[k, 0]).save(folder / f"{k:03d}.png")
    (folder / "0 bad.png").write_bytes(b"no image")
    return folder


def test_an_unfinished_run_goes_on(client, images, tmp_path, attributor):
    out = tmp_path / "out.parquet"
    paths = sorted(images.iterdir())

    class StoppedError(Exception):
        pass

    def stopped():
        yield from paths[:100]
        raise StoppedError

    options = {"mode": "L", "client": client}
    with pytest.raises(StoppedError):
        score_files(attributor, stopped(), out, batch_size=1, **options)
    assert Path(f"{out}.journal").read_bytes().count(b"\n") > 4
    with pytest.raises(ValueError, match=r"decoder: .* then, .* now"):
        score_files(attributor, paths, out, client=client)
    with pytest.raises(ValueError, match="other files than in the run"):
        score_files(attributor, paths[1:], out, **options)
    for path in paths[:4]:
        path.unlink()  # their rows are kept
    done = score_files(attributor, iter(paths), out, **options)
    assert (done.n_files, done.n_scored) == (121, 120)
    local = tmp_path / "local.jsonl"
    with pytest.raises(StoppedError):
        score_files(attributor, stopped(), local, batch_size=1, **options)
    done = score_files(attributor, paths, local, mode="L")  # without the cluster
    assert (done.n_files, done.n_scored) == (121, 117)
    with pytest.raises(ValueError, match="leave n_jobs at 1"):
        score_files(attributor, paths, out, n_jobs=2, **options)


@pytest.mark.usefixtures("forked_workers")
def test_the_page_on_files_runs(client, images, tmp_path, monkeypatch):
    def cluster(**options):
        assert options == {"n_workers": 2, "threads_per_worker": 1}  # as this module's has
        return nullcontext(client.cluster)

    monkeypatch.setattr(distributed, "LocalCluster", cluster)
    images.rename(tmp_path / "suspects")
    monkeypatch.chdir(tmp_path)
    y = np.repeat([1, -1], 60)
    detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2)
    attributor = make_rawpad(detector=detector, fnr=0.2, random_state=0).fit(X, y)
    names = {"attributor": attributor, "X": X, "y": y, "__name__": "__main__"}
    exec(compile(shown_code("docs/files.rst"), "files.rst", "exec"), names)
    assert names["done"].n_scored == 120
    assert len(names["table"]) == 121
    assert (tmp_path / "scores.parquet").exists()
    assert np.isfinite(names["search"].cv_results_["mean_test_score"]).all()


class Slow:
    """Gives a worker time to be killed."""

    def __call__(self, data):
        time.sleep(0.02)
        return np.asarray(Image.open(io.BytesIO(data)))[None], ["slowly"]


# The last one: the worker that takes its place would have to import everything.
def test_one_of_two_workers_is_killed(client, images, tmp_path, attributor):
    expected, out = tmp_path / "expected.jsonl", tmp_path / "out.jsonl"
    score_files(attributor, images, expected, decoder=Slow())
    pids, journal = client.run(os.getpid), Path(f"{out}.journal")

    def paths():
        for k, path in enumerate(sorted(images.iterdir())):
            if k == 100:
                assert journal.read_bytes().count(b"\n") > 1
                os.kill(min(pids.values()), signal.SIGKILL)
            yield path

    done = score_files(attributor, paths(), out, decoder=Slow(), client=client, batch_size=2)
    assert (done.n_files, done.n_scored) == (121, 120)
    assert out.read_bytes() == expected.read_bytes()
    client.wait_for_workers(2)
    assert set(client.run(os.getpid).values()) != set(pids.values())
    left = {path.name for path in tmp_path.glob("out.jsonl*")}
    assert left == {"out.jsonl", "out.jsonl.lock", "out.jsonl.run.json"}
