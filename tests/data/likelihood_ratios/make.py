"""Write metrics and bounds of lir 1.3.1 (Netherlands Forensic Institute) on scores drawn here.

It runs in an environment of its own, ``pip install lir==1.3.1``: lir needs pymc and numba.
"""

import json
from pathlib import Path

import numpy as np
from lir.algorithms.bayeserror import elub
from lir.data.models import LLRData
from lir.metrics import cllr, cllr_cal, cllr_min
from lir.metrics.devpav import devpav
from lir.plotting.expected_calibration_error import calculate_ece

LOG10_PRIOR_ODDS = np.array([-3, -1.5, 0, 0.5, 3])


def case(own, reference):
    """Scores of both kinds, and the values of lir."""
    own, reference = (np.round(x.astype(float), 6) for x in (own, reference))
    llrs = np.concatenate([own, reference])
    y = np.repeat([1, 0], [len(own), len(reference)])
    data = LLRData(features=llrs[:, None], labels=y)
    low, high = elub(llrs.copy(), y, step_size=1e-4)
    prior_odds = 10**LOG10_PRIOR_ODDS
    return {
        "own": own.tolist(),
        "reference": reference.tolist(),
        "cllr": cllr(data),
        "cllr_min": cllr_min(data),
        "cllr_cal": cllr_cal(data),
        "dev_pav": float(devpav(llrs, y)),
        "elub": [float(low), float(high)],
        "log10_prior_odds": LOG10_PRIOR_ODDS.tolist(),
        "ece": calculate_ece(10**llrs, y, prior_odds / (1 + prior_odds)).tolist(),
    }


rng = np.random.default_rng(0)
cases = [
    case(rng.normal(1, 1, 50), rng.normal(-1, 1, 80)),
    case(rng.normal(2, 3, 300), rng.normal(-2, 1, 40)),
    case(rng.normal(0.3, 1, 100), rng.normal(0, 1, 100)),
    case(rng.integers(-1, 4, 60), rng.integers(-3, 2, 90)),
    case(rng.normal(4, 1, 200), rng.normal(-3, 1, 500)),
]
text = json.dumps(cases, indent=1)
(Path(__file__).parent / "lir.json").write_text(text + "\n")
