"""Generators of medical images of 128x128 gray pixels, trained here.

Those of the paper's were trained on mammograms that may not be passed on. Here they are trained on
oblique slices of one head, the T1-weighted magnetic resonance image ``ch2`` of Debian's
``mricron-data``: a DCGAN, a WGAN-GP, and a C-DCGAN whose classes are the three views. The last
layers are those of the paper's models, the layers before are narrower.
``python benchmarks/medical_data.py --work FOLDER`` trains what is missing, which goes on from a
checkpoint where it was interrupted. Needs nibabel.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from packages import debian_files
from scipy import ndimage
from scipy.spatial.transform import Rotation

from benchmarks.zoo.batch_norm import recalibrate_batch_norm
from benchmarks.zoo.discriminators import ConditionalConvDiscriminator, ConvDiscriminator
from benchmarks.zoo.generator_files import save_generator
from benchmarks.zoo.initialization import initialize_weights
from benchmarks.zoo.objectives import CrossEntropyObjective, WassersteinGPObjective
from benchmarks.zoo.training import train_gan
from sklearn_flipad.zoo import ConditionalDCGANGenerator, DCGANGenerator
from sklearn_flipad.zoo.files.cards import load_generator

__all__ = ["NAMES", "generator", "slices"]

SIDE, VIEWS = 128, ("sagittal", "coronal", "axial")
#: Millimeters of a pixel, and of the shifts; the slices stay within the head.
_PIXEL, _SHIFT, _DEPTH, _DEGREES = 1.7, 8.0, 35.0, 12.0
#: As in the zoo: the inversion sees little of a pixel at which tanh is saturated.
_DARKEST, _BRIGHTEST = 32, 223
_TEMPLATES = "/usr/share/mricron/templates"
_CHANNELS, _LATENTS = (256, 128, 64, 32, 64), 100
_CRITIC = {"channels": (16, 32, 64, 128, 256), "in_channels": 1}
#: Networks, objective, further settings of the training.
_RECIPES = {
    "dcgan": (
        lambda: DCGANGenerator(_LATENTS, _CHANNELS, 1),
        lambda: ConvDiscriminator(**_CRITIC),
        CrossEntropyObjective(),
        {"n_epochs": 6},
    ),
    "wgan-gp": (
        lambda: DCGANGenerator(_LATENTS, _CHANNELS, 1),
        lambda: ConvDiscriminator(**_CRITIC, norm="layer"),
        WassersteinGPObjective(),
        {"n_epochs": 3, "n_critic": 2, "betas": (0.0, 0.9)},
    ),
    "c-dcgan": (
        lambda: ConditionalDCGANGenerator(_LATENTS, _CHANNELS, 1, len(VIEWS)),
        lambda: ConditionalConvDiscriminator(**_CRITIC, n_classes=len(VIEWS)),
        CrossEntropyObjective(),
        {"n_epochs": 3},
    ),
}
NAMES = tuple(_RECIPES)


def slices(n, folder, *, seed=0):
    """Oblique slices of a head, and their views.

    Returns
    -------
    X : ndarray of uint8, shape (n, 1, 128, 128)
    views : ndarray of int, shape (n,)
        Positions in `VIEWS`.
    """
    import nibabel

    path = debian_files("mricron-data", _TEMPLATES, folder) / "ch2.nii.gz"
    head = np.asarray(nibabel.load(path).dataobj, dtype=np.float32)
    head /= np.quantile(head, 0.999)
    center = ndimage.center_of_mass(head)
    rng = np.random.default_rng(seed)
    views = rng.integers(len(VIEWS), size=n)
    axis = (np.arange(SIDE) - SIDE / 2 + 0.5) * _PIXEL
    rows, columns = np.meshgrid(axis[::-1], axis, indexing="ij")
    X = np.empty((n, 1, SIDE, SIDE), dtype=np.uint8)
    for x, view in zip(X, views, strict=True):
        plane = np.zeros((3, SIDE, SIDE))
        across, up = [i for i in range(3) if i != view]
        plane[across], plane[up] = columns, rows
        plane[view] = rng.uniform(-_DEPTH, _DEPTH)
        turn = Rotation.from_euler("xyz", rng.uniform(-_DEGREES, _DEGREES, 3), degrees=True)
        turned = np.tensordot(turn.as_matrix() * rng.uniform(0.9, 1.1), plane, axes=1)
        shifted = turned + (center + rng.uniform(-_SHIFT, _SHIFT, 3))[:, None, None]
        gray = ndimage.map_coordinates(head, shifted, order=1).clip(0, 1)
        x[0] = np.rint(_DARKEST + (_BRIGHTEST - _DARKEST) * gray)
    return X, views


def generator(name, folder, *, n_images=6000):
    """The generator of a name of `NAMES`; trained where it is missing."""
    stem = Path(folder) / f"mri-{name}"
    if not stem.with_suffix(".json").exists():
        make, make_critic, objective, training = _RECIPES[name]
        made, critic = initialize_weights(make(), 0), initialize_weights(make_critic(), 1)
        X, views = slices(n_images, folder)
        labels = views if name == "c-dcgan" else None
        checkpoint, samples = stem.with_suffix(".checkpoint"), Path(f"{stem}-samples")
        start = time.perf_counter()
        train_gan(
            made, critic, X, objective=objective, labels=labels, batch_size=16, verbose=0,
            checkpoint=checkpoint, sample_dir=samples, callback=_printer(name, start), **training,
        )  # fmt: skip
        recalibrate_batch_norm(made)
        card = {"name": f"mri/{name}", "generator": [type(made).__name__, made.arguments]}
        save_generator(made, card, stem)
    return load_generator(stem)


def _printer(name, start):
    def show(epoch, _, losses):
        print(name, epoch + 1, losses, f"{time.perf_counter() - start:.0f} s", flush=True)

    return show


def main():
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("output/medical"))
    parser.add_argument("--names", nargs="*", default=NAMES)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for name in args.names:
        generator(name, args.work)


if __name__ == "__main__":
    main()
