"""Candidates of seeds: tables of requests, settings and sizes."""

import numpy as np
import pandas as pd
import pytest

from sklearn_flipad.reproduction import SeedCandidates

LOG = pd.DataFrame(
    {"seed": [7, 9, 7, 7, 2**40], "steps": [20, 50, 20, 50, 20], "guidance": [1.5] * 5}
)


def listed(candidates):
    """All candidates as (row, seed, settings)."""
    blocks = zip(candidates.rows, candidates.seeds, candidates.settings, strict=True)
    return sorted(
        (int(row), int(seed), *own.values())
        for rows, seeds, settings in blocks
        for own in settings
        for row, seed in zip(rows, seeds, strict=True)
    )


def test_requests_are_grouped_and_equal_ones_count_once():
    candidates = SeedCandidates.from_requests(LOG)
    assert candidates.names == ("steps", "guidance")
    expected = [(0, 7, 20, 1.5), (1, 9, 50, 1.5), (3, 7, 50, 1.5), (4, 2**40, 20, 1.5)]
    assert listed(candidates) == expected
    assert candidates.n_candidates == 4
    alone = SeedCandidates.from_requests(LOG, settings=[])
    assert listed(alone) == [(0, 7), (1, 9), (4, 2**40)]
    assert alone.names == ()
    own = SeedCandidates.from_requests(LOG.convert_dtypes())
    assert listed(own) == expected
    large = SeedCandidates.from_requests(pd.DataFrame({"seed": [2**64 - 1, 3]}))
    assert listed(large) == [(0, 2**64 - 1), (1, 3)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_of_requests(tmp_path, suffix):
    path = tmp_path / f"requests.{suffix}"
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
        LOG.to_parquet(path)
    else:
        LOG.to_csv(path, index=False)
    found = SeedCandidates.from_requests(path, settings=["steps"])
    assert listed(found) == listed(SeedCandidates.from_requests(LOG, settings=["steps"]))


def test_all_combinations():
    candidates = SeedCandidates.of_each(range(2**32), steps=[20, 50], class_labels=range(10))
    assert candidates.n_candidates == 20 * 2**32
    assert candidates.settings[0][11] == {"steps": 50, "class_labels": 1}


@pytest.mark.parametrize("value", [20, "20"])
def test_a_setting_is_a_sequence_of_values(value):
    with pytest.raises(ValueError, match=r"steps must be a sequence .* as steps=\["):
        SeedCandidates.of_each(range(3), steps=value)
    assert SeedCandidates.of_each(range(3), steps=[value]).n_candidates == 3


def test_sizes():
    log = pd.DataFrame({"seed": range(4), "size": ["16", "8x16", "16x8", "16x16"]})
    candidates = SeedCandidates.from_requests(log)
    assert listed(candidates.of_size((3, 16, 8))) == [(1, 1)]
    assert listed(candidates.of_size((1, 16, 16))) == [(0, 0), (3, 3)]
    squares = SeedCandidates.of_each(range(3), size=[8, 16])
    assert squares.of_size((1, 8, 8)).n_candidates == 3
    with pytest.raises(ValueError, match="No candidate has the size of the samples, 9x8"):
        candidates.of_size((1, 8, 9))


def test_draws_are_different_candidates():
    candidates = SeedCandidates.of_each([3, 5, 8], class_labels=[0, 1])
    drawn = candidates.drawn(6, np.random.RandomState(0))
    pairs = [(seed, own["class_labels"]) for seed, own in drawn]
    assert sorted(pairs) == [(3, 0), (3, 1), (5, 0), (5, 1), (8, 0), (8, 1)]
    assert pairs != sorted(pairs)
    # In a range that no memory holds.
    assert SeedCandidates.of_each(range(2**40)).drawn(1, np.random.RandomState(0))[0][0] > 2**30
    with pytest.raises(ValueError, match="6 candidates, fewer than 7"):
        candidates.drawn(7, np.random.RandomState(0))


@pytest.mark.parametrize(
    ("table", "options", "error"),
    [
        (LOG.drop(columns="seed"), {}, "no column 'seed'; it has 'steps', 'guidance'"),
        (LOG, {"settings": ["class"]}, "no column 'class'"),
        (LOG.assign(steps=[20, 50, None, 20, 20]), {}, "Row 2 of the requests.* has no steps"),
        (LOG.assign(seed=LOG["seed"] / 2), {}, "integers"),
        (LOG[:0], {}, "no seeds"),
        (pd.DataFrame({"Seed": [1]}), {}, "it has 'Seed'. The column of the seeds is named 'seed'"),
        (pd.DataFrame({"seed;steps": ["1;20"]}), {}, r"read_csv\(path, sep=';'\)"),
        (pd.DataFrame({"seed\tsteps": ["1\t20"]}), {}, r"read_csv\(path, sep='\\t'\)"),
        ("requests.json", {}, "is a .csv or a .parquet file"),
    ],
)
def test_invalid_requests(table, options, error):
    with pytest.raises(ValueError, match=error):
        SeedCandidates.from_requests(table, **options)
