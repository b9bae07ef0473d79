"""Constants beside other values: the first of each ships, and all were measured."""

import inspect
import pkgutil

import pytest

from benchmarks.constants.constants import path_of
from benchmarks.constants.entries import CONSTANTS
from benchmarks.results import read_rows
from tests.benchmarks.test_tables import RESULTS

#: Those whose small runs take no diffusion network, no download, and little time.
QUICK = (
    "reproduction.search.resizings._N_ROUNDS",
    "reproduction.seeds.matching._BLOCK",
    "calibration.likelihood_ratios.kernel_density._PRECISION",
    "evaluation._earlier_jpeg._SMALL",
)


def set_now(name):
    """The value that is set in the package."""
    place, _, attribute = path_of(name).rpartition(".")
    return inspect.getattr_static(pkgutil.resolve_name(place), attribute)


FIRST = {name: next(iter(constant.values.values())) for name, constant in CONSTANTS.items()}


@pytest.mark.parametrize("name", [name for name, value in FIRST.items() if not callable(value)])
def test_the_first_value_ships(name):
    assert FIRST[name] == set_now(name)


def test_each_value_was_measured():
    measured = [(row["constant"], row["value"]) for row in read_rows(RESULTS / "constants.jsonl")]
    expected = [(name, label) for name, found in CONSTANTS.items() for label in found.values]
    assert sorted(measured) == sorted(expected)


@pytest.mark.filterwarnings("ignore:.*not reproduced", "ignore:.*are reproduced")
def test_small(run_small):
    before = [set_now(name) for name in QUICK]
    rows = run_small("constants", "--constants", *QUICK)
    assert [set_now(name) for name in QUICK] == before
    by_constant = {}
    for row in rows:
        by_constant.setdefault(row.pop("constant"), {})[row.pop("value")] = row
    assert {name: [*found] for name, found in by_constant.items()} == {
        name: [*CONSTANTS[name].values] for name in QUICK
    }
    rounds = by_constant["reproduction.search.resizings._N_ROUNDS"]
    trials = [rounds[value]["own"]["trials"] for value in ("0", "1", "2")]
    assert trials == sorted(set(trials))


def test_small_runs_of_diffusion_models(run_small, shipped_images):
    pytest.importorskip("diffusers")
    names = [name for name in CONSTANTS if "diffusion" in name or "seeds._targets" in name]
    rows = run_small("constants", "--constants", *names)
    by_value = {(row["constant"].rpartition(".")[2], row["value"]): row for row in rows}
    assert len(by_value) == sum(len(CONSTANTS[name].values) for name in names)
    assert by_value["_ROUNDING", "0.0001"]["refused"] == []
    assert by_value["_ROUNDING", "1e-08"]["refused"]
    assert by_value["_MEMORY", "5"]["runs"] > 20
    found = by_value["DEVIATIONS", "(0.05, 0.2)"]
    assert found["own"]["found"] == found["own"]["n"] == 2
