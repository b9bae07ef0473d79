"""Detectors, encoders, searches and attributors that several benchmarks use."""

from pathlib import Path

import sklearn_flipad
from benchmarks.machine import BATCH_SIZE, timed
from benchmarks.options import Option
from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    LatentEncoder,
    ReproductionDetector,
    make_dctpad,
    make_rawpad,
    make_smf,
)
from sklearn_flipad.detectors import MLP

__all__ = [
    "BASELINES",
    "QUICK",
    "final_layer",
    "make_baseline",
    "make_reproduction",
    "one_layer_detector",
    "reproduction_detector",
    "trained_encoder",
]


def one_layer_detector(max_epochs=20, seed=0, **params):
    """DeepSAD with one hidden layer, the detector of most methods."""
    return DeepSADDetector(
        module=MLP,
        module_params={"hidden": (256,)},
        max_epochs=max_epochs,
        milestones=(int(0.7 * max_epochs),),
        random_state=seed,
        **params,
    )


#: The option that makes searches quick, and what they are then.
QUICK = Option("quick", False, True, "searches of a few trials, which find nothing")
_QUICK = {"max_iter": 3, "n_newton": 0, "n_restarts": 0}
#: Methods that know nothing of the generator.
BASELINES = ("SM-F", "RawPAD", "DCTPAD")


def make_baseline(method, detector, **params):
    """One of `BASELINES` by its name; SM-F has no detector."""
    if method == "SM-F":
        return make_smf(n_jobs=1, **params)
    return {"RawPAD": make_rawpad, "DCTPAD": make_dctpad}[method](detector=detector, **params)


def final_layer(generator, n_samples=5000):
    """The final layer of a generator, with its mean activation over `n_samples`."""
    return FinalLayer.from_generator(generator, n_samples=n_samples, random_state=0)


def trained_encoder(generator, name, folder, max_steps, **params):
    """Encoder of a generator, kept in a folder, and the seconds of its training, None if it was."""
    path = Path(folder, "encoders", f"{name.replace('/', '-')}-{max_steps}.encoder")
    if path.exists():
        return LatentEncoder.load(path), None
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder, seconds = timed(LatentEncoder(max_steps=max_steps, **params).fit, generator)
    encoder.save(path)
    return encoder, seconds


def make_reproduction(generator, encoder, *, search=None, quick=False, cv=0.5, **params):
    """Attributor by reproduction from an encoder's guess; `search` has detector parameters.

    A `quick` search has a few trials, and finds nothing.
    """
    attributor = sklearn_flipad.make_reproduction(generator, encoder=encoder, cv=cv, **params)
    search = {"batch_size": BATCH_SIZE, **(search or {}), **(_QUICK if quick else {})}
    names = {f"detect__estimator__{name}": value for name, value in search.items()}
    return attributor.set_params(**names)


def reproduction_detector(generator, encoder, *, quick=False, **params):
    """The detector of :func:`make_reproduction`, not calibrated."""
    search = _QUICK if quick else {}
    return ReproductionDetector(generator, encoder=encoder, **search, **params)
