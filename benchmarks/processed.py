"""Processed samples: reproduction that knows the processing, and whitening that was fitted to it.

For each owner and each perturbation of the paper's Table 13, samples of the owner, of the other
architectures and of two copies with noise of 10 % on their weights are processed alike. Both
methods are fitted to processed samples of the owner, and the encoder of reproduction is trained
on such; whitening also gets processed real images. One line of JSON for each method goes to
``processed.jsonl`` in the folder ``--out``; what is there already is left out.
"""

import argparse
import hashlib
import json
import time

import numpy as np
from output import add_out, read_rows
from reproduction import load, trained_encoder

from sklearn_flipad import (
    DeepSADDetector,
    InlierWhitener,
    make_rawpad,
    make_reproduction,
    make_whitened,
)
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import noisy_copy
from sklearn_flipad.evaluation.metrics import clopper_pearson
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    named,
)
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import list_pretrained

FNR = 0.005
PERTURBATIONS = named(
    [
        GaussianBlur(3, sigma=3.0),
        CenterCropResize(28),
        GaussianNoise(0.05),
        GaussianNoise(0.1),
        JPEGCompression(90),
        JPEGCompression(80),
    ]
)
METHODS = ("reproduction", "RawPAD", "whitened", "whitened, ridge 0.01")


def digest(step):
    """A name for the settings of a perturbation."""
    return hashlib.sha256(repr(step).encode()).hexdigest()[:8]


def detector():
    """The detector of the methods that have one."""
    return DeepSADDetector(
        module=MLP,
        module_params={"hidden": (256,)},
        max_epochs=20,
        milestones=(14,),
        random_state=0,
    )


def fitted(method, owner, generator, step, args):
    """An attributor of processed samples."""
    n_own = args.n_own if method == "reproduction" else 4000
    own = step.fit_transform(sample(generator, n_own, random_state=1))
    if method == "reproduction":
        name = f"{owner}-{type(step).__name__}-{digest(step)}"
        encoder, _ = trained_encoder(name, generator, args.out / "encoders", processing=step)
        attributor = make_reproduction(generator, encoder=encoder, processing=step, fnr=FNR)
        return attributor.fit(own)
    common = {"detector": detector(), "fnr": FNR, "cv": 0.25, "random_state": 0}
    if method == "RawPAD":
        attributor = make_rawpad(**common)
    else:
        ridge = 1e-2 if "ridge" in method else 1e-4
        attributor = make_whitened(whitener=InlierWhitener(ridge=ridge), **common)
    real = step.fit_transform(load_fashion_sample(1000))
    return attributor.fit(np.concatenate([own, real]), np.repeat([1, -1], [len(own), len(real)]))


def sources(owner, generator, n):
    """Samples by source, before they are processed."""
    kind = owner.rpartition("-")[0]
    others = [name for name in list_pretrained("fashion") if name.rpartition("-")[0] != kind]
    groups = {"own": [generator], "other architectures": [load(n) for n in others if n[-1] == "0"]}
    for where in ("last", "earlier"):
        groups[f"copy, 10 % {where}"] = [noisy_copy(generator, 0.1, where=where, random_state=0)]
    return {
        name: np.concatenate([sample(g, -(-n // len(group)), random_state=2) for g in group])
        for name, group in groups.items()
    }


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    parser.add_argument("--owners", nargs="*", default=["fashion/lsgan-0"])
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--n-own", type=int, default=450, help="own samples for reproduction")
    parser.add_argument("--n-suspects", type=int, default=300, help="of each source")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "processed.jsonl"
    rows = read_rows(path)
    done = {(row["owner"], row["processing"], row["method"]) for row in rows}
    for owner in args.owners:
        generator = load(owner)
        tests = sources(owner, generator, args.n_suspects)
        for processing, step in PERTURBATIONS.items():
            for method in args.methods:
                if (owner, processing, method) in done:
                    continue
                row = {"owner": owner, "processing": processing, "method": method}
                attributor = fitted(method, owner, generator, step, args)
                for source, X in tests.items():
                    X = step.fit_transform(X)
                    start = time.perf_counter()
                    accepted = int((attributor.predict(X) == 1).sum())
                    rate = clopper_pearson(accepted, len(X))
                    row[source] = {
                        "accepted": accepted,
                        "n": len(X),
                        "interval": [rate.low, rate.high],
                        "ms": (time.perf_counter() - start) / len(X) * 1e3,
                    }
                with open(path, "a") as file:
                    file.write(json.dumps(row) + "\n")
                shown = {name: f"{row[name]['accepted'] / row[name]['n']:.3f}" for name in tests}
                print(owner, processing, method, "accepted", shown, flush=True)


if __name__ == "__main__":
    main()
