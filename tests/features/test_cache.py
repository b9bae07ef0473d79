"""The store of features on disk."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_flipad import DeepSADDetector, FinalLayer, FinalLayerInverter, make_flipad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.features import inversion
from sklearn_flipad.generators import sample
from sklearn_flipad.solvers import DouglasRachford
from tests.processes import start


class Counting(DouglasRachford):
    """The default solver, counting the samples that it is given."""

    solved = 0

    def solve(self, problem, **options):
        Counting.solved += len(problem)
        return super().solve(problem, **options)


@pytest.fixture
def inverter(linear_layer, tmp_path):
    Counting.solved = 0
    return FinalLayerInverter(linear_layer, lam=0.1, solver=Counting(), cache_dir=tmp_path)


@pytest.fixture(name="X")
def random_samples():
    return np.random.default_rng(0).normal(size=(20, 5))


def test_each_sample_once(inverter, X):
    expected = FinalLayerInverter(inverter.final_layer, lam=0.1).transform(X)
    np.testing.assert_array_equal(inverter.transform(X), expected)
    assert Counting.solved == 20
    np.testing.assert_array_equal(inverter.transform(X[::-1]), expected[::-1])
    assert Counting.solved == 20
    more = np.concatenate([X[:3], X[:3] + 1])
    np.testing.assert_array_equal(inverter.transform(more)[:3], expected[:3])
    assert Counting.solved == 23


@pytest.mark.parametrize(
    "change", [{"lam": 0.2}, {"tol": 1e-3}, {"max_iter": 1999}, {"clip_eps": 1e-3}]
)
def test_what_changes_the_features_changes_the_key(inverter, X, change):
    inverter.transform(X)
    changed = FinalLayerInverter(**{**inverter.get_params(), **change})
    expected = FinalLayerInverter(**{**changed.get_params(), "cache_dir": None}).transform(X)
    np.testing.assert_array_equal(changed.transform(X), expected)
    assert Counting.solved == 60


def test_what_does_not_change_the_features_does_not(inverter, X):
    inverter.transform(X)
    FinalLayerInverter(**{**inverter.get_params(), "batch_size": 3}).transform(X)
    assert Counting.solved == 20


def test_gap_is_stored_too(inverter, X):
    from sklearn.exceptions import ConvergenceWarning

    inverter.set_params(max_iter=1, tol=1e-9)
    for _ in range(2):
        with pytest.warns(ConvergenceWarning, match="20 of 20"):
            inverter.transform(X)
    assert Counting.solved == 20


def test_a_crash_loses_only_the_batch_in_flight(inverter, X, monkeypatch):
    inverter.set_params(batch_size=5)
    pooled = []

    def failing(activations, pool_size):
        pooled.append(len(activations))
        if len(pooled) == 3:
            raise KeyboardInterrupt
        return activations.cpu().numpy()

    monkeypatch.setattr(inversion, "pool", failing)
    with pytest.raises(KeyboardInterrupt):
        inverter.transform(X)
    monkeypatch.undo()
    Counting.solved = 0
    inverter.transform(X)
    assert Counting.solved == 10


def entries(folder):
    """The entries of a store, to read and to damage."""
    return sqlite3.connect(folder / "features.sqlite")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET content = x'00'",
        "UPDATE entries SET content = zeroblob(length(content))",
        "UPDATE entries SET content = 'text'",
        "UPDATE entries SET content = (SELECT content FROM entries ORDER BY key LIMIT 1)",
    ],
)
def test_damaged_entries_are_computed_again(inverter, X, tmp_path, damage):
    expected = inverter.transform(X)
    with closing(entries(tmp_path)) as store:
        store.execute(damage)
        store.commit()
    Counting.solved = 0
    # Solved beside other samples, they may round differently.
    np.testing.assert_allclose(inverter.transform(X), expected, rtol=1e-4, atol=1e-5)
    assert Counting.solved >= 19


def test_one_flipped_bit_is_not_served(inverter, X, tmp_path):
    expected = inverter.transform(X[:1])
    with closing(entries(tmp_path)) as store:
        ((content,),) = store.execute("SELECT content FROM entries").fetchall()
        for position in (0, 31, 32, 45, len(content) - 1):
            flipped = bytearray(content)
            flipped[position] ^= 1
            store.execute("UPDATE entries SET content = ?", (bytes(flipped),))
            store.commit()
            np.testing.assert_array_equal(inverter.transform(X[:1]), expected)
    assert Counting.solved == 6


def test_nothing_in_a_store_is_unpickled(inverter, X, tmp_path):
    import pickle

    inverter.transform(X)
    payload = pickle.dumps(_Exploding())
    with closing(entries(tmp_path)) as store:
        store.execute("UPDATE entries SET content = ?", (payload,))
        store.commit()
    inverter.transform(X)
    assert not _Exploding.exploded


class _Exploding:
    exploded = False

    def __reduce__(self):
        return setattr, (_Exploding, "exploded", True)


def test_a_file_that_is_no_store_is_named(inverter, X, tmp_path):
    (tmp_path / "features.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(OSError, match=r"features.sqlite is damaged, delete it"):
        inverter.transform(X)
    (tmp_path / "features.sqlite").unlink()
    inverter.transform(X)


@pytest.mark.parametrize(
    "addition",
    [
        "CREATE TRIGGER t AFTER UPDATE ON entries BEGIN DELETE FROM entries; END",
        "DROP TABLE entries; CREATE VIEW entries AS WITH RECURSIVE n(content) AS"
        " (VALUES(x'') UNION ALL SELECT content FROM n) SELECT '' AS key, content FROM n",
    ],
)
def test_a_store_runs_nothing_of_its_own(inverter, X, tmp_path, addition):
    inverter.transform(X)
    with closing(entries(tmp_path)) as store:
        store.executescript(addition)
    with pytest.raises(OSError, match="something else than entries"):
        inverter.transform(X)


def test_a_folder_that_cannot_be_written_is_named(inverter, X, tmp_path):
    (tmp_path / "file").write_text("in the way")
    inverter.set_params(cache_dir=tmp_path / "file")
    with pytest.raises(OSError, match=r"cache_dir='.*file' cannot be used"):
        inverter.transform(X)


def test_a_solver_that_does_not_tell_its_settings_is_refused(inverter, X):
    class Opaque:
        def solve(self, problem, **options):
            raise AssertionError

    inverter.set_params(solver=Opaque())
    with pytest.raises(ValueError, match="Make it a dataclass"):
        inverter.transform(X)


def test_size_limit(inverter, tmp_path):
    inverter.set_params(cache_limit=200_000)
    rng = np.random.default_rng(0)
    for _ in range(30):
        inverter.transform(rng.normal(size=(100, 5)))
    with closing(entries(tmp_path)) as store:
        size, n = store.execute("SELECT SUM(LENGTH(content)), COUNT(*) FROM entries").fetchone()
    assert 0 < size < 200_000
    assert 100 < n < 3000


def _invert(layer, store, file):
    X = load_fashion_sample(24)
    inverter = FinalLayerInverter(FinalLayer.load(layer), cache_dir=store, batch_size=8, tol=0.1)
    np.save(file, inverter.transform(X))


def test_two_processes_at_once(dcgan_layer, tmp_path):
    layer, store = tmp_path / "layer", tmp_path / "store"
    dcgan_layer.save(layer)
    files = [tmp_path / f"{i}.npy" for i in range(2)]
    running = [start(_invert, layer, store, file) for file in files]
    for process in running:
        process.join()
        assert process.exitcode == 0
    inverter = FinalLayerInverter(dcgan_layer, batch_size=8, tol=0.1)
    expected = inverter.transform(load_fashion_sample(24))
    for file in files:
        np.testing.assert_allclose(np.load(file), expected, atol=1e-5)


def test_grid_search_inverts_each_sample_once_per_penalty(dcgan, dcgan_layer, tmp_path):
    Counting.solved = 0
    X = np.concatenate([sample(dcgan, 60, random_state=0), load_fashion_sample(60)])
    y = np.repeat([1, -1], 60)
    detector = DeepSADDetector(
        module=MLP, module_params={"hidden": (8,)}, max_epochs=1, random_state=0
    )
    flipad = make_flipad(dcgan_layer, detector=detector, fnr=0.2, random_state=0)
    flipad.set_params(invert__cache_dir=tmp_path, invert__solver=Counting(), invert__tol=0.1)
    GridSearchCV(flipad, {"invert__lam": [1e-3, 1e-1]}, cv=3).fit(X, y)
    assert Counting.solved == 2 * 120
