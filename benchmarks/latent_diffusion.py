"""Attribution to the decoder of a latent diffusion model: the columns of Table 4.

Small AutoencoderKLs stand for those of Stable Diffusion (see ``autoencoders.py``), and decoded
latents of images that they were not trained on for what a diffusion process makes. Each owner is
judged against autoencoders of two other seeds, one that shares its encoder and whose decoder was
trained on, one that shares all of it but is given other latents, and real images. These are the
negatives, or decoded images of another seed. Latents have 256 values, images 1,024. One line of
JSON for each owner and method goes to ``latent_diffusion.jsonl`` in the folder ``--out``; what is
there already is left out.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from attribution import Setting, judge_attributor, one_layer_detector
from autoencoders import TUNED, autoencoder, encoded
from output import add_out, read_rows
from sklearn.pipeline import make_pipeline

from sklearn_flipad import (
    ChannelSelector,
    FinalLayer,
    InlierScaler,
    InlierWhitener,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_residual,
    make_smf,
    make_whitened,
)
from sklearn_flipad.datasets import load_fashion_mnist
from sklearn_flipad.final_layer import LatentDecoder

#: The paper's rate for this experiment.
FNR = 0.05
SETTING = Setting(n_own=4000, n_real=500, n_test=500)
#: Of the searches, which take seconds for a sample.
SEARCHED = Setting(n_own=60, n_test=20)
SHARED = "0, other latents"
#: The owners, and for each the sources that are not its own.
OWNERS = {"0": ("1", "2", TUNED, SHARED, "real"), "1": ("0", "2", TUNED, "real")}
METHODS = (
    "SM-F",
    "RawPAD",
    "DCTPAD",
    "FLIPAD, 3 channels",
    "FLIPAD",
    "FLIPAD, whitened",
    "whitened preactivation",
    *(f"{name}, negatives of {seed}" for name in ("FLIPAD", "RawPAD") for seed in "01"),
    "residual",
    "AEROBLADE",
    "LatentTracer",
    "reproduction",
)
#: After the name of a method: its negatives are decoded, as in the paper, and not real images.
DECODED = ", negatives of "
#: Searches from the guess of the autoencoder's own encoder.
SEARCHES = {
    "AEROBLADE": {"max_iter": 0, "n_newton": 0, "n_restarts": 0, "n_calibration": 0},
    "LatentTracer": {"n_newton": 0, "n_restarts": 0, "n_calibration": 0},
    "reproduction": {},
}


class Guess(torch.nn.Module):
    """The encoder of an autoencoder, from pixels in [0, 1] to the mean of their latents."""

    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, x):
        return self.vae.encode(2 * x - 1).latent_dist.mean


class Autoencoder(Guess):
    """An autoencoder, from pixels in [0, 1] to pixels."""

    def forward(self, x):
        return LatentDecoder(self.vae)(super().forward(x))


def images_of(name, vaes, real):
    """Gray levels of a source: decoded latents of real images, or these themselves."""
    if name == "real":
        return real
    vae = vaes["0" if name == SHARED else name]
    latents = encoded(vae, real, seed=0)
    if name == SHARED:  # as another diffusion process might come to
        latents = (latents + latents.roll(1, dims=0)) / 2
    decoder = LatentDecoder(vae)
    with torch.no_grad():
        parts = [decoder(z) for z in latents.split(100)]
    return (255 * torch.cat(parts)).round().to(torch.uint8).numpy()


def data_of(owner, vaes, real, setting, negatives="real"):
    """Training samples and labels, and test images by source; no real image serves twice."""
    parts = np.split(real, np.cumsum([SETTING.n_own, SETTING.n_real]))
    own = images_of(owner, vaes, parts[0][: setting.n_own])
    others = images_of(negatives, vaes, parts[1][: setting.n_real])
    X, y = np.concatenate([own, others]), np.repeat([1, -1], [len(own), len(others)])
    names = (owner, *OWNERS[owner])
    tests = np.split(parts[2], np.arange(1, len(names)) * SETTING.n_test)
    tests = zip(names, tests, strict=True)
    return X, y, {name: images_of(name, vaes, x[: setting.n_test]) for name, x in tests}


def make_attributor(method, vae, latents, cache_dir=None):
    """An attributor by the name of its method; the detector of all is one and the same.

    Activations are kept in `cache_dir`, for all methods that start from them.
    """
    method = method.partition(DECODED)[0]
    if method in SEARCHES:
        decoder, guess = LatentDecoder(vae), Guess(vae)
        attributor = make_reproduction(decoder, encoder=guess, output_range=(0, 1), fnr=FNR)
        options = {f"detect__estimator__{name}": n for name, n in SEARCHES[method].items()}
        return attributor.set_params(**options)
    common = {"fnr": FNR, "cv": 0.25, "random_state": 0}
    if method == "SM-F":
        return make_smf(output_range=(0, 1), n_jobs=1, **common)
    common["detector"] = one_layer_detector(SETTING, 0)
    if method in ("RawPAD", "DCTPAD"):
        make = {"RawPAD": make_rawpad, "DCTPAD": make_dctpad}[method]
        return make(output_range=(0, 1), **common)
    if method == "residual":
        common["detector"].set_params(center="inliers")
        return make_residual(Autoencoder(vae), output_range=(0, 1), **common)
    layer = FinalLayer.from_diffusers(vae, latents=latents)
    if method == "whitened preactivation":
        return make_whitened(layer.activation, output_range=(0, 1), **common)
    if method == "FLIPAD, whitened":
        common["scaler"] = InlierWhitener(ridge=1e-2, exponent=0.5, block=256)
    if method == "FLIPAD, 3 channels":
        common["scaler"] = make_pipeline(ChannelSelector(k=3), InlierScaler())
    return make_flipad(layer, **common).set_params(invert__cache_dir=cache_dir)


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    parser.add_argument("--work", type=Path, default=Path("output/autoencoders"))
    parser.add_argument("--owners", nargs="*", default=list(OWNERS))
    parser.add_argument("--methods", nargs="*", default=METHODS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "latent_diffusion.jsonl"
    rows = read_rows(path)
    done = {(row["owner"], row["method"]) for row in rows}
    vaes = {name: autoencoder(name, args.work) for name in ("0", "1", "2", TUNED)}
    real = load_fashion_mnist("test")
    for owner in args.owners:
        latents = encoded(vaes[owner], load_fashion_mnist()[:1000], seed=0)
        for method in args.methods:
            if (owner, method) in done:
                continue
            setting = SEARCHED if method in SEARCHES else SETTING
            negatives = method.partition(DECODED)[2] or "real"
            if negatives == owner:
                continue
            X, y, tests = data_of(owner, vaes, real, setting, negatives)
            if method in SEARCHES:
                X, y = X[y > 0], y[y > 0]
            attributor = make_attributor(method, vaes[owner], latents, args.work / "activations")
            found = judge_attributor(
                attributor, X, y, tests, owner=owner, method=method, fnrs=(FNR,)
            )
            with path.open("a") as file:
                row = {"owner": owner, "method": method, "n_own": int((y > 0).sum())}
                row |= {"n_test": len(tests[owner]), "rows": found}
                file.write(json.dumps(row) + "\n")
            shown = {r["source"]: round(r["accuracy"], 3) for r in found if r["fnr"] == FNR}
            print(owner, method, shown, flush=True)


if __name__ == "__main__":
    main()
