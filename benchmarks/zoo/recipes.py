"""Recipes of the shipped generators.

``python -m benchmarks.zoo dcgan --seed 0`` trains ``fashion/dcgan-0`` on Fashion-MNIST and writes
the files that are part of the package: the weights (safetensors, half precision), the model card
(JSON) and a few samples (a grid as PNG, or rows as CSV). ``kl-wgan`` trains ``redwine/kl-wgan-0``.
"""

from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.zoo import discriminators, objectives, stylegan2_discriminator
from benchmarks.zoo.batch_norm import recalibrate_batch_norm
from benchmarks.zoo.generator_files import save_generator
from benchmarks.zoo.initialization import initialize_weights
from benchmarks.zoo.training import train_gan
from sklearn_flipad import zoo
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.zoo.files.cards import load_generator

__all__ = ["RECIPES", "data_of", "train_recipe"]

_DCGAN = ("DCGANGenerator", {"latent_dim": 64, "channels": (128, 64, 32), "out_channels": 1})
_LSGAN = (
    "LSGANGenerator",
    {"latent_dim": 64, "channels": (64, 64, 32, 16), "out_channels": 1, "image_size": 32},
)
_CONV = {"channels": (32, 64, 128), "in_channels": 1}

#: The code of Song and Ermon updates the critic five times and the generator once for each of
#: six batches in 500 epochs, by RMSprop: 3,000 updates of the generator, twice as many as here,
#: where the quality of the cards was reached earlier. Adam without momentum is RMSprop whose
#: average starts without bias.
_KL_WGAN_TRAINING = {
    "n_epochs": 1500,
    "n_critic": 5,
    "batch_size": 256,
    "learning_rate": 2e-4,
    "betas": (0.0, 0.99),
}

#: The paper's four models scaled to 32x32 gray images. Where the schedule differs from
#: Appendix G.2, it is because the training is about a hundred times shorter: the
#: generator is updated in every step, that of WGAN-GP in every second one, not in every
#: fifth. EBGAN's margin is in mean squared error: above the energies that occur, which
#: are below 0.2, it would never bind and leave the gray levels free. ``kl-wgan`` is the paper's
#: (Appendix G.6), for the 11 columns of Redwine.
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
    "stylegan2": {
        "generator": (
            "StyleGAN2Generator",
            {
                "latent_dim": 64,
                "style_dim": 64,
                "channels": (64, 32, 16, 16),
                "out_channels": 1,
                "n_mapping": 2,
                "output": "tanh",
            },
        ),
        "discriminator": (
            "StyleGAN2Discriminator",
            {"channels": (16, 32, 64, 64), "in_channels": 1},
        ),
        "objective": ("NonSaturatingObjective", {"penalty": 1.0}),
        "training": {"n_epochs": 1, "batch_size": 32, "learning_rate": 2e-3, "betas": (0.0, 0.99)},
    },
    "kl-wgan": {
        "generator": ("KLWGANGenerator", {"n_columns": 11}),
        "discriminator": ("KLWGANCritic", {"n_columns": 11}),
        "objective": ("KLWassersteinObjective", {}),
        "training": _KL_WGAN_TRAINING,
    },
}


#: Data that the recipes are trained on, and their descriptions on the cards.
_DATA = {
    "fashion": "Fashion-MNIST train split, {n} images, padded to 32x32, contrast 0.75",
    "redwine": "Redwine, {n} rows, standardized columns",
}
#: Recipes whose networks draw their weights when they are made, as in their authors' code.
_DRAWN_BY_CLASS = ("kl-wgan", "stylegan2")
#: Modules of the classes that recipes name.
_MODULES = (zoo, discriminators, stylegan2_discriminator, objectives)
#: Losses that a card has at most.
_MAX_LOSSES = 60


def data_of(recipe):
    """Name of the data that a recipe is for: ``"fashion"`` or ``"redwine"``."""
    return "redwine" if recipe == "kl-wgan" else "fashion"


def _build(spec):
    name, params = spec
    module = next(module for module in _MODULES if name in module.__all__)
    return getattr(module, name)(**params)


def _networks(recipe, seed):
    """Generator and discriminator of a recipe, with the weights that the training starts from."""
    spec, seeds = RECIPES[recipe], (2 * seed, 2 * seed + 1)
    for role, part_seed in zip(("generator", "discriminator"), seeds, strict=True):
        if recipe in _DRAWN_BY_CLASS:
            with seeded(part_seed):
                yield _build(spec[role])
        else:
            yield initialize_weights(_build(spec[role]), part_seed)


def train_recipe(
    recipe, X, *, seed=0, out_dir=".", work_dir=".", sample_dir=None, verbose=1, callback=None
):
    """Train a generator of the zoo, write its files, and return it as it was saved.

    `X` are uint8 images (n, 1, 32, 32) or, for ``"kl-wgan"``, the standardized rows of Redwine. The
    files ``<data>-<recipe>-<seed>`` go to `out_dir`, the checkpoint to `work_dir`, and a grid of
    images after every epoch to `sample_dir`; for `callback` see
    :func:`~benchmarks.zoo.training.train_gan`.
    """
    if recipe not in RECIPES:
        raise ValueError(f"Unknown recipe {recipe!r}; there are {', '.join(RECIPES)}.")
    spec = RECIPES[recipe]
    data = data_of(recipe)
    stem = Path(out_dir) / f"{data}-{recipe}-{seed}"
    # Before the training, which would be lost for want of a folder.
    stem.parent.mkdir(parents=True, exist_ok=True)
    generator, discriminator = _networks(recipe, seed)
    history = train_gan(
        generator,
        discriminator,
        X,
        objective=_build(spec["objective"]),
        random_state=seed,
        checkpoint=Path(work_dir) / f"{data}-{recipe}-{seed}.ckpt",
        sample_dir=sample_dir,
        verbose=verbose,
        callback=callback,
        **spec["training"],
    )
    recalibrate_batch_norm(generator, random_state=seed)
    card = {
        "name": f"{data}/{recipe}-{seed}",
        **{key: spec[key] for key in ("generator", "discriminator", "objective", "training")},
        "seed": seed,
        "data": _DATA[data].format(n=len(X)),
        "command": f"python -m benchmarks.zoo {recipe} --seed {seed}",
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "history": history[:: -(-len(history) // _MAX_LOSSES)],
    }
    save_generator(generator, card, stem)
    return load_generator(stem)
