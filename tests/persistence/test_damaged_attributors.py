"""Damaged attributors, and files that somebody made up."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sklearn_flipad import DeepSADDetector, load_attributor, make_whitened, save_attributor
from sklearn_flipad.detectors import MLP
from sklearn_flipad.persistence import _protocol
from sklearn_flipad.persistence.kinds import scikit_learn

skops = pytest.importorskip("skops.io")


class Own(BaseEstimator):
    """An estimator that no package has."""


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 0.1, (80, 5)), rng.normal(0.3, 0.1, (40, 5))])
    return X, np.repeat([1, -1], [80, 40])


def saved(detector, table, path):
    attributor = make_whitened(detector=detector, fnr=0.2, random_state=0).fit(*table)
    save_attributor(attributor, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def content(table, tmp_path_factory):
    """The bytes of an attributor."""
    detector = DeepSADDetector(module=MLP, module_params={"hidden": (8,)}, max_epochs=1)
    return saved(detector, table, tmp_path_factory.mktemp("content") / "model.flipad")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.flipad"


# Damage


def refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_attributor(path)
    return str(caught.value)


def test_every_flipped_bit_is_found(content, path):
    rng = np.random.default_rng(0)
    header = 8 + int.from_bytes(content[:8], "little")
    places = [*range(8), *rng.integers(0, header, 200), *rng.integers(header, len(content), 200)]
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        refused(path, bytes(flipped), "checksum|complete|bytes")


def test_every_truncation_is_found(content, path):
    header = 8 + int.from_bytes(content[:8], "little")
    for size in [0, 1, 7, 8, 9, header - 1, header, header + 1, len(content) - 1]:
        refused(path, content[:size], "complete")
    refused(path, content + b"\0", "checksum")


def test_sizes_are_refused_before_anything_is_read(content, path, monkeypatch):
    refused(path, (2**40).to_bytes(8, "little") + content[8:], "too few for the header")
    with open(path, "wb") as file:  # a header of a gigabyte, none of it written
        file.write((2**30).to_bytes(8, "little"))
        file.truncate(2**31)
    with pytest.raises(ValueError, match="header has 1073741824 bytes"):
        load_attributor(path)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="max_bytes=1000"):
        load_attributor(path, max_bytes=1000)
    with pytest.raises(ValueError, match="folder"):
        load_attributor(path.parent)
    with pytest.raises(FileNotFoundError):
        load_attributor(path.with_name("absent"))


# Hostile files: their checksums are right


COMPACT = json.JSONEncoder(separators=(",", ":")).encode


def signed(header, data=b""):
    """A file of a header, with the checksum that it should have."""
    text = (
        header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    )
    content = len(text).to_bytes(8, "little") + text + data

    return content.replace(b"0" * 64, hashlib.sha256(content).hexdigest().encode(), 1)


def opened(content):
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"]["sha256"] = "0" * 64
    return header, json.loads(header["__metadata__"]["description"]), content[8 + size :]


def changed(content, change):
    """A file whose description was changed by somebody who knows the format."""
    header, description, data = opened(content)
    change(description)
    header["__metadata__"]["description"] = json.dumps(description)
    return signed(header, data)


def test_a_file_can_be_signed_by_anybody(content, path):
    path.write_bytes(changed(content, lambda description: None))
    load_attributor(path)


def test_hostile_headers(content, path):
    header, _, data = opened(content)
    text = COMPACT(header)
    twice = text.replace("{", '{"__metadata__":{},', 1)
    refused(path, signed(twice.encode(), data), "a key is repeated")
    deep = {"__metadata__": {"description": "[" * 10**5, "sha256": "0" * 64}}
    refused(path, signed(deep), "header cannot be read")
    array = {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}
    refused(path, signed({**header, "x": array}, data), "header cannot be read")
    huge = {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}
    refused(path, signed({"__metadata__": header["__metadata__"], "x": huge}, b"1234"), "header")
    for number in ("NaN", "Infinity"):
        header["__metadata__"]["description"] = f'{{"format": {number}}}'
        refused(path, signed(header, data), f"{number} is no JSON")
    refused(
        path, signed({"__metadata__": {"description": "[]", "sha256": "0" * 64}}), "JSON object"
    )


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


def _calibrator(description):
    return description["attributor"]["params"]["steps"][1]["items"][1]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            {"kind": "estimator", "class": "os.system", "params": {}, "fitted": {}},
            "not a class that",
        ),
        ({"kind": "_object"}, "nothing is known of the kind"),
        ({"kind": "object", "name": "os:system"}, "KeyError"),
        ({"kind": "array", "array": "absent"}, "KeyError"),
        ({"kind": "same", "id": 10**6}, "KeyError"),
        ({"kind": "value", "class": "PAC", "items": {"confidence": 7}}, "confidence must lie"),
        ({"kind": "value", "class": "PAC", "items": {"other": 7}}, "TypeError"),
        ({"kind": "float", "value": "1e9"}, "special float"),
        ({"kind": "module", "build": {"zoo": "nn"}, "state": {}, "training": []}, "description"),
        ({"kind": "network_class", "class": "nn"}, "no network"),
        (nested(101), "deep"),
        ({"no": "kind"}, "KeyError"),
        (None, "threshold_"),
    ],
)
def test_hostile_values(node, message, content, path):
    def change(description):
        fitted = _calibrator(description)["fitted"]
        if node is None:
            del fitted["threshold_"]
        else:
            fitted["threshold_"] = node

    refused(path, changed(content, change), message)


def test_descriptions_of_other_versions(content, path):
    def foreign(description):
        _calibrator(description)["params"]["unheard_of"] = 1

    refused(
        path, changed(content, foreign), "unheard_of of FNRThresholdCalibrator.*another version"
    )

    def attribute(description):
        _calibrator(description)["fitted"]["predict"] = 1

    refused(path, changed(content, attribute), "predict of FNRThresholdCalibrator")

    def later(description):
        description.update(protocol=_protocol.PROTOCOL + 1, versions={"sklearn_flipad": "9.1"})

    refused(path, changed(content, later), r"pip install 'sklearn-flipad>=9.1'")
    for number in (0, -1, "1", None, True, 1.0):
        wrong = changed(content, lambda description, n=number: description.update(protocol=n))
        refused(path, wrong, "protocol number")
    refused(
        path, changed(content, lambda d: d.update(format="sklearn_flipad.FinalLayer/1")), "Layer"
    )


def test_networks_cannot_ask_for_more_memory_than_they_bring(content, path):
    def change(description):
        detector = _calibrator(description)["fitted"]["estimator_"]["params"]["steps"][1]["items"][
            1
        ]
        arguments = detector["fitted"]["net_"]["arguments"]["items"]
        arguments["hidden"] = {"kind": "tuple", "items": [10**12]}

    refused(path, changed(content, change), "weights are not those of MLP")


def test_earlier_protocols_are_migrated(content, path, monkeypatch):
    """A file of today, read by the version that raises the protocol."""

    def migrate(description, arrays):
        _calibrator(description)["params"]["fnr"] = 0.125
        return description, arrays

    today = _protocol.PROTOCOL
    monkeypatch.setattr(_protocol, "PROTOCOL", today + 2)
    monkeypatch.setitem(_protocol.MIGRATIONS, today, migrate)
    monkeypatch.setitem(_protocol.MIGRATIONS, today + 1, lambda *parts: parts)
    path.write_bytes(content)
    assert load_attributor(path)["detect"].fnr == 0.125


# Estimators of scikit-learn


@pytest.fixture(scope="module")
def forest(table):
    return IsolationForest(n_estimators=5, random_state=0).fit(table[0])


def test_another_version_of_scikit_learn_brings_a_warning(table, path, monkeypatch):
    saved(OneClassSVM(), table, path)
    monkeypatch.setattr(sklearn, "__version__", "99.0")
    with pytest.warns(InconsistentVersionWarning, match="99.0"):
        load_attributor(path)


def test_trees_that_lead_out_of_their_nodes_are_refused(forest, table):
    name = scikit_learn.full_name(forest)
    for field, value in (("left_child", 0), ("right_child", 10**6), ("feature", 99)):
        broken = scikit_learn.from_bytes(scikit_learn.to_bytes(forest), name)
        tree = broken.estimators_[1].tree_
        nodes = tree.__getstate__()["nodes"].copy()
        nodes[field][0] = value
        tree.__setstate__({**tree.__getstate__(), "nodes": nodes})
        with pytest.raises(ValueError, match="lead nowhere"):
            scikit_learn.from_bytes(skops.dumps(broken), name)


def test_bytes_of_scikit_learn_are_checked(forest):
    content = scikit_learn.to_bytes(forest)
    with pytest.raises(ValueError, match=r"OneClassSVM cannot be read: there is .*StandardScaler"):
        scikit_learn.from_bytes(skops.dumps(StandardScaler()), "sklearn.svm._classes.OneClassSVM")
    with pytest.raises(ValueError, match="Untrusted types"):
        scikit_learn.from_bytes(skops.dumps(Own()), "sklearn.svm._classes.OneClassSVM")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 10**7)
    with pytest.raises(ValueError, match="larger than they say"):
        scikit_learn.from_bytes(bomb.getvalue(), scikit_learn.full_name(forest))
    assert len(content) > len(bomb.getvalue())
