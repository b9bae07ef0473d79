"""Levels of strata, which are checked before an attributor is saved."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("typer")

from sklearn_flipad import FNRThresholdCalibrator
from sklearn_flipad.cli.strata import check_levels
from tests.calibration.test_calibration import FirstColumn


def test_few_negatives_of_a_stratum_are_refused():
    X = np.random.default_rng(0).normal(size=(500, 2))
    y = np.repeat([1, -1], [400, 100])
    strata = np.where(np.arange(500) % 4, "many", "few")
    calibrator = FNRThresholdCalibrator(FirstColumn(), fnr=0.2, reference="others", random_state=0)
    calibrator.fit(X, y, strata=strata)
    n = len(calibrator.in_stratum("few").reference_scores_)
    options = SimpleNamespace(rule="conformal", fpr=1 / (n + 2))
    message = rf"needs {n + 1} held-out .*, and 'few' has {n}\. Provide more"
    with pytest.raises(ValueError, match=message):
        check_levels(calibrator, options)
    options.fpr = 1 / (n + 1)  # raised, as it advises
    check_levels(calibrator, options)
    calibrator.weigh([0.0], fpr=options.fpr, strata=["few"])
