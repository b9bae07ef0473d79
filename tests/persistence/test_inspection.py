"""Descriptions of attributors in files that are not loaded."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_flipad import (
    DeepSADDetector,
    LatentEncoder,
    OpenSetAttributor,
    inspect_attributor,
    load_attributor,
    make_combined,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_smf,
    make_sminv,
    make_whitened,
    save_attributor,
)
from sklearn_flipad.calibration import PAC
from sklearn_flipad.detectors import MLP
from sklearn_flipad.persistence._reader import Reader
from sklearn_flipad.persistence.inspection import ModelDescription
from sklearn_flipad.storage.arrays import pack, unpack

X = np.random.default_rng(0).integers(60, 200, (80, 1, 8, 8), dtype=np.uint8)
Y = np.repeat([1, -1], 40)


class Images(nn.Module):
    """A generator that no package has."""

    latent_shape = (4,)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(), nn.Linear(8, 64))

    def forward(self, z):
        return torch.tanh(self.body(z)).reshape(-1, 1, 8, 8)


def detector():
    return DeepSADDetector(module=MLP, module_params={"hidden": (4,)}, max_epochs=1)


def flipad(dcgan_layer):
    attributor = make_flipad(dcgan_layer, lam=0.01, detector=detector(), fnr=0.2, random_state=0)
    return attributor.fit(np.kron(X, np.ones((4, 4), np.uint8)), Y)


MAKERS = {
    "rawpad": lambda: make_rawpad(detector=detector(), fnr=0.2),
    "dctpad": lambda: make_dctpad(detector=detector(), fnr=0.2),
    "whitened": lambda: make_whitened("tanh", detector=detector(), fnr=0.2),
    "smf": lambda: make_smf(fnr=0.2, rule=PAC(confidence=0.8)),
    "reproduction": lambda: make_reproduction(
        Images(), encoder=LatentEncoder(max_steps=2), max_iter=2, fnr=0.2
    ),
    "sminv": lambda: make_sminv(Images(), n_restarts=1, max_iter=2, fnr=0.2),
    "combined": lambda: make_combined(
        {"a": make_rawpad(detector=detector(), fnr=0.5), "b": make_smf(fnr=0.5)}, fnr=0.2
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_method(name, tmp_path, monkeypatch):
    attributor = MAKERS[name]()
    is_search = name in ("reproduction", "sminv")
    attributor.set_params(detect__reference=None if is_search else "others")
    attributor.fit(X, None if is_search else Y)
    path = tmp_path / "model.flipad"
    save_attributor(attributor, path, notes={"seed": 0, "by": ["a", None]})
    monkeypatch.setattr(Reader, "value", lambda *args: pytest.fail("something was built"))
    found = inspect_attributor(path)
    calibrator = attributor["detect"]
    assert found.method == name
    # Nothing is fitted by SM-Inv, so that it knows no shape.
    assert found.sample_shape == (None if name == "sminv" else (1, 8, 8))
    assert (found.fnr, found.n_calibration) == (0.2, len(calibrator.calibration_scores_))
    assert found.notes == {"seed": 0, "by": ["a", None]}
    if not is_search:
        n_reference = len(calibrator.reference_scores_)
        assert (found.reference_name, found.n_reference) == ("others", n_reference)
    plain = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in attributor.get_params().items()
        if value is None or isinstance(value, bool | int | float | str | tuple)
    }
    local = ("cache_dir", "checkpoint", "device", "memory", "verbose")
    for k in list(plain):
        if k.rpartition("__")[2] in local or "__module__" in k:  # the latter are other names
            del plain[k]
    steps = {k: v for k, v in found.steps.items() if v == "passthrough"}
    parts = {**found.parameters, **steps}
    assert {k: parts[k] for k in plain} == plain
    assert json.dumps(found.parameters)
    if is_search:
        assert found.generators == tuple(found.needs)
        assert found.generators[0].endswith(":Images")
    if name == "smf":
        assert found.parameters["detect__rule"] == "PAC(confidence=0.8)"


def test_a_final_layer(dcgan_layer, tmp_path):
    path = tmp_path / "model.flipad"
    save_attributor(flipad(dcgan_layer), path)
    found = inspect_attributor(path)
    assert (found.method, found.sample_shape, found.notes) == ("flipad", (1, 32, 32), {})
    assert found.parameters["invert__lam"] == 0.01
    shown = found.parameters["invert__final_layer"]
    assert shown.endswith(f"1x32x32, tanh, map {dcgan_layer.map_fingerprint[:12]}")
    assert found.sha256 == _sha256(path)
    assert found.steps["detect__estimator__scale"] == "InlierScaler"


def _sha256(path):
    from hashlib import sha256

    return sha256(path.read_bytes()).hexdigest()


def test_several_models(dcgan_layer, tmp_path, monkeypatch):
    """Each as in a file of its own, whether it was fitted here, found by a search, or frozen."""
    path, X_large = tmp_path / "models.flipad", np.kron(X, np.ones((4, 4), np.uint8))
    frozen = make_rawpad(detector=detector(), fnr=0.5, random_state=0)
    frozen.set_params(detect__reference="others").fit(X_large, Y)
    part = make_flipad(dcgan_layer, lam=0.01, detector=detector(), fnr=0.5, random_state=0)
    search = GridSearchCV(part, {"invert__lam": [0.1]}, cv=2)
    parts = {"a": frozen, "b": part, "twin of b": part, "d": search}
    attributor = OpenSetAttributor(
        [(name, FrozenEstimator(p) if p is frozen else p) for name, p in parts.items()]
    ).fit(X_large, np.repeat(["b", "twin of b", "d", "other"], 20))
    save_attributor(attributor, path, notes={"owner": "studio"})
    monkeypatch.setattr(Reader, "value", lambda *args: pytest.fail("something was built"))
    found = inspect_attributor(path)
    assert (found.method, found.sample_shape) == ("OpenSetAttributor", (1, 32, 32))
    assert (found.fnr, found.n_calibration, found.reference_name) == (None, None, None)
    assert found.parameters["other"] == "other"
    assert found.notes == {"owner": "studio"}
    assert found.steps["a"] == "FrozenEstimator"
    assert found.steps["twin of b"] == "AttributionPipeline"
    assert list(found.models) == list(parts)
    for name, fitted in attributor.named_estimators_.items():
        alone = tmp_path / f"{name}.flipad"
        save_attributor(getattr(fitted, "best_estimator_", fitted), alone)
        expected = inspect_attributor(alone)
        for field in dataclasses.fields(ModelDescription):
            got = getattr(found.models[name], field.name)
            assert got == getattr(expected, field.name), (name, field.name)
    assert found.models["a"].reference_name == "others"
    assert found.models["d"].parameters["invert__lam"] == 0.1
    assert json.dumps(dataclasses.asdict(found))


@pytest.fixture
def path(tmp_path):
    save_attributor(MAKERS["rawpad"]().fit(X, Y), tmp_path / "model.flipad")
    return tmp_path / "model.flipad"


def test_damage_is_found_as_in_loading(path):
    content, rng = path.read_bytes(), np.random.default_rng(0)
    cases = [content[:k] for k in (0, 7, 100, len(content) - 1)]
    for _ in range(50):
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        cases.append(bytes(flipped))
    for case in cases:
        path.write_bytes(case)
        messages = []
        for read in (load_attributor, inspect_attributor):
            with pytest.raises(ValueError, match=r"model.flipad cannot be loaded: ") as caught:
                read(path)
            messages.append(str(caught.value))
        assert len(set(messages)) == 1
    with pytest.raises(FileNotFoundError):
        inspect_attributor(path.with_name("absent"))
    with pytest.raises(ValueError, match="max_bytes=10"):
        inspect_attributor(path, max_bytes=10)


def test_made_up_descriptions_are_refused_or_shown_as_plain_text(path):
    """Their checksums are right, and what they say is not what anybody writes."""
    arrays, description = unpack(path.read_bytes())
    rng, odd = np.random.default_rng(0), [None, [], {}, 7, "\x1b[31m\n", [{"kind": "same"}], -1.5]
    n_refused = 0
    for _ in range(300):
        changed = json.loads(json.dumps(description))
        places = list(_places(changed))
        node, key = places[rng.integers(len(places))]
        node[key] = odd[rng.integers(len(odd))]
        path.write_bytes(pack(arrays, changed))
        try:
            found = inspect_attributor(path)
        except ValueError:
            n_refused += 1
        else:
            assert all(text.isprintable() for text in _texts(vars(found)))
    assert 0 < n_refused < 300


def _places(node):
    for key in node if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _texts(pair)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


@pytest.mark.parametrize("notes", [[1], {"a": np.zeros(1)}, {"a": float("nan")}])
def test_notes_are_json(notes, path):
    with pytest.raises(ValueError, match="notes must be a dict of JSON values"):
        save_attributor(MAKERS["rawpad"]().fit(X, Y), path, notes=notes)
