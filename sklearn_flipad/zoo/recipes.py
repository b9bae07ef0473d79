"""Recipes of the shipped generators.

``python -m sklearn_flipad.zoo dcgan --seed 0`` trains ``fashion/dcgan-0`` from
Fashion-MNIST, showing its progress, and writes the files that are part of the
package: the weights (safetensors, half precision), the model card (JSON) and a grid of
samples (PNG). A training that was interrupted continues from its checkpoint.
"""

from datetime import UTC, datetime
from pathlib import Path

import torch

from sklearn_flipad.zoo import architectures, objectives
from sklearn_flipad.zoo.batch_norm import recalibrate_batch_norm
from sklearn_flipad.zoo.initialization import initialize_weights
from sklearn_flipad.zoo.pretrained import load_generator, save_generator
from sklearn_flipad.zoo.training import train_gan

__all__ = ["RECIPES", "train_recipe"]

_DCGAN = ("DCGANGenerator", {"latent_dim": 64, "channels": (128, 64, 32), "out_channels": 1})
_LSGAN = (
    "LSGANGenerator",
    {"latent_dim": 64, "channels": (64, 64, 32, 16), "out_channels": 1, "image_size": 32},
)
_CONV = {"channels": (32, 64, 128), "in_channels": 1}

#: The paper's four models scaled to 32x32 gray images. Where the schedule differs from
#: Appendix G.2, it is because the training is about a hundred times shorter: the
#: generator is updated in every step, that of WGAN-GP in every second one, not in every
#: fifth. EBGAN's margin is in mean squared error: above the energies that occur, which
#: are below 0.2, it would never bind and leave the gray levels free.
RECIPES = {
    "dcgan": {
        "generator": _DCGAN,
        "discriminator": ("ConvDiscriminator", _CONV),
        "objective": ("CrossEntropyObjective", {"real_label": 0.9, "fake_label": 0.1}),
        "training": {"n_epochs": 12},
    },
    "wgan-gp": {
        "generator": _DCGAN,
        "discriminator": ("ConvDiscriminator", {**_CONV, "norm": "layer"}),
        "objective": ("WassersteinGPObjective", {"penalty": 10.0}),
        "training": {"n_epochs": 8, "n_critic": 2, "betas": (0.0, 0.9)},
    },
    "lsgan": {
        "generator": _LSGAN,
        "discriminator": (
            "LSGANDiscriminator",
            {"channels": (16, 32, 64, 128), "in_channels": 1, "image_size": 32},
        ),
        "objective": ("LeastSquaresObjective", {}),
        "training": {"n_epochs": 12},
    },
    "ebgan": {
        "generator": _DCGAN,
        "discriminator": ("EBGANDiscriminator", _CONV),
        "objective": ("EnergyObjective", {"margin": 0.1, "pull_away": 0.1}),
        "training": {"n_epochs": 6},
    },
}


def _build(module, spec):
    name, params = spec
    return getattr(module, name)(**params)


def train_recipe(
    recipe, X, *, seed=0, out_dir=".", work_dir=".", sample_dir=None, verbose=1, callback=None
):
    """Train a generator of the zoo and write its weights and model card.

    Parameters
    ----------
    recipe : str
        A key of `RECIPES`.
    X : ndarray of uint8, shape (n, 1, 32, 32)
        Training images.
    seed : int, default=0
        Seed of the weights and of the training.
    out_dir : path-like, default="."
        Where ``fashion-<recipe>-<seed>.safetensors``, ``.json`` and ``.png`` go.
    work_dir : path-like, default="."
        Where the checkpoint is kept.
    sample_dir : path-like, default=None
        Where a grid of samples goes after every epoch.
    verbose : int, default=1
        Whether to show progress bars.
    callback : callable, default=None
        See :func:`~sklearn_flipad.zoo.train_gan`.

    Returns
    -------
    torch.nn.Module
        The generator as it was saved, that is, rounded to half precision.

    Raises
    ------
    ValueError
        If there is no such recipe, or the checkpoint in `work_dir` is that of another training.
    """
    if recipe not in RECIPES:
        raise ValueError(f"Unknown recipe {recipe!r}; there are {', '.join(RECIPES)}.")
    spec = RECIPES[recipe]
    stem = Path(out_dir) / f"fashion-{recipe}-{seed}"
    # Before the training: a folder that cannot be made would cost it.
    stem.parent.mkdir(parents=True, exist_ok=True)
    generator = initialize_weights(_build(architectures, spec["generator"]), 2 * seed)
    discriminator = initialize_weights(_build(architectures, spec["discriminator"]), 2 * seed + 1)
    history = train_gan(
        generator,
        discriminator,
        X,
        objective=_build(objectives, spec["objective"]),
        random_state=seed,
        checkpoint=Path(work_dir) / f"fashion-{recipe}-{seed}.ckpt",
        sample_dir=sample_dir,
        verbose=verbose,
        callback=callback,
        **spec["training"],
    )
    recalibrate_batch_norm(generator, random_state=seed)
    card = {
        "name": f"fashion/{recipe}-{seed}",
        **{key: spec[key] for key in ("generator", "discriminator", "objective", "training")},
        "seed": seed,
        "data": f"Fashion-MNIST train split, {len(X)} images, padded to 32x32, contrast 0.75",
        "command": f"python -m sklearn_flipad.zoo {recipe} --seed {seed}",
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "history": history,
    }
    save_generator(generator, card, stem)
    return load_generator(stem)
