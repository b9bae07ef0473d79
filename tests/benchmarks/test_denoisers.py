"""The benchmark of what networks say without seeds, with networks that are hardly trained."""

import numpy as np
import pytest

from benchmarks.attribution import denoisers

pytest.importorskip("diffusers")


@pytest.mark.filterwarnings("ignore:.*too few to whiten")
def test_small(run_small, shipped_images):
    rows = run_small("denoisers")
    table, couplings = (table(rows) for table in denoisers.TABLES.values())
    assert list(table["features"]) == [*denoisers.FEATURES, denoisers.ALL]
    assert {*table.columns} > {denoisers.COPY, "real", "GAN"}
    assert list(couplings["couplings by"]) == [
        denoisers.TRUE,
        denoisers.AS_IF,
        denoisers.ONE,
        denoisers.EVERY,
    ]


def test_couplings_are_given_to_the_nearest_prototype():
    prototypes = np.array([[1.0, 0.0], [0.0, 2.0]])
    found = denoisers.distances(np.array([[[3.0, 1.0]], [[0.0, 1.0]]]), prototypes)
    np.testing.assert_allclose(found, 1 - np.array([[3, 1], [0, 10**0.5]]) / 10**0.5)
