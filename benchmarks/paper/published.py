"""The published code of FLIPAD beside this library, on the same images and in one process.

``--checkout`` is the folder of a clone of https://github.com/MikeLasz/flipad, whose functions are
imported from there; nothing of it is in this repository. Without a card its tensors stay on the
CPU, and empty modules take the place of packages that it imports and that what is called does not
use. It is given the mean activation of this library, of a generator in eval mode.

Features: how far the objective is above its minimum, and activations are from the solution,
relative to its norm. Accuracy: samples as for Table 1, with the published training and MLP, which
is made for tables: its image networks take 64 channels of 32x32, which no shipped layer has.
"""

import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks.attributors import final_layer, one_layer_detector
from benchmarks.data.generators import PUBLIC, generator_by_name
from benchmarks.data.problems import Case
from benchmarks.judging import interval, judge_pair
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from benchmarks.paper.attribution import ALPHA
from benchmarks.paper.scales import SCALES
from benchmarks.paper.sources import others, samples_of
from sklearn_flipad import FinalLayerInverter, make_flipad
from sklearn_flipad.calibration import Conformal, Quantile
from sklearn_flipad.generators import sample
from sklearn_flipad.solvers import DouglasRachford
from sklearn_flipad.storage.files import write_atomically

__all__ = ["KEYS", "OPTIONS", "TABLES", "run"]

#: Of the published script: step, most steps, epochs and the one at which the rate falls, and what
#: is added to deviations.
STEP, N_STEPS, N_EPOCHS, MILESTONE, EPS = 0.025, 10_000, 50, 25, 0.05
HERE, PUBLISHED, AT_ZERO = "here", "published", "published, started at zero"
FROM_HERE = "published, activations from here"
#: Rules of the threshold here.
RULES = {"here, published threshold": Quantile(), HERE: Conformal()}
#: What trains and calibrates.
PARTS = ("own", "own that calibrate", "real that train")
CASES = (PUBLIC, "fashion/dcgan-0", "fashion/lsgan-0")
UNUSED = ("torch_dct", "torchvision", "wandb")
KEYS = ("part", "model", "code", "seed")
OPTIONS = (
    Option("checkout", None, help="folder of the published code", selects=True),
    selection("models", CASES, small=CASES[1:2], help="whose features are compared"),
    selection("owners", CASES[1:], CASES[1:2], help="whose attributors are compared"),
    Option("seeds", (0, 1, 2), (0,), "of the detectors", selects=True),
    Option("n_images", 8, 2, "images whose features are compared"),
    Option("fnr", 0.005, 0.1, "false-negative rate"),
    Option("n_tr", 200, 64, "own samples that train, and as many real images"),
    Option("n_val", 200, 12, "own samples that calibrate"),
    Option("n_test", 50, 4, "samples of each source that are judged"),
    Option("n_mean", 5000, 50, "samples of the mean activation"),
)


class Unused(ModuleType):
    """A package that is imported and not used; every name in it is a class."""

    run = None  # of wandb: nothing is logged

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class UnusedFinder(MetaPathFinder, Loader):
    """Finds empty modules for the packages in `UNUSED` that nothing else finds."""

    def find_spec(self, name, path, target=None):
        """A spec for such a name."""
        is_unused = name.partition(".")[0] in UNUSED
        return ModuleSpec(name, self, is_package=True) if is_unused else None

    def create_module(self, spec):
        """An empty module."""
        return Unused(spec.name)

    def exec_module(self, module):
        """Do nothing."""


def load_published(checkout):
    """The functions and classes of a checkout that are compared."""
    folder = Path(checkout, "src").resolve()
    if not folder.is_dir():
        raise SystemExit(f"{checkout} is no checkout of the published code: it has no folder src.")
    with (
        patch.object(sys, "path", [str(folder), *sys.path]),
        patch.object(sys, "meta_path", [*sys.meta_path, UnusedFinder()]),
    ):
        try:
            found = SimpleNamespace(
                fista=import_module("flipad.optimization").fista_reconstruct,
                Dataset=import_module("flipad.data_utils").DeepSADDataset,
                DeepSAD=import_module("sad.DeepSAD").DeepSAD,
            )
        finally:
            for name in [name for name, module in sys.modules.items() if type(module) is Unused]:
                del sys.modules[name]
    return found


@contextmanager
def without_card():
    """Yield the device; where there is no card, let tensors stay where they are."""

    def stay(self, *args, **kwargs):
        return self

    if torch.cuda.is_available():
        yield "cuda"
        return
    with patch.object(torch.Tensor, "cuda", stay), patch.object(nn.Module, "cuda", stay):
        yield "cpu"


class LastConvolution:
    """The last convolution of a generator, as the published code asks for it."""

    def __init__(self, generator):
        kinds = (nn.Conv2d, nn.ConvTranspose2d)
        self.module = [m for m in generator.modules() if isinstance(m, kinds)][-1]

    def get_last_linearity(self):
        """The module and its kind."""
        return self.module, "tconv" if isinstance(self.module, nn.ConvTranspose2d) else "conv"


@torch.no_grad()
def published_activations(theirs, last, layer, X, *, at_zero=False):
    """Activations of images less their mean, by the published inversion.

    It starts where its penalty is centered; `at_zero` shifts the problem there.
    """
    output = torch.atanh((torch.from_numpy(X).float() / 127.5 - 1).clip(-1 + 1e-4, 1 - 1e-4))
    anchor = torch.tensor(layer.mean_activation.reshape(layer.input_shape)).float()
    if at_zero:
        output = output - last.module(anchor[None]) + last.module(0 * anchor[None])
        anchor = 0 * anchor
    steps = {"lr": STEP, "max_iter": N_STEPS, "alpha": ALPHA}
    return theirs.fista(output=output, wrapper=last, reg_anchor=anchor, **steps) - anchor


def activations_from_here(inverter, layer, X):
    """The same, by an inverter."""
    z = inverter.fit_transform(X) - layer.mean_activation.reshape(layer.input_shape)
    return torch.tensor(z).float()


def compare_features(theirs, name, options, results):
    """Compare objective and activations of each code with those of the solution."""
    generator = generator_by_name(name, options.work)
    layer, last = final_layer(generator, options.n_mean), LastConvolution(generator)
    X = sample(generator, options.n_images, random_state=1)
    problem = Case(layer, X).problem(torch.float64)
    best = DouglasRachford().solve(problem, tol=1e-7)
    inverter = FinalLayerInverter(layer, lam=2 * ALPHA)
    codes = {
        PUBLISHED: lambda: published_activations(theirs, last, layer, X),
        AT_ZERO: lambda: published_activations(theirs, last, layer, X, at_zero=True),
        HERE: lambda: activations_from_here(inverter, layer, X),
    }
    for code, invert in codes.items():
        cell = {"part": "features", "model": name, "code": code, "seed": 0}
        if results.has(*cell.values()):
            continue
        z, seconds = timed(invert)
        z = z.double().reshape(best.z.shape)
        excess = problem.primal(z, problem.residual(z)) / best.objective - 1
        apart = (z - best.z).flatten(1).norm(dim=1) / best.z.flatten(1).norm(dim=1)
        row = {**cell, "n": len(X), "ms": round(1e3 * seconds / len(X), 2)}
        for quantity, values in (("excess", excess), ("distance", apart)):
            row[quantity] = [float(values.median()), float(values.max())]
        results.add(row)


def kept(path, make):
    """A tensor in a file, made where it is not there yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        values = make().numpy()
        write_atomically(path, lambda file: np.save(file, values))
    return torch.from_numpy(np.load(path))


def fit_published(theirs, train, val, real, seed, fnr, device):
    """Scores of activations by the published training, and the threshold that it calibrates."""
    mean, deviation = train.mean(dim=0), train.std(dim=0) + EPS

    def scaled(z):
        return (z - mean) / deviation

    X = scaled(torch.cat([train, real]))
    y = torch.cat([torch.ones(len(train)), -torch.ones(len(real))])
    detector = theirs.DeepSAD()
    torch.manual_seed(seed)
    layers = {"use_bias": False, "h_dims": [256], "dropout": 0.0}
    detector.set_network("mlp", X.shape[1], rep_dim=128, kwargs=layers)
    detector.train(
        theirs.Dataset(X, X, scaled(val), y, y),
        **{"lr": 5e-4, "n_epochs": N_EPOCHS, "lr_milestones": (MILESTONE,), "batch_size": 128},
        **{"weight_decay": 0.5e-6, "device": device, "tolerable_fnr": [fnr]},
    )
    detector.net.eval()

    @torch.no_grad()
    def score(z):
        output = detector.net(scaled(z).to(device)).cpu()
        return -(output - torch.tensor(detector.c)).square().sum(dim=1)

    return lambda z: score(z).numpy(), -torch.quantile(-score(val), 1 - fnr).item()


def judge_published(theirs, activations, seed, fnr, device):
    """Scores of test samples by source and the least that is accepted, by the published code."""
    train, val, real = (activations[name] for name in PARTS)
    score, least = fit_published(theirs, train, val, real, seed, fnr, device)
    return {name: score(z) for name, z in activations.items() if name not in PARTS}, least


def judge_here(layer, parts, tests, seed, fnr, rule, cache_dir):
    """The same by an attributor with the same network, training and hold-outs."""
    train, val, real = (parts[name] for name in PARTS)
    rows = np.arange(len(train) + len(val) + len(real))
    held_out = (rows >= len(train)) & (rows < len(train) + len(val))
    attributor = make_flipad(
        layer,
        lam=2 * ALPHA,
        detector=one_layer_detector(N_EPOCHS, seed).set_params(milestones=(MILESTONE,)),
        fnr=fnr,
        rule=rule,
        cv=[(rows[~held_out], rows[held_out])],
        random_state=seed,
    ).set_params(invert__cache_dir=cache_dir)
    X, y = np.concatenate([train, val, real]), np.where(rows < len(rows) - len(real), 1, -1)
    attributor.fit(X, y)
    scores = {name: attributor.score_samples(X) for name, X in tests.items()}
    return scores, attributor["detect"].offset_


def compare_attributors(theirs, owner, options, results, device):
    """Judge each code for each seed; images are inverted once."""
    missing = {
        (code, seed): {"part": "accuracy", "model": owner, "code": code, "seed": seed}
        for seed in options.seeds
        for code in (PUBLISHED, FROM_HERE, *RULES)
        if not results.has("accuracy", owner, code, seed)
    }
    if not missing:
        return
    sizes = {name: getattr(options, name) for name in ("n_tr", "n_val", "n_test")}
    scale = replace(SCALES["laptop"], n_mean=options.n_mean, **sizes)
    samples, kinds = samples_of(owner, scale, options), others(owner, scale)[0]
    X, _, tests = samples.part(0, *sizes.values(), kinds)
    parts = zip(PARTS, np.split(X, np.cumsum([options.n_tr, options.n_val])), strict=True)
    layer, last, parts = samples.layer, LastConvolution(samples.generator), dict(parts)
    with tempfile.TemporaryDirectory() as cache_dir:
        inverter = FinalLayerInverter(layer, lam=2 * ALPHA, cache_dir=cache_dir)
        inversions = {
            FROM_HERE: lambda X: activations_from_here(inverter, layer, X),
            # Kept, since it takes most of the time.
            PUBLISHED: lambda X: kept(
                options.work / "published" / owner / f"{sha256(X).hexdigest()}.npy",
                lambda: published_activations(theirs, last, layer, X),
            ),
        }
        needed = {code for code, _ in missing}
        found = {
            code: {name: invert(x).flatten(1) for name, x in {**parts, **tests}.items()}
            for code, invert in inversions.items()
            if code in needed
        }
        for (code, seed), cell in missing.items():
            if code in RULES:
                given = layer, parts, tests, seed, options.fnr, RULES[code], cache_dir
                scores, least = judge_here(*given)
            else:
                given = theirs, found[code], seed, options.fnr, device
                scores, least = judge_published(*given)
            results.add(
                *(
                    {**cell, **sizes, "source": name, **judge_pair(scores[owner], values, least)}
                    for name, values in scores.items()
                    if name != owner
                )
            )


def run(options, results):
    """Compare features of images, then attributors."""
    if options.checkout is None:
        print(
            "The published code is not compared: clone https://github.com/MikeLasz/flipad and pass "
            "its folder as --checkout."
        )
        return
    theirs = load_published(options.checkout)
    with without_card() as device:
        for name in options.models:
            compare_features(theirs, name, options, results)
        for owner in options.owners:
            compare_attributors(theirs, owner, options, results, device)


def features(rows):
    """A line for each model and code: excess and distance of the median image and of the worst."""
    lines = []
    found = [row for row in rows if row["part"] == "features"]
    for row in sorted(found, key=lambda row: CASES.index(row["model"])):
        line = {"model": row["model"], "code": row["code"], "images": row["n"]}
        for name, title in (("excess", "above the minimum"), ("distance", "from the solution")):
            line |= {f"{title}, median": f"{100 * row[name][0]:.2f} %"}
            line |= {f"{title}, worst": f"{100 * row[name][1]:.2f} %"}
        lines.append(line | {"ms an image": f"{row['ms']:.0f}"})
    return pd.DataFrame(lines)


def attributors(rows):
    """A line for each model and code: means over sources and seeds, and rates of the first seed."""
    found = pd.DataFrame([row for row in rows if row["part"] == "accuracy"])
    lines = []
    for model, code in product(CASES, (PUBLISHED, FROM_HERE, *RULES)):
        same = found[(found["model"] == model) & (found["code"] == code)] if len(found) else found
        if not len(same):
            continue
        first, n = same[same["seed"] == same["seed"].min()], same["n_test"].iloc[0]
        rejected = interval(round(first["found_fnr"].iloc[0][0] * n), n)
        accepted = interval(round(sum(x[0] for x in first["found_fpr"]) * n), n * len(first))
        by_seed = 100 * same.groupby("seed")["accuracy"].mean()
        lines.append(
            {
                **{"model": model, "code": code, "seeds": len(by_seed)},
                "accuracy": f"{by_seed.mean():.2f} ({by_seed.std():.2f})",
                "area under the curve": f"{100 * same['auc'].mean():.2f}",
                "own rejected": "{:.3f} ({:.3f} to {:.3f})".format(*rejected),
                "others accepted": "{:.3f} ({:.3f} to {:.3f})".format(*accepted),
            }
        )
    return pd.DataFrame(lines)


TABLES = {"published_features": features, "published_attributors": attributors}
