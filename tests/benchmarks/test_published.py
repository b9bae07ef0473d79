"""The published code beside this library, with a checkout of a few lines in its place."""

import sys

import pandas as pd
import pytest
import torch

from benchmarks.paper import published
from benchmarks.results import read_rows
from tests.benchmarks.test_tables import RESULTS

OPTIMIZATION = """
import torch
from torch_dct import dct_2d
from torchvision.transforms import RandomCrop
from torchvision.transforms.functional import center_crop


def fista_reconstruct(output, wrapper, reg_anchor, max_iter, lr, alpha):
    output, last, kind = output.cuda(), *wrapper.get_last_linearity()
    module = torch.nn.ConvTranspose2d if kind == "tconv" else torch.nn.Conv2d
    assert isinstance(last, module) and last(reg_anchor[None]).shape[1:] == output.shape[1:]
    return reg_anchor + torch.zeros(len(output), *reg_anchor.shape)
"""
DATA = """
from torchvision.datasets import VisionDataset


class ImageFolder(VisionDataset):
    pass


class DeepSADDataset:
    def __init__(self, X_train, X_test, X_val, y_train, y_test):
        self.X, self.y, self.X_val = X_train, y_train, X_val
"""
DEEP_SAD = """
import torch
import wandb


class DeepSAD:
    def set_network(self, net_name, num_select_channels, rep_dim, kwargs):
        assert net_name == "mlp"
        self.net = torch.nn.Linear(num_select_channels, rep_dim)

    def train(self, dataset, *, device, **settings):
        assert wandb.run is None
        assert len(dataset.X) == 2 * (dataset.y > 0).sum()
        assert torch.isfinite(dataset.X).all() and dataset.X[dataset.y > 0].mean().abs() < 1e-3
        self.c = [0.0] * self.net.out_features
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Inversion to the mean activation and a network that is not trained."""
    files = {
        "flipad/optimization": OPTIMIZATION,
        "flipad/data_utils": DATA,
        "sad/DeepSAD": DEEP_SAD,
    }
    for name, text in files.items():
        path = tmp_path / "checkout" / "src" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path / "checkout"
    for name in [name for name in sys.modules if name.partition(".")[0] in ("flipad", "sad")]:
        del sys.modules[name]


def test_small(run_small, checkout):
    cuda, path = torch.Tensor.cuda, [*sys.path]
    rows = run_small("published", "--checkout", str(checkout), "--n-tr", "16")
    assert torch.Tensor.cuda is cuda
    assert sys.path == path
    assert not any(type(module) is published.Unused for module in sys.modules.values())
    found = {(row["part"], row["code"]) for row in rows}
    codes = {published.PUBLISHED, published.HERE}
    assert found == {
        *(("features", code) for code in codes | {published.AT_ZERO}),
        *(("accuracy", code) for code in {*codes, published.FROM_HERE, *published.RULES}),
    }
    by_code = {row["code"]: row for row in rows if row["part"] == "features"}
    # The mean activation is no solution, and as far from it as the solution from zero.
    assert by_code[published.PUBLISHED]["distance"] == [1.0, 1.0]
    assert by_code[published.AT_ZERO]["excess"][0] > 0.1
    assert by_code[published.HERE]["excess"][1] < 2e-3
    for row in rows:
        if row["part"] == "accuracy":
            assert row["source"] != row["model"]
            assert 0 <= row["accuracy"] <= 1
    again = run_small("published", "--checkout", str(checkout), "--n-tr", "16")
    assert again == rows


def test_the_threshold_leaves_the_rate(checkout):
    rng = torch.Generator().manual_seed(0)
    train, real, val = (3 + torch.randn(n, 8, generator=rng) for n in (20, 20, 201))
    theirs = published.load_published(checkout)
    score, least = published.fit_published(theirs, train, val, real, 0, 0.1, "cpu")
    # An interpolated quantile of 201 samples, which is one of them.
    assert (score(val) >= least - 1e-6).sum() == 181


def test_a_checkout_is_needed(run_small, tmp_path, capsys):
    assert run_small("published") == []
    assert "pass its folder as --checkout" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="it has no folder src"):
        run_small("published", "--checkout", str(tmp_path))


def test_committed_rows_are_of_the_same_images():
    found = pd.DataFrame(read_rows(RESULTS / "published.jsonl"))
    for (part, _), same in found.groupby(["part", "model"]):
        assert same["code"].nunique() == (3 if part == "features" else 4)
        if part == "accuracy":
            assert same.groupby(["code", "seed"])["source"].agg(frozenset).nunique() == 1
