"""Descriptions of earlier protocols."""

import copy

from sklearn_flipad.persistence._migrations import split_reconstruction

#: The parameters that the ReconstructionDetector of protocol 1 had.
PARAMS = {
    **{"batch_size": 32, "distance": "l2", "encoder": None, "fnr": None, "generator": "G"},
    **{"inception_weights": None, "latent_shape": None, "lr": 0.1, "max_iter": "auto"},
    **{"n_calibration": 256, "n_newton": 12, "n_restarts": "auto", "optimizer": "adam"},
    **{"output_range": None, "patience": 200, "processing": None, "random_state": 0},
    "sampler": None,
}


def migrated(**params):
    """Class and parameters of a detector of protocol 1 that is a part of something else."""
    node = {"kind": "estimator", "class": "ReconstructionDetector", "params": PARAMS | params}
    whole = {"kind": "estimator", "class": "FNRThresholdCalibrator", "params": {"cv": 0.5}}
    description = {"attributor": whole | {"fitted": {"estimators_": [copy.deepcopy(node)]}}}
    (found,) = split_reconstruction(description, {})[0]["attributor"]["fitted"]["estimators_"]
    assert found["kind"] == "estimator"
    return found["class"], found["params"]


def test_random_starts_are_those_of_sminv():
    name, params = migrated(max_iter=30)
    assert name == "SMInvDetector"
    changed = {"n_restarts": 10, "max_iter": 30}
    dropped = ("encoder", "n_calibration", "n_newton", "processing")
    assert params == {k: v for k, v in PARAMS.items() if k not in dropped} | changed
    assert migrated(n_restarts=3)[1]["max_iter"] == 1000


def test_a_search_from_a_guess_is_reproduction():
    encoder = {"kind": "estimator", "class": "LatentEncoder", "params": {"lr": 0.1}, "fitted": {}}
    name, params = migrated(encoder=encoder)
    assert name == "ReproductionDetector"
    dropped = ("lr", "optimizer", "patience")
    assert params == {k: v for k, v in PARAMS.items() if k not in dropped} | {"encoder": encoder}
