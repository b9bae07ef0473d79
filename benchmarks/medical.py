"""Attribution to a generator of medical images: the columns of Table 4.

The owner is a DCGAN of 128x128 gray pixels; see ``medical_data.py`` for what it stands for. Samples
of the WGAN-GP are the negatives, as in the paper, where the real images may not be passed on.
Judged are fresh samples of the WGAN-GP, of a C-DCGAN, and real images, which no method has seen.
One line of JSON for each method goes to ``medical.jsonl`` in the folder ``--out``; what is there
already is left out.
"""

import numpy as np
from attribution import FNRS, Setting, fill_table, judge_attributor
from medical_data import NAMES, generator, slices

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    LatentEncoder,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_smf,
    make_whitened,
)
from sklearn_flipad.detectors import LeNet
from sklearn_flipad.generators import sample

OWNER, NEGATIVES, *_ = NAMES
#: The paper's penalty for these images, and the channels of its networks on activations.
LAM, PHI = 1e-3, (128, 256, 128)
SETTING = Setting(n_own=900, n_real=300, n_test=200, max_epochs=10)
#: Of the search, which takes seconds for a sample.
SEARCHED = Setting(n_own=80, n_test=25)
#: Training steps of the encoder, about three minutes.
STEPS = 1000
METHODS = ("SM-F", "RawPAD", "DCTPAD", "FLIPAD", "whitened preactivation", "reproduction")
WITHOUT_NEGATIVES = ("SM-F", "reproduction")


def paper_detector(**params):
    """DeepSAD with the paper's network and its schedule, in fewer epochs."""
    return DeepSADDetector(
        module=LeNet,
        module_params=params,
        max_epochs=SETTING.max_epochs,
        milestones=(SETTING.max_epochs // 2,),
        random_state=0,
    )


def make_attributor(method, model, encoders):
    """An attributor by the name of its method."""
    # A third of the own samples trains, as many as there are negatives.
    common = {"fnr": FNRS[0], "cv": 2 / 3, "random_state": 0}
    if method == "SM-F":
        return make_smf(n_jobs=1, **common)
    if method == "RawPAD":
        return make_rawpad(size=32, detector=paper_detector(), **common)
    if method == "DCTPAD":
        return make_dctpad(crop_size=32, detector=paper_detector(), **common)
    if method == "whitened preactivation":
        return make_whitened(**common)
    if method == "reproduction":
        path = encoders / "mri.encoder"
        if not path.exists():
            LatentEncoder(max_steps=STEPS).fit(model).save(path)
        return make_reproduction(model, encoder=LatentEncoder.load(path), fnr=FNRS[1])
    layer = FinalLayer.from_generator(model, random_state=0)
    return make_flipad(layer, lam=LAM, pool_size=2, detector=paper_detector(channels=PHI), **common)


def judge_method(method, work):
    """Setting and rows of a method."""
    models = {name: generator(name, work) for name in NAMES}
    is_searched = method == "reproduction"
    setting, fnrs = (SEARCHED, FNRS[1:]) if is_searched else (SETTING, FNRS)
    X, y = sample(models[OWNER], setting.n_own, random_state=0), np.ones(setting.n_own, dtype=int)
    if method not in WITHOUT_NEGATIVES:
        negatives = sample(models[NEGATIVES], setting.n_real, random_state=0)
        X, y = np.concatenate([X, negatives]), np.append(y, np.full(setting.n_real, -1))
    tests = {name: sample(models[name], setting.n_test, random_state=1) for name in NAMES}
    tests["real"] = slices(setting.n_test, work, seed=1)[0]
    attributor = make_attributor(method, models[OWNER], work)
    return setting, judge_attributor(attributor, X, y, tests, owner=OWNER, method=method, fnrs=fnrs)


def main():
    """Measure, print and write."""
    fill_table(__doc__, "medical", METHODS, judge_method)


if __name__ == "__main__":
    main()
