"""Single-model attribution: who made a sample, the model or somebody else."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

from benchmarks.attributors import BASELINES, make_baseline, one_layer_detector
from benchmarks.judging import judge
from benchmarks.paper.sources import others
from sklearn_flipad import DeepSADDetector, InlierWhitener, make_flipad, make_sminv
from sklearn_flipad.detectors import LeNet
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
)

__all__ = ["AGAIN", "ALPHA", "LONGEST", "PERTURBATIONS", "VARIANTS", "measure", "measure_again"]

#: The paper's penalty, which is half of ``lam``.
ALPHA = 0.0005
#: Table 3, by functions of the images' side; the crops are given for 64 pixels.
PERTURBATIONS = {
    "blur 1": lambda side: GaussianBlur(1, sigma=3.0),
    "blur 3": lambda side: GaussianBlur(3, sigma=3.0),
    "crop 60": lambda side: CenterCropResize(round(60 * side / 64)),
    "crop 55": lambda side: CenterCropResize(round(55 * side / 64)),
    "noise 0.05": lambda side: GaussianNoise(0.05, random_state=0),
    "noise 0.1": lambda side: GaussianNoise(0.1, random_state=0),
    "JPEG 90": lambda side: JPEGCompression(90),
    "JPEG 80": lambda side: JPEGCompression(80),
}
#: As many steps on a laptop as in the paper.
LONGEST = "epochs x50"
#: What was tried where FLIPAD is weak: convolutions, more epochs, and whitening in blocks, in units
#: of the scale's epochs.
VARIANTS = {"LeNet": 1, "epochs x5": 5, "whitened": 1, LONGEST: 50}
#: Tables of which a cell is measured once more, and the experiments that they show.
AGAIN = {
    **dict.fromkeys(("table-1", "table-2", "table-6", "table-8", "table-9"), "attribution"),
    **{"table-3": "perturbed", "table-12": "fewer", "table-13": "perturbed"},
    **{"figure-14": "penalties", "variants": "variants"},
}


def _detector(features, scale, n_epochs, seed, is_lenet=False):
    """DeepSAD with the scale's network: the paper's convolutions, or one hidden layer."""
    if not (scale.channels or is_lenet):
        return one_layer_detector(n_epochs, seed)
    params = {"channels": scale.channels} if scale.channels and features == "activations" else {}
    return DeepSADDetector(
        module=LeNet,
        module_params=params,
        max_epochs=n_epochs,
        milestones=(max(n_epochs // 2, 1),),
        random_state=seed,
    )


def _make(cell, samples, scale, n_tr, n_val, n_epochs, cache_dir):
    """The attributor of a cell, not fitted."""
    seed, variant = cell.run, cell.setting if cell.setting in VARIANTS else None
    if cell.experiment == "searched":
        return make_sminv(samples.generator, fnr=scale.fnrs[0], random_state=seed, **scale.search)
    common = {"fnr": scale.fnrs[0], "cv": n_val / (n_tr + n_val), "random_state": seed}
    if cell.method in BASELINES:
        sides = {"RawPAD": {"size": scale.side}, "DCTPAD": {"crop_size": scale.side}}
        detector = _detector("samples", scale, n_epochs, seed)
        return make_baseline(cell.method, detector, **sides.get(cell.method, {}), **common)
    _, *shape = samples.layer.input_shape
    wide = scale.side is not None and max(shape) > scale.side
    scaler = InlierWhitener(ridge=1e-2, exponent=0.5, block=256) if variant == "whitened" else None
    alpha = float(cell.setting.split()[1]) if cell.setting.startswith("alpha") else ALPHA
    return make_flipad(
        samples.layer,
        lam=2 * alpha,
        pool_size=max(shape) // scale.side if wide else None,
        scaler=scaler,
        detector=_detector("activations", scale, n_epochs, seed, variant == "LeNet"),
        **common,
    ).set_params(invert__cache_dir=cache_dir)


def measure(cell, samples, scale, options):
    """Rates of a cell: its method against real images, other architectures and other seeds."""
    n_tr, n_val, n_test, n_epochs = scale.n_tr, scale.n_val, scale.n_test, scale.n_epochs
    kinds, seeds = others(cell.owner, scale)
    sources = [*kinds, *seeds]
    if cell.experiment == "fewer":
        n_tr, sources = int(cell.setting.split()[1]), kinds
        n_epochs = scale.fewer[n_tr]
    elif cell.experiment == "perturbed":
        (n_tr, n_val, n_test, n_epochs), sources = scale.perturbed, kinds
    elif cell.experiment == "searched":
        (n_val, n_test), n_tr, n_epochs, sources = scale.searched, 0, 0, kinds
    elif cell.experiment == "variants":
        n_epochs *= VARIANTS[cell.setting]
    X, y, tests = samples.part(cell.run, n_tr, n_val, n_test, sources)
    cache_dir = Path(options.work) / "features"
    attributor = _make(cell, samples, scale, n_tr, n_val, n_epochs, cache_dir)
    rows = judge(attributor, X, y, tests, owner=cell.owner, fnrs=scale.fnrs)
    found = {}
    for row in rows:
        source = found.setdefault(row["source"], {"auc": round(row["auc"], 5), "accuracy": []})
        source["accuracy"].append(round(row["accuracy"], 5))
    own = [next(r for r in rows if r["fnr"] == fnr)["found_fnr"][0] for fnr in scale.fnrs]
    return {
        "sizes": [n_tr, n_val, n_test, n_epochs],
        "fnrs": list(scale.fnrs),
        "found_fnrs": [round(rate, 5) for rate in own],
        "fit_s": round(60 * rows[0]["fit_min"], 2),
        "score_s": round(60 * rows[0]["score_min"], 2),
        "sources": found,
    }


def measure_again(cell, samples, scale, options):
    """Rates of a cell of a table, whose features are computed anew."""
    table, _, setting = cell.setting.partition(", ")
    cell = cell._replace(experiment=AGAIN[table], setting=setting)
    with tempfile.TemporaryDirectory() as work:
        return measure(cell, samples, scale, SimpleNamespace(work=work))
