"""Attribution to a StyleGAN2, through its skip connections and without them.

Trains the recipe ``stylegan2`` from two seeds, each from its checkpoint where there is one, and
judges each against the other seed, against a generator of every other architecture, and against
real images. One line of JSON for each owner and method goes to ``stylegan2.jsonl`` in the folder
``--out``; what is there already is left out. Needs the files of Fashion-MNIST.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
from attribution import FNRS, Setting, judge_attributor, one_layer_detector
from output import add_out, read_rows

from benchmarks.zoo.quality import fashion_frechet_distance
from benchmarks.zoo.recipes import train_recipe
from sklearn_flipad import FinalLayer, make_dctpad, make_flipad, make_rawpad, make_smf
from sklearn_flipad.datasets import load_fashion_mnist, load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained
from sklearn_flipad.zoo.files.cards import load_generator

SETTING = Setting(n_own=800, n_real=200, n_test=100)
#: Of the penalty in each branch, by the name of the method.
WEIGHTS = {"FLIPAD": "columns", "FLIPAD, equal weights": "equal"}
METHODS = ("RawPAD", "DCTPAD", "SM-F", *WEIGHTS)
OTHERS = [f"fashion/{name}-0" for name in ("dcgan", "wgan-gp", "lsgan", "ebgan")]


def trained(seed, args):
    """The generator of a seed; training goes on where it was interrupted."""
    stem = args.work / f"fashion-stylegan2-{seed}"
    if not Path(f"{stem}.json").exists():
        X = load_fashion_mnist(data_dir=args.data)[: args.n_images]
        train_recipe("stylegan2", X, seed=seed, out_dir=args.work, work_dir=args.work)
    return load_generator(stem)


def make_attributor(method, generator):
    """An attributor by the name of its method; the detector of all is one and the same."""
    common = {"fnr": FNRS[0], "cv": 0.75, "random_state": 0}
    if method == "SM-F":
        return make_smf(n_jobs=1, **common)
    common["detector"] = one_layer_detector(SETTING, 0)
    if method in ("RawPAD", "DCTPAD"):
        return {"RawPAD": make_rawpad, "DCTPAD": make_dctpad}[method](**common)
    layer = FinalLayer.from_generator(generator, random_state=0)
    return make_flipad(layer, **common).set_params(invert__branch_weights=WEIGHTS[method])


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    parser.add_argument("--work", type=Path, default=Path("zoo"), help="folder of the trainings")
    parser.add_argument("--data", help="folder of the files of Fashion-MNIST")
    parser.add_argument("--n-images", type=int, default=60_000, help="of each training")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "stylegan2.jsonl"
    rows = read_rows(path)
    done = {(row["owner"], row["method"]) for row in rows}
    generators = {f"stylegan2-{seed}": trained(seed, args) for seed in (0, 1)}
    real = load_fashion_sample()
    draw = partial(sample, n_samples=SETTING.n_test, random_state=1)
    others = {name: draw(load_pretrained(name)) for name in OTHERS}
    for owner, generator in generators.items():
        own = sample(generator, SETTING.n_own, random_state=0)
        X = np.concatenate([own, real[: SETTING.n_real]])
        y = np.repeat([1, -1], [SETTING.n_own, SETTING.n_real])
        tests = {name: draw(model) for name, model in generators.items()}
        tests |= {**others, "real": real[SETTING.n_real :][: SETTING.n_test]}
        distance = fashion_frechet_distance(own)
        for method in args.methods:
            if (owner, method) in done:
                continue
            attributor = make_attributor(method, generator)
            found = judge_attributor(attributor, X, y, tests, owner=owner, method=method)
            row = {"owner": owner, "method": method, "frechet_distance": distance, "rows": found}
            with open(path, "a") as file:
                file.write(json.dumps(row) + "\n")
            shown = {r["source"]: round(r["accuracy"], 3) for r in found if r["fnr"] == FNRS[0]}
            print(owner, method, shown, flush=True)


if __name__ == "__main__":
    main()
