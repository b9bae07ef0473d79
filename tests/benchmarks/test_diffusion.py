"""The benchmark of diffusion models, with networks that are hardly trained."""

import numpy as np
import pytest

from benchmarks.attribution import diffusion as benchmark
from benchmarks.data import diffusion as data

pytest.importorskip("diffusers")

pytestmark = pytest.mark.usefixtures("shipped_images")


def test_small(run_small):
    rows = run_small("diffusion")
    found = {row["source"]: row for row in rows}
    assert len(rows) == len(found) == 16
    assert found["own"]["identical"] == found["own"]["found"] == 2
    assert found["own"]["correlation"] > 0.4
    assert found["own"]["distance"] == 0
    for source in ("own, other seeds", "real", "GAN"):
        assert not found[source]["found"] + found[source]["wrong"] + found[source]["identical"]
    assert found["JPEG 90"]["identical"] == found["JPEG 60 to 95"]["identical"] == 2
    for source in ("copy trained on", "copy trained on, JPEG 90", "other network"):
        assert not found[source]["identical"]
    assert found["own, floats"]["not inverted"] == 0
    assert found["own, floats"]["round trip"] < 1e-4
    table = benchmark.table(rows)
    assert np.array_equal(table["sampler"], ["DDIM 20"] * 16)


def test_networks_are_told_the_class_or_all_are_tried(run_small):
    sources = ["own", benchmark.UNTOLD, benchmark.ELSEWHERE]
    rows = run_small("diffusion", "--samplers", "classes, DDIM 20", "--sources", *sources)
    found = {row["source"]: row for row in rows}
    assert found["own"]["identical"] == found[benchmark.UNTOLD]["identical"] == 2
    assert not found[benchmark.ELSEWHERE]["found"] + found[benchmark.ELSEWHERE]["identical"]


def test_quality_of_the_networks(run_small):
    rows = run_small("diffusion_networks", "--networks", "own")
    found = {(row["sampler"], row["network"]): row for row in rows}
    assert {*found} == {("DDIM 20", "own"), ("classes, DDIM 20", "own")}
    assert all(row["distance"] > 100 and 0 <= row["beyond range"] <= 1 for row in rows)
    assert 0 <= found["classes, DDIM 20", "own"]["of its class"] <= 1
    assert "of its class" not in found["DDIM 20", "own"]


def test_training_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_EVERY", 2)
    sizes = {"channels": (8, 16), "n_steps": 5, "n_steps_on": 2}
    whole = data.diffusion_network("0", tmp_path / "whole", **sizes)
    write = data.write_atomically

    def interrupted(path, content):
        write(path, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.diffusion_network("0", tmp_path / "parts", **sizes)
    monkeypatch.setattr(data, "write_atomically", write)
    parts = data.diffusion_network("0", tmp_path / "parts", **sizes)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert np.array_equal(one.detach(), other.detach())
    assert not list((tmp_path / "parts").glob("*.training"))


def test_networks_are_those_of_their_names(tmp_path):
    sizes = {"channels": (8, 16), "n_steps": 8, "n_steps_on": 2}
    networks = [
        data.diffusion_network(name, tmp_path, **sizes)
        for name in ("0", "0, trained on", "0, flow", "0, classes", "1", "1, flow")
    ]
    weights = [next(network.parameters()).detach().numpy() for network in networks]
    assert len({values.tobytes() for values in weights}) == 6
    assert networks[3].class_embedding.weight.shape[0] == data.N_CLASSES
